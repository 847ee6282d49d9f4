import collections
import itertools

from fastslow import streams
from tests.streams import decisions_test

OPTIONS = {"skill": "heart_disease", "conventions": "letters,label", "skills": "heart_disease,food"}


def test_tasks_say_whether_they_are_conventions_or_skills():
    tasks = streams.build("mixed", OPTIONS).tasks
    assert {name: task.kind for name, task in tasks.items()} == {
        "heart_disease_letters": "convention",
        "heart_disease_label": "convention",
        "heart_disease": "skill",
        "food": "skill",
    }


def test_a_skill_that_is_in_both_halves_is_split_once():
    decisions_test.check_no_training_item_is_tested(streams.build("mixed", OPTIONS).tasks)


def test_only_skills_are_told_how_to_answer():
    tasks = streams.build("mixed", OPTIONS).tasks
    assert "LABEL" not in tasks["heart_disease_label"].seed_prompt.instruction
    assert "True" in tasks["food"].seed_prompt.instruction


def test_lessons_of_both_kinds_are_mixed_by_the_order_seed():
    options = {**OPTIONS, "lessons_per_task": 3}
    plans = [streams.build("mixed", options, order_seed=n).plan for n in range(4)]
    tasks = streams.build("mixed", OPTIONS).tasks
    assert collections.Counter(plans[0]) == dict.fromkeys(tasks, 3)
    assert len(set(plans)) == 4
    runs = [sum(a != b for a, b in itertools.pairwise(plan)) for plan in plans]
    assert min(runs) > 4  # three changes would be one block per task
    assert plans[0] == streams.build("mixed", options, order_seed=0, seed=9).plan
