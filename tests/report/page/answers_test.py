import pytest

from fastslow.report import records
from fastslow.report.page import answers, layout
from tests.report import synthetic


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = synthetic.write(tmp_path_factory.mktemp("run"))
    rows = records.read(directory)
    return directory, rows, answers.read(directory, rows)


def test_every_answer_is_read_in_time_with_its_score_before(run):
    _, rows, found = run
    evaluations = records.of_kind(rows, "evaluation")
    assert len(found) == 6 * sum(len(row["scores"]) for row in evaluations)
    assert [answer.before for answer in found[:6]] == [None] * 6
    again = [answer for answer in found if answer.event == 2 and answer.task == "tomi"]
    assert [(a.score, a.before) for a in again] == [(1.0, 1.0), (0.0, 0.0)] * 3


def test_the_last_answers_of_a_task_are_those_of_its_last_evaluation(run):
    found = run[-1]
    cut = [answer for answer in found if answer.event < 12 or answer.task != "tomi"]
    last = answers.last(cut)
    assert {task: one[0].event for task, one in last.items()} == {
        "tomi": 10,
        "sarcasm": 12,
        synthetic.TASKS[2]: 12,
    }
    assert {len(one) for one in last.values()} == {6}


def _decoded(columns):
    texts = columns["texts"]
    return [
        (
            columns["tasks"][told["task"]],
            columns["points"][told["point"]],
            texts[told["id"]],
            None if told["input"] < 0 else texts[told["input"]],
            texts[told["answer"]],
        )
        for told in (
            dict(zip(columns["columns"], row, strict=True))
            for row in zip(*columns["columns"].values(), strict=True)
        )
    ]


def test_the_columns_say_what_the_answers_say_newest_first(run):
    _, rows, found = run
    columns = answers.columns(found, rows)
    lessons = {2 * number: number for number in range(7)}
    assert _decoded(columns) == [
        (a.task, (a.event, lessons[a.event]), a.id, a.input, a.answer)
        for a in sorted(found, key=lambda a: -a.event)
    ]
    assert len(columns["texts"]) == len(set(columns["texts"])) < len(found)


def test_what_finds_no_room_is_the_oldest_and_counted(run):
    _, rows, found = run
    whole, cut = answers.columns(found, rows), answers.columns(found, rows, room=2000)
    kept = len(cut["columns"]["task"])
    assert 0 < kept < len(found)
    assert cut["left_out"] == len(found) - kept
    assert _decoded(cut) == _decoded(whole)[:kept]
    assert len(layout.in_script(cut)) < 2000 + 500  # and the names of columns, tasks, points
    assert answers.columns(found, rows, room=0)["left_out"] == len(found)


def test_a_very_long_text_is_cut_and_says_so(run):
    _, rows, found = run
    (one, *_) = found
    columns = answers.columns([one._replace(answer="x" * 2000, input=None)], rows)
    ((_, _, _, asked, answer),) = _decoded(columns)
    assert asked is None
    assert answer == "x" * 1500 + "… [500 characters more]"


def test_a_run_without_predictions_has_no_answers(run, tmp_path):
    assert answers.read(tmp_path, run[1]) == ()
