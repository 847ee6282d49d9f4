from fastslow import streams, types
from tests.streams import decisions_test


def test_what_was_right_becomes_wrong_on_the_same_inputs():
    tasks = streams.build("conflicting", {"skill": "heart_disease"}).tasks
    assert list(tasks) == ["heart_disease_before", "heart_disease_after"]
    before, after = tasks.values()
    assert before.test[0].target == {"sick": "healthy", "healthy": "sick"}[after.test[0].target]
    for old, new in zip(before.test, after.test, strict=True):
        assert old.input == new.input
        assert before.scorer(old.target, old).value == 1.0
        assert after.scorer(old.target, new).value == 0.0
    decisions_test.check_no_training_item_is_tested(tasks)
    assert not {e.id for e in before.train} & {e.id for e in after.train}


def test_both_are_evaluated_throughout_and_repeats_reverse_again():
    stream = streams.build(
        "conflicting", {"skill": "food", "lessons_per_task": 1, "repeats": 2, "test": 20}
    )
    taught = [e.task_name for e in stream.events() if isinstance(e, types.Lesson)]
    assert taught == ["food_before", "food_after"] * 2
    for event in stream.events():
        if isinstance(event, types.EvaluationPoint):
            assert event.tasks == ("food_before", "food_after")
