"""Check report pages in a real browser, at two widths, in light and dark, by clicking about.

    python -m tests.report.browser_check RUN/report.html --pictures=DIR

Needs chromium and chromedriver (Debian: chromium, chromium-driver). Ends with 1 and says why if the
console says anything, the page is wider than its window, or a control does not do what it says.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterator

from tests.report import webdriver

WIDTHS = (1400, 400)
SCHEMES = ("light", "dark")
_OVERFLOW = """
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide <= 0) return "";
const inBox = (e) => e.closest(".scroll");
const out = [...document.querySelectorAll("main *")].filter((e) =>
  !inBox(e) && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5);
return `${wide} px too wide: ` + out.slice(0, 5).map((e) => e.outerHTML.slice(0, 120)).join(" | ");
"""
_BROWSE = """
const [kind, point, text] = arguments;
const form = document.getElementById("filters").elements;
[form.kind.value, form.point.value] = [kind, point];
document.getElementById("filters").dispatchEvent(new Event("change", {bubbles: true}));
return null;
"""
_COUNT = "return Number((document.getElementById('count').value.match(/of (\\d+)/) ?? [0, 0])[1])"
_ROWS = "return document.querySelectorAll('#page tr').length"
TEXTS = "return [...document.querySelectorAll('#page tr')].map((r) => r.textContent.toWellFormed())"


def problems(page: pathlib.Path, pictures: pathlib.Path | None = None) -> Iterator[str]:
    """Yield what is wrong with a page; write full-page pictures of it into a folder."""
    with webdriver.browser() as browser:
        for scheme in SCHEMES:
            browser.prefer(scheme)
            for width in WIDTHS:
                browser.resize(width)
                browser.open(page)
                browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
                if wide := browser.run(_OVERFLOW):
                    yield f"{width} px, {scheme}: {wide}"
                if pictures:
                    path = pictures / f"{page.stem}-{width}-{scheme}.png"
                    path.write_bytes(browser.picture())
        if pictures:
            (pictures / f"{page.stem}.pdf").write_bytes(browser.print())
        browser.open(page)
        yield from _sections(browser)
        if browser.run("return document.getElementById('data') !== null"):
            yield from _answers(browser)
        yield from (f"console: {line}" for line in browser.log())


def _sections(browser: webdriver.Browser) -> Iterator[str]:
    """Close and open everything with the keyboard, and follow a link into a closed section."""
    closed = (
        "return [...document.querySelectorAll('details.section')].filter((d) => !d.open).length"
    )
    total = browser.run("return document.querySelectorAll('details.section').length")
    for name, wanted in (("", total), ("open", 0)):
        browser.run(f"document.querySelector('[data-all=\"{name}\"]').focus()")
        browser.type("\ue007")  # Enter
        if (found := browser.run(closed)) != wanted:
            yield f"button {name or 'close'}: {found} of {total} sections closed"
    browser.run("for (const d of document.querySelectorAll('details')) d.open = false")
    browser.run("document.querySelector('nav a:last-of-type').click()")
    browser.run("dispatchEvent(new HashChangeEvent('hashchange'))")
    if browser.run(closed) != total - 1:
        yield "a link did not open its section"
    browser.run("document.querySelector('details.section summary').focus()")
    browser.type("\ue007")
    if browser.run(closed) != total - 2:
        yield "Enter on a heading did not open its section"


def _answers(browser: webdriver.Browser) -> Iterator[str]:
    """Filter, search and turn pages; every count must add up."""
    browser.run("document.getElementById('answers').open = true")
    counts = {}
    for kind in ("", "right", "wrong", "lost", "won", "partly"):
        browser.run(_BROWSE, kind, "")
        counts[kind] = browser.run(_COUNT)
        if browser.run(_ROWS) > 25:
            yield "more rows in the document than a page holds"
    embedded = browser.run(
        "return JSON.parse(document.getElementById('data').textContent).columns.task.length"
    )
    if counts[""] != embedded:
        yield f"{counts['']} of {embedded} answers are shown"
    if counts["right"] + counts["wrong"] != counts[""]:
        yield f"right and wrong answers do not add up: {counts}"
    browser.run(_BROWSE, "", "")
    before = browser.run(TEXTS)
    browser.run("document.getElementById('next').click()")
    if embedded > len(before) and browser.run(TEXTS) == before:
        yield "the next page is the same page"
    browser.run("document.querySelector('#filters [name=text]').focus()")
    browser.type("zqzqzq")
    if not _soon(browser, "return document.querySelectorAll('#page tr').length === 0"):
        yield "a search for nonsense finds answers"


def _soon(browser: webdriver.Browser, condition: str) -> bool:
    """Return whether a condition holds within a second."""
    script = f"""
    const [done] = [arguments[arguments.length - 1]];
    const holds = () => {{ {condition} }};
    const until = performance.now() + 3000;
    const look = () => holds() || performance.now() > until ? done(holds()) : setTimeout(look, 20);
    look();
    """
    return bool(browser.run_async(script))


def main() -> int:
    """Check the pages named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for screenshots and a PDF")
    told = parser.parse_args()
    if not webdriver.installed():
        print("chromium and chromedriver are not installed", file=sys.stderr)
        return 2
    if told.pictures:
        told.pictures.mkdir(parents=True, exist_ok=True)
    bad = 0
    for page in told.pages:
        for problem in problems(page, told.pictures):
            print(f"{page}: {problem}")
            bad += 1
    print(f"{len(told.pages)} pages, {bad} problems")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
