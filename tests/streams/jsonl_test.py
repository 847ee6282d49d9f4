import json

import pytest

from fastslow import streams, types
from fastslow.streams import errors, jsonl

GOOD = {
    "train": [{"input": "2 + 2 =", "target": "4"}, {"input": "2 + 3 =", "target": "5"}],
    "validation": [{"input": "3 + 3 =", "target": "6"}],
    "test": [{"input": "4 + 4 =", "target": "8"}],
}


def write(folder, splits, prompt=None):
    folder.mkdir(exist_ok=True)
    for name, rows in splits.items():
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    if prompt is not None:
        (folder / "prompt.md").write_text(prompt)
    return folder


def read(folder):
    return streams.build(str(folder)).tasks


def test_a_folder_with_the_files_is_one_task(tmp_path):
    tasks = read(write(tmp_path / "sums", GOOD))
    assert list(tasks) == ["sums"]
    assert tasks["sums"].train == (
        types.Example("train-1", "2 + 2 =", "4"),
        types.Example("train-2", "2 + 3 =", "5"),
    )
    assert tasks["sums"].test[0].target == "8"
    assert tasks["sums"].seed_prompt == types.Prompt()


def test_subfolders_are_tasks_in_alphabetical_order(tmp_path):
    for name in "dbfaec":
        write(tmp_path / name, GOOD)
    (tmp_path / "notes").mkdir()
    assert list(read(tmp_path)) == list("abcdef")


def test_all_fields(tmp_path):
    row = {
        "id": "q1",
        "input": "Is it?",
        "target": "Yes",
        "choices": ["Yes", "No"],
        "metadata": {"accepted": "Sure"},
    }
    task = read(write(tmp_path / "t", {**GOOD, "test": [row]}))["t"]
    assert task.test == (types.Example("q1", "Is it?", "Yes", ("Yes", "No"), {"accepted": "Sure"}),)
    assert task.scorer("Sure", task.test[0]).value == 1.0


def test_blank_lines_a_byte_order_mark_and_line_separators_in_texts_do_no_harm(tmp_path):
    folder = write(tmp_path / "t", GOOD)
    (folder / "test.jsonl").write_bytes(
        '\ufeff\n{"input": "one\u2028two", "target": "x"}\n\n'.encode()
    )
    assert [e.input for e in read(folder)["t"].test] == ["one\u2028two"]


def test_prompt_md_is_the_seed_prompt(tmp_path):
    write(tmp_path / "plain", GOOD, prompt="Answer with a number.\n")
    markdown = "## Instruction\n\nAdd.\n\n## Demonstration 1\n\n### Input\n\n1 + 1 =\n\n"
    write(tmp_path / "rich", GOOD, prompt=markdown + "### Output\n\n2\n")
    tasks = read(tmp_path)
    assert tasks["plain"].seed_prompt == types.Prompt("Answer with a number.")
    assert tasks["rich"].seed_prompt == types.Prompt("Add.", (types.Demo("1 + 1 =", "2"),))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "not JSON"),
        ("[1]", "expected an object"),
        ("[" * 5000, "not JSON that can be read"),
        ('{"input": ' + "9" * 5000, "not JSON that can be read"),
        ({"input": "\ud800", "target": "x"}, r'field \'input\' must be valid .*got "\\ud800"'),
        ({"input": "x", "target": "y", "id": "\ud800"}, "'id' must be valid Unicode"),
        ({"input": "x", "target": "y", "choices": ["y", "\ud800"]}, "'choices' must be valid"),
        ({"input": "x", "target": "y", "metadata": {"\ud800": "n"}}, "'metadata' must be valid"),
        ({"input": "x", "target": ["\ud800"]}, "'target' must be a text"),
        ({"target": "x"}, "field 'input' is missing"),
        ({"input": "x"}, "field 'target' is missing"),
        ({"input": 3, "target": "x"}, "field 'input' must be a text, got 3"),
        ({"input": "x", "target": None}, "field 'target' must be a text, got null"),
        ({"input": " ", "target": "x"}, "field 'input' must be a text that is not blank"),
        ({"input": "x", "target": ""}, "field 'target' must be a text that is not blank"),
        ({"input": "x", "target": "y", "id": 7}, "field 'id' must be a text, got 7"),
        ({"input": "x", "target": "y", "choices": "y"}, "field 'choices' must be a list of texts"),
        ({"input": "x", "target": "y", "choices": [1]}, "field 'choices' must be a list of texts"),
        ({"input": "x", "target": "y", "choices": ["z"]}, "'y' is not among the choices"),
        ({"input": "x", "target": "y", "metadata": []}, "'metadata' must be an object of texts"),
        (
            {"input": "x", "target": "y", "metadata": {"n": 1}},
            "'metadata' must be an object of texts",
        ),
        ({"input": "x", "target": "y", "choicse": ["y"]}, "did you mean 'choices'"),
        ({"input": "2 + 2 =", "target": "4"}, "'input' is the same as in .*train.jsonl, line 1"),
        ({"input": "x", "target": "y", "id": "train-2"}, "'id' 'train-2' is taken by .*line 2"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, line, message):
    good = {"input": "5 + 5 =", "target": "10"}
    folder = write(tmp_path / "t", {**GOOD, "validation": [good, line]})
    with pytest.raises(errors.StreamError, match=message) as caught:
        read(folder)
    assert "validation.jsonl, line 2" in str(caught.value)


