from fastslow import types
from fastslow.fast import prompt as prompts
from fastslow.report import prompt_files
from fastslow.report.page import versions

NORTH, SOUTH, EAST = (types.Demo(f"{name}?", name) for name in ("north", "south", "east"))


def _file(instruction, demos=(), lessons=()):
    return prompts.to_markdown(types.Prompt(instruction, tuple(demos), tuple(lessons)))


def _marks(parts):
    sign = {"added": "+", "removed": "-", "kept": " "}
    return {
        part.title: [sign[change.mark] + "|".join(change.parts) for change in part.changes]
        for part in parts
    }


def test_lines_demonstrations_and_lessons_are_marked():
    before = _file("Answer.\nBe brief.", [NORTH, SOUTH], ["No sentences."])
    after = _file("Answer with one word.\nBe brief.", [NORTH, EAST])
    parts = versions.compare(before, after)
    assert _marks(parts) == {
        "Instruction": ["-Answer.", "+Answer with one word.", " Be brief."],
        "Demonstrations": [" north?|north", "-south?|south", "+east?|east"],
        "Lessons": ["-No sentences."],
    }
    assert versions.summary(parts) == "instruction +1 −1, demonstrations +1 −1, lessons −1"


def test_the_new_version_can_be_read_off_the_marks():
    before, after = _file("a\nb\nc", [NORTH, EAST]), _file("c\nb\nd", [EAST, SOUTH, NORTH])
    kept = {
        part.title: [change.parts for change in part.changes if change.mark != "removed"]
        for part in versions.compare(before, after)
    }
    assert kept["Instruction"] == [("c",), ("b",), ("d",)]
    assert kept["Demonstrations"] == [EAST, SOUTH, NORTH]


def test_a_file_that_is_no_prompt_is_compared_by_lines():
    broken = "## Instruction\n\nAnswer.\n\n## Demonstration 1\n"
    marks = _marks(versions.compare(broken, broken + "more"))
    assert marks["Text"][:3] == [" ## Instruction", " ", " Answer."]
    assert marks["Text"][-1] == "+more"
    same_words = versions.compare("Answer.", "Answer.\n\n")
    assert versions.summary(same_words) == "blank space only"


def _prompt(event, number, text, score, task="b"):
    return prompt_files.PromptFile(task, event, number, text, score)


ROWS = [
    {"kind": "evaluation", "event": 0, "scores": {"b": 0.0, "a": 0.1}},
    {"kind": "lesson", "event": 1, "task": "b"},
    {"kind": "evaluation", "event": 2, "scores": {"b": 0.5}},
    {"kind": "lesson", "event": 3, "task": "a"},
    {"kind": "evaluation", "event": 4, "scores": {"b": 0.25, "a": 0.2}},
]


def test_a_version_is_told_where_the_best_prompt_changes():
    first, second, other = _file("one"), _file("two"), _file("three")
    found = [
        _prompt(0, 0, first, None, "a"),
        _prompt(0, 0, first, None),
        _prompt(2, 0, first, 0.5),
        _prompt(4, 0, second, 0.75),
        _prompt(4, 1, other, 0.5),
        _prompt(6, 0, other, 0.5),  # of an evaluation that was not recorded: the run was killed
    ]
    told = versions.evolution(found, ROWS)
    assert list(told) == ["b", "a"]  # as in the records
    old, new = told["b"]
    assert (old.lessons, old.reward, old.score, old.difference) == (0, "–", "0.000", "the first")
    assert {change.mark for part in old.parts for change in part.changes} == {"kept"}
    assert (new.lessons, new.reward, new.score) == (2, "0.750", "0.250")
    assert new.difference == "instruction +1 −1"
    assert new.others == (("0.500", other),)
