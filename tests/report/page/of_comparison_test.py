import re

import pytest

from fastslow.evaluation import constant
from fastslow.report import records
from fastslow.report.comparison import comparing, tables
from fastslow.report.page import of_comparison
from tests.report import reading
from tests.report.comparison import synthetic


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = synthetic.write_many(tmp_path_factory.mktemp("runs"), seeds=3)
    return comparing.compare([str(folder / "*")], baseline="slow_only")


def _render(comparison):
    return reading.Page(
        of_comparison.render(comparison, tables.every(comparison), []).decode("utf-8")
    )


@pytest.fixture(scope="module")
def page(comparison):
    return _render(comparison)


def test_every_table_and_note_is_on_the_page(comparison, page):
    for shown in tables.every(comparison):
        wanted = [shown.header, *shown.rows, *([shown.footer] if shown.footer else [])]
        assert [list(row) for row in wanted] in page.tables
    assert set(comparison.notes) <= set(page.texts)


def test_the_best_method_comes_first_in_words_and_figures(comparison, page):
    means = {row[0]: row[2].partition(" ")[0] for row in tables.summary(comparison).rows}
    best = max(means, key=lambda label: float(means[label]))
    place = page.texts.index("Who learned most")
    told = [text for text in page.texts[place + 1 :] if text.strip()]
    assert told[0] == best
    listed = re.findall(r"(\w+_?\w*) (\d\.\d{3}) \[", told[1])
    assert dict(listed) == means
    assert [value for _, value in listed] == sorted(means.values(), reverse=True)


def test_the_verdicts_are_those_of_the_table_of_differences(comparison, page):
    verdicts, measure = {}, ""
    for row in tables.differences(comparison).rows:
        measure = row[0] or measure
        verdicts[measure, row[1]] = row[-1]
    (told,) = [text for text in page.texts if text.startswith("interleave beside slow_only: ")]
    for (measure, method), verdict in verdicts.items():
        if method == "interleave" and verdict in ("better", "worse", "undecided"):
            measure = measure.replace(",", "")  # in a list
            title = measure if measure.startswith("FLOP") else measure[0].lower() + measure[1:]
            (part,) = [p for p in told.rstrip(".").split(": ", 1)[1].split("; ") if title in p]
            assert part.startswith(verdict)


def test_settings_that_differ_come_first(page):
    header, first, *rest = page.tables[-1]
    assert header == ["Setting", "slow_only", "fast_only", "interleave"]
    assert first == ["scheduler.name", "slow_only", "fast_only", "interleave"]
    same = [len(set(row[1:])) == 1 for row in rest]
    assert same == sorted(same)
    assert any(row[0] == "git" for row in rest)


def test_a_single_run_is_no_comparison_but_a_page(tmp_path):
    synthetic.write(tmp_path / "a")
    page = _render(comparing.compare([str(tmp_path / "*")]))
    assert "Who learned most" not in page.texts
    assert any("One run only" in text for text in page.texts)


def test_without_a_run_that_counts_the_page_says_so(tmp_path):
    synthetic.write(tmp_path / "a", done=False, events=7)
    page = _render(comparing.compare([str(tmp_path / "*")]))
    assert any("No run gets to this point" in text for text in page.texts)


def test_a_method_that_learned_nothing_is_not_praised_for_forgetting_nothing(tmp_path):
    folder = synthetic.write_many(tmp_path, seeds=1)
    comparison = comparing.compare([str(folder / "*")])
    flat = [
        {**row, "scores": dict.fromkeys(row["scores"], 0.5)} if "scores" in row else row
        for row in comparison.methods[1].runs[0].rows
    ]
    idle = comparison.methods[1]._replace(runs=(comparison.methods[1].runs[0]._replace(rows=flat),))
    changed = comparison._replace(methods=(comparison.methods[0], idle, comparison.methods[2]))
    told = [text for text in _render(changed).texts if "gained nothing" in text]
    assert told == [
        f"{idle.label} gained nothing, so there was nothing to forget, and no reason to drift."
    ]


def _headline(folder, question, **options):
    page = _render(comparing.compare([str(folder / "*")], **options))
    told = [text for text in page.texts[page.texts.index(question) + 1 :] if text.strip()]
    return told[0]


def test_methods_that_runs_do_not_tell_apart_are_not_ranked(tmp_path):
    for seed in range(3):
        for name in ("slow_only", "interleave"):
            synthetic.write(tmp_path / f"{name}{seed}", name, seed=seed, noise=1.0)
    assert _headline(tmp_path, "Who learned most") == "undecided"


def test_a_winner_by_single_runs_is_called_that(tmp_path):
    for name in ("slow_only", "interleave"):
        synthetic.write(tmp_path / name, name)
    assert _headline(tmp_path, "Who was cheapest").endswith(", by single runs")


def test_measures_that_were_not_asked_for_make_no_headline(tmp_path):
    folder = synthetic.write_many(tmp_path, seeds=2)
    page = _render(comparing.compare([str(folder / "*")], metrics=["tokens"]))
    assert "Who was cheapest" in page.texts
    assert "Who learned most" not in page.texts


def test_more_runs_on_the_same_items_are_no_more_items_beside_the_constant_answer(tmp_path):
    folders = [synthetic.write(tmp_path / str(seed), seed=seed) for seed in range(4)]
    compared = comparing.compare([str(tmp_path / "*")])
    scores = [tables.last_score("sentiment", run) for run in compared.methods[0].runs]
    near = sum(scores) / 4 - 0.075  # two standard errors: 0.10 of 96 answers, 0.05 of 4 x 96
    told = {"sentiment": constant.Constant("positive", near)}
    records.append(folders[0], records.tasks_row({"sentiment": ""}, told), 0.0)
    page = _render(comparing.compare([str(tmp_path / "*")]))
    assert any("on sentiment" in text and "cannot be told from" in text for text in page.texts)