def test_the_same_id_twice_in_one_split_is_refused(tmp_path):
    rows = [{"id": "same", "input": text, "target": "x"} for text in ("a", "b")]
    with pytest.raises(errors.StreamError, match=r"train.jsonl, line 2: field 'id' 'same'"):
        read(write(tmp_path / "t", {**GOOD, "train": rows}))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_empty_split_is_refused(tmp_path, split):
    with pytest.raises(errors.StreamError, match=rf"{split}.jsonl: no examples"):
        read(write(tmp_path / "t", {**GOOD, split: ["", " "]}))


def test_a_missing_split_is_refused(tmp_path):
    folder = write(tmp_path / "t", GOOD)
    (folder / "validation.jsonl").rename(folder / "val.jsonl")
    with pytest.raises(
        errors.StreamError,
        match=r"validation.jsonl: no such file .found: test.jsonl, train.jsonl, val.jsonl",
    ):
        read(folder)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    folder = write(tmp_path / "t", GOOD)
    (folder / "train.jsonl").write_bytes(b'{"input": "caf\xe9", "target": "x"}')
    with pytest.raises(errors.StreamError, match=r"train.jsonl: not UTF-8"):
        read(folder)


def test_a_prompt_that_cannot_be_read_is_named(tmp_path):
    folder = write(tmp_path / "t", GOOD, prompt="## Demonstration 1\n\n### Input\n\nonly half\n")
    with pytest.raises(errors.StreamError, match=r"prompt.md: "):
        read(folder)


def test_a_path_that_cannot_be_looked_up_or_listed_is_named(tmp_path, monkeypatch):
    with pytest.raises(errors.StreamError, match=r"cannot read .*File name too long"):
        jsonl.stream(path="x" * 5000)

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    folder = write(tmp_path / "t", GOOD)
    with pytest.raises(errors.StreamError, match=f"cannot read {folder}: Permission denied"):
        jsonl.stream(path=str(folder))


def test_a_folder_without_data_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(errors.StreamError, match=r"no train.jsonl .*found: notes.txt"):
        read(tmp_path)


def test_a_folder_that_is_a_task_and_holds_others_is_refused(tmp_path):
    folder = write(tmp_path / "mine", GOOD)
    write(folder / "older", GOOD)
    with pytest.raises(errors.StreamError, match=r"mine is a task and holds others \(older\)"):
        read(folder)


def test_a_prompt_beside_no_task_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine" / "one", GOOD)
    (tmp_path / "mine" / "prompt.md").write_text("Answer with a number.")
    with pytest.raises(errors.StreamError, match=r"mine/prompt.md is beside no task"):
        read(tmp_path / "mine")
