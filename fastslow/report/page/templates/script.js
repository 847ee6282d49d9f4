"use strict";
(() => {
  const PAGE = 25; // answers shown at once
  const byId = (name) => document.getElementById(name);
  for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;

  // Sections: open all, open what a link points into, print what is closed but the raw answers.
  const sections = [...document.querySelectorAll("details.section")];
  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      for (const section of sections) section.open = button.dataset.all === "open";
    });
  }
  const reveal = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = sections.filter((section) => !section.open && section.id !== "answers");
    for (const section of closed) section.open = true;
  });
  addEventListener("afterprint", () => {
    for (const section of closed) section.open = false;
  });

  if (byId("data")) browse(JSON.parse(byId("data").textContent));

  // Raw answers: columns of numbers, filtered as such; only one page of them is in the document.
  function browse({ tasks, points, texts, columns }) {
    const all = columns.task.map((_, row) => row);
    const last = new Map(); // task -> its last evaluation point
    for (const row of all) {
      const task = columns.task[row];
      last.set(task, Math.max(last.get(task) ?? -1, columns.point[row]));
    }
    const right = (score) => score === 1;
    const had = (score) => score !== null && score !== undefined;
    const kinds = {
      "": () => true,
      right: (row) => right(columns.score[row]),
      wrong: (row) => !right(columns.score[row]),
      partly: (row) => columns.score[row] > 0 && !right(columns.score[row]),
      lost: (row) => !right(columns.score[row]) && right(columns.before[row]),
      won: (row) =>
        right(columns.score[row]) && had(columns.before[row]) && !right(columns.before[row]),
    };
    const searched = ["id", "input", "target", "answer", "feedback"].map((name) => columns[name]);
    const controls = byId("filters").elements;
    const labels = [...document.querySelectorAll(".answers th")].map((cell) => cell.textContent);
    let found = all;
    let start = 0;

    const option = (select, value, text) => select.append(new Option(text, value));
    tasks.forEach((task, place) => option(controls.task, place, task));
    points.forEach(([, lessons], place) => {
      if (columns.point.includes(place)) option(controls.point, place, `after ${lessons} lessons`);
    });

    function filter() {
      const { task, point, kind, text } = controls;
      const wanted = text.value.trim().toLowerCase();
      const holds = new Set();
      if (wanted) {
        texts.forEach((one, place) => {
          if (one.toLowerCase().includes(wanted)) holds.add(place);
        });
      }
      const inTime =
        point.value === "last"
          ? (row) => columns.point[row] === last.get(columns.task[row])
          : (row) => !point.value || columns.point[row] === Number(point.value);
      found = all.filter(
        (row) =>
          (!task.value || columns.task[row] === Number(task.value)) &&
          inTime(row) &&
          kinds[kind.value](row) &&
          (!wanted || searched.some((column) => holds.has(column[row]))),
      );
      start = 0;
      show();
    }

    function show() {
      const end = Math.min(start + PAGE, found.length);
      byId("page").replaceChildren(...found.slice(start, end).map(line));
      byId("count").textContent = found.length
        ? `${start + 1}–${end} of ${found.length} answers`
        : "no such answer";
      byId("previous").disabled = start === 0;
      byId("next").disabled = end === found.length;
    }

    function line(row) {
      const score = columns.score[row];
      const shown = document.createElement("tr");
      shown.className = right(score) ? "right" : "wrong";
      const words = right(score) ? "✓ right" : score > 0 ? "~ partly" : "✗ wrong";
      const before = columns.before[row];
      const then = had(before) && before !== score ? `was ${number(before)}` : "";
      const text = (name) => texts[columns[name][row]] ?? "–";
      const lessons = points[columns.point[row]][1];
      const sample = columns.sample[row] ? `, sample ${columns.sample[row] + 1}` : "";
      const cells = [
        [words, score > 0 && score < 1 ? number(score) : "", then],
        [tasks[columns.task[row]], `after ${lessons} lessons`, text("id") + sample],
        ...["input", "target", "answer", "feedback"].map((name) => [text(name) || "(empty)"]),
      ];
      cells.forEach(([first, ...notes], place) => {
        const cell = shown.insertCell();
        cell.className = "word";
        cell.dataset.label = labels[place];
        cell.append(element("span", place ? "" : "mark", first));
        cell.append(...notes.filter(Boolean).map((note) => element("small", "", note)));
      });
      return shown;
    }

    function element(name, style, text) {
      const made = document.createElement(name);
      made.className = style;
      made.append(text);
      return made;
    }

    const number = (score) => score.toFixed(3);
    const turn = (step) => () => {
      start += step;
      show();
    };
    byId("previous").addEventListener("click", turn(-PAGE));
    byId("next").addEventListener("click", turn(PAGE));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("change", filter);
    let pause = 0;
    controls.text.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(filter, 120);
    });
    controls.kind.value = "wrong";
    filter();
  }
})();
