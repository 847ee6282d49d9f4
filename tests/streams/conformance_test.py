"""What holds for every stream, whoever wrote it."""

import itertools
import json

import pytest

from fastslow import registry, streams, types
from fastslow.streams import splits
from tests.streams import fake_gym

FEW = {"lessons_per_task": 2, "examples_per_lesson": 8}
SPECS = {
    "evals_short": ("evals_short", {}),
    "evals_short, all sets": ("evals_short:quartz,locations", {}),
    "conventions": ("conventions", {}),
    "skills": ("skills", {}),
    "skills, unbalanced": ("skills", {"skills": "food,heart_disease", "balanced": False}),
    "mixed": ("mixed", {"skill": "heart_disease", "skills": "food"}),
    "conflicting": ("conflicting", {"skill": "heart_disease", "convention": "label"}),
    "recurring": ("recurring", {"tasks": "food,word_class,heart_disease"}),
    "recurring conventions": ("recurring:conventions", {"conventions": "letters,truth,digits"}),
    "pi_llm": ("pi_llm", {}),
    "pi_lessons": ("pi_lessons", {}),
    "flip_flop": ("flip_flop", {"train": 64}),
    "jsonl": ("jsonl", {}),  # `path` is added below
    "reasoning_gym": ("reasoning_gym:sums,raising", {"train": 40}),
    "of one's own": ("tests.streams.readme_stream:sums", {}),
}


@pytest.fixture(params=SPECS)
def build(request, tmp_path, monkeypatch):
    """A function that builds the stream under test with further options."""
    fake_gym.install(monkeypatch)
    spec, options = SPECS[request.param]
    if spec == "jsonl":
        options = {"path": str(write_folder(tmp_path))}

    def build(seed=0, order_seed=0, **further):
        chosen = {**FEW, **options, **further}
        return streams.build(spec, chosen, seed=seed, order_seed=order_seed)

    build.name = streams.resolve(spec)[0]
    return build


def write_folder(folder):
    """Write two tasks of twelve training items each."""
    for task in ("colours", "shapes"):
        (folder / task).mkdir()
        (folder / task / "prompt.md").write_text("One word.")
        for split, size in {"train": 12, "validation": 3, "test": 3}.items():
            rows = [{"input": f"{task} {split} {n}", "target": str(n)} for n in range(size)]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / task / f"{split}.jsonl").write_text(text)
    return folder


def lessons(stream):
    return [event for event in stream.events() if isinstance(event, types.Lesson)]


def test_every_registered_stream_is_tested_here():
    assert set(streams.STREAMS) <= {streams.resolve(spec)[0] for spec, _ in SPECS.values()}


def test_documents_itself(build):
    text = streams.STREAMS.get(build.name).__doc__
    assert text is not None
    assert text.strip().partition("\n")[0].endswith(".")


def test_same_seed_same_stream(build):
    first, second = build(seed=3), build(seed=3)
    assert first.tasks.keys() == second.tasks.keys()
    for a, b in zip(first.tasks.values(), second.tasks.values(), strict=True):
        assert (a.train, a.validation, a.test) == (b.train, b.validation, b.test)
    assert list(first.events()) == list(second.events()) == list(first.events())


def test_another_seed_other_lessons_same_splits(build):
    first, second = build(seed=3), build(seed=4)
    assert lessons(first) != lessons(second)
    for a, b in zip(first.tasks.values(), second.tasks.values(), strict=True):
        assert (a.train, a.test) == (b.train, b.test)


def test_order_seed_changes_nothing_but_the_order(build):
    orders = [build(order_seed=n, order="shuffled") for n in (0, 1, 3)]
    assert len({tuple(stream.tasks) for stream in orders}) > 1
    taught = [
        {
            name: [e.examples for e in lessons(stream) if e.task_name == name]
            for name in stream.tasks
        }
        for stream in orders
    ]
    assert all(by_task == taught[0] for by_task in taught)


def test_events_are_numbered_from_0(build):
    indices = [event.index for event in build().events()]
    assert indices == list(range(len(indices)))


def test_tasks_go_by_their_names_and_have_all_parts(build):
    for name, task in build().tasks.items():
        assert task.name == name
        assert len(task.train)
        assert len(task.validation)
        assert len(task.test)
        assert task.seed_prompt.instruction.strip()


def test_splits_are_disjoint_by_id_and_by_text(build):
    for task in build().tasks.values():
        for a, b in itertools.combinations((task.train, task.validation, task.test), 2):
            assert not {e.id for e in a} & {e.id for e in b}
            assert not set(map(splits.normalised_input, a)) & set(map(splits.normalised_input, b))


def test_ids_are_unique(build):
    for task in build().tasks.values():
        ids = [e.id for e in (*task.train, *task.validation, *task.test)]
        assert len(ids) == len(set(ids))


def test_lessons_are_training_items(build):
    stream = build()
    for lesson in lessons(stream):
        assert len(lesson.examples) == FEW["examples_per_lesson"]
        assert set(map(repr, lesson.examples)) <= set(
            map(repr, stream.tasks[lesson.task_name].train)
        )


def test_everything_is_evaluated_first_and_last(build):
    stream = build()
    first, *_, last = stream.events()
    for event in (first, last):
        assert isinstance(event, types.EvaluationPoint)
        assert event.tasks == tuple(stream.tasks)


def test_the_target_is_right_and_junk_is_wrong(build):
    for task in build().tasks.values():
        for example in (*task.train[:5], *task.test):
            assert task.scorer(example.target, example).value == 1.0
            for junk in ("", "I do not know.", f"{example.target} or {example.target}"):
                value, feedback = task.scorer(junk, example)
                assert 0.0 <= value < 1.0
                assert feedback


def test_an_unknown_option_suggests_the_nearest(build):
    with pytest.raises(registry.UnknownNameError, match="did you mean 'lessons_per_task'"):
        build(lesson_per_task=3)
