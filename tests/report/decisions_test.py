from fastslow import types
from fastslow.report import decisions, records, table

PLAN = types.Budgets(0, 0), types.Budgets(24, 0), types.Budgets(0, 2)


def _lesson(values, **facts):
    lesson = types.Lesson(1, "tomi", ())
    probe = types.Probe(1, 2, 3, **facts)
    decision = types.Decision(0, 0, "try all", PLAN if values else ())
    tried = tuple(types.Compared(*trial) for trial in zip(PLAN, values, strict=False))
    return records.lesson_row(lesson, types.LessonReport(probe, decision, (), trials=tried), 0)


def test_the_trials_are_listed_with_the_best_marked():
    rows = [_lesson(()), _lesson((0.25, 0.5, float("nan"))), _lesson((0.5, 0.5, 0.25))]
    assert decisions.trials(rows).rows == (
        ("2", "tomi", "no channel", "", "0.250"),
        ("", "", "fast 24 calls", "kept", "0.500"),
        ("", "", "slow 2 steps", "", "–"),
        ("3", "tomi", "no channel", "kept", "0.500"),  # of equals the first, as in teaching
        ("", "", "fast 24 calls", "", "0.500"),
        ("", "", "slow 2 steps", "", "0.250"),
    )


def test_the_table_of_lessons_says_which_trial_was_kept():
    rows = [_lesson((0.25, 0.5, 0.1)), _lesson(())]
    decided = [row[2] for row in table.lessons(rows).rows]
    assert decided == ["fast 24 calls (best of 3 trials)", "no channel"]


def test_only_facts_that_were_measured_are_shown():
    rows = [_lesson(()), _lesson((), cosine=-0.25, drift=0.02, gradient_norm=5.0501)]
    shown = decisions.facts(rows)
    assert [name.replace("\n", " ") for name in shown.header] == [
        *("Lesson", "Task", "Times seen", "Lessons since", "Times back"),
        *("Gradient norm", "Cosine", "Drift"),
    ]
    assert shown.rows == (
        ("1", "tomi", "1", "2", "0", "–", "–", "–"),
        ("2", "tomi", "1", "2", "0", "5.05", "−0.250", "0.02"),
    )


def test_every_fact_of_a_probe_has_a_name_or_is_no_fact():
    assert set(types.Probe._fields) - set(decisions.FACTS) == {"lesson_number", "draw"}


def test_a_run_before_trials_and_measured_facts_is_shown_too():
    row = _lesson(())
    del row["trials"]
    row["probe"] = {"times_seen": 0, "lessons_since": 0, "lesson_number": 0}
    del row["decision"]["trials"]
    assert decisions.trials([row]).rows == ()
    assert decisions.facts([row]).rows == (("1", "tomi", "0", "0"),)
    assert table.lessons([row]).rows[0][2] == "no channel"
