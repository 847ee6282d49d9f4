import itertools

import pytest

from fastslow import registry, streams
from fastslow.streams import conventions, decisions, errors
from tests.streams import decisions_test


def build(**options):
    return streams.build("conventions", {"skill": "heart_disease", **options}).tasks


def test_segments_are_the_same_inputs_under_other_answers():
    tasks = build(conventions="words,letters,label")
    assert list(tasks) == [f"heart_disease_{name}" for name in ("words", "letters", "label")]
    words, letters, label = tasks.values()
    assert [e.id for e in words.test] == [e.id for e in letters.test] == [e.id for e in label.test]
    renamed = {"sick": "A", "healthy": "B"}
    assert [renamed[e.target] for e in words.test] == [e.target for e in letters.test]
    assert {e.target for e in label.train} == {"LABEL: pos", "LABEL: neg"}
    assert {task.kind for task in tasks.values()} == {"convention"}


def test_no_item_is_taught_in_two_forms_or_tested_after_being_taught():
    tasks = build()
    decisions_test.check_no_training_item_is_tested(tasks)
    taught = [{e.id for e in task.train} for task in tasks.values()]
    assert not any(a & b for a, b in itertools.combinations(taught, 2))
    assert sum(map(len, taught)) == 820 - 64 - 128  # balanced, less validation and test


def test_one_seed_prompt_gives_no_form_away():
    prompts = {task.seed_prompt for task in build().values()}
    assert len(prompts) == 1
    text = prompts.pop().instruction
    for name in (conventions.WORDS, *conventions.CONVENTIONS):
        for answer in conventions.answers(name, "heart_disease"):
            assert f" {answer} " not in f" {text.replace('.', ' ')} "


def test_the_form_is_told_on_request():
    for task in build(reveal=True).values():
        for answer in task.test[0].choices:
            assert answer in task.seed_prompt.instruction


@pytest.mark.parametrize("skill", decisions.DECISIONS)
def test_no_answer_is_the_beginning_of_another(skill):
    every = {
        answer.casefold()
        for name in (conventions.WORDS, *conventions.CONVENTIONS)
        for answer in conventions.answers(name, skill)
    }
    assert not [(a, b) for a, b in itertools.permutations(every, 2) if b.startswith(a)]


def test_an_unknown_convention_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'letters'"):
        build(conventions="leters")


@pytest.mark.parametrize("named", ["letters,words,letters", ("letters", "letters")])
def test_a_convention_named_twice_is_refused(named):
    with pytest.raises(errors.StreamError, match="named once each, got letters"):
        build(conventions=named)
