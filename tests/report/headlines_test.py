import pytest

from fastslow.metrics import matrix as matrices
from fastslow.report import headlines, records
from tests.report import synthetic


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return records.read(synthetic.write(tmp_path_factory.mktemp("run")))


def _answers(rows):
    found = headlines.headlines(matrices.from_records(rows), rows)
    return {head.question: (head.figure, head.sentence) for head in found}


def test_the_headlines_of_a_finished_run(rows):
    answers = _answers(rows)
    figure, sentence = answers["What was learned"]
    assert figure == "0.043 → 0.657"
    assert "sarcasm: 0.020 → 0.750" in sentence
    figure, sentence = answers["What was forgotten"]
    assert figure == "+0.045"
    assert "2 tasks" in sentence
    assert f"{synthetic.TASKS[2]}: +0.060" in sentence
    figure, sentence = answers["What it cost"]
    assert figure == "6 min 00 s"
    assert sentence.startswith("551 k tokens (fast 212 k, slow 192 k, evaluation 146 k) and 20")
    figure, sentence = answers["Which channel did it"]
    assert figure == "mostly prompts"
    told = "prompts alone +0.430, weights alone +0.315, both +0.655; the weights add +0.225 to"
    assert told in sentence


def test_a_run_that_gained_and_lost_nothing_boasts_of_no_task(rows):
    flat = [
        {**row, "scores": dict.fromkeys(row["scores"], 0.0)} if "scores" in row else row
        for row in rows
    ]
    answers = _answers(flat)
    assert answers["What was learned"][0] == "0.000 → 0.000"
    assert answers["What was learned"][1].endswith("No task gained anything.")
    assert answers["What was forgotten"][1].endswith("No task lost anything.")


def test_before_the_end_only_what_is_known_is_said(rows):
    answers = _answers(rows[:5])  # two lessons of the first task; the third was not evaluated again
    figure, sentence = answers["What was learned"]
    assert figure == "0.010 → 0.205"  # the two tasks that were evaluated both times
    assert "2 tasks" in sentence
    assert answers["What was forgotten"][0] == "–"
    figure, sentence = answers["Which channel did it"]
    assert (figure, sentence) == (
        "fast 1, slow 1",
        "Lessons out of 2 that changed the channel.",
    )


@pytest.mark.parametrize(
    ("prompts", "weights", "figure"),
    [(0.6, 0.4, "mostly prompts"), (0.4, 0.6, "mostly weights"), (0.5, 0.5, "both alike"),
     (0.1, 0.2, "no gain")],
)  # fmt: skip
def test_the_channel_that_carries_the_gain_is_named(rows, prompts, weights, figure):
    scores = {"base_seed": 0.2, "base_evolved": prompts, "trained_seed": weights}
    both = 0.7 if figure != "no gain" else 0.2
    row = {**rows[-1], "quadrants": {"tomi": {**scores, "trained_evolved": both}}}
    assert _answers([*rows[:-1], row])["Which channel did it"][0] == figure
