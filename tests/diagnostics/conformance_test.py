"""What every diagnostic must do, whatever it looks at."""

import dataclasses
import io
import json

import pytest
import rich.console

from fastslow import cache, diagnostics
from fastslow.diagnostics import probing
from fastslow.report import records, table

SMALL = {"plasticity": {"steps": 2, "every": 1, "problems": 2, "seeds": 2, "demonstrations": 2}}
FREE = {"misallocation"}  # reads records only


def ask(run, name, **options):
    (answer,) = probing.probe(run, [name], options={name: SMALL.get(name, {})}, **options)
    assert answer.problem == ""
    return answer


@pytest.fixture(params=diagnostics.DIAGNOSTICS)
def name(request):
    return request.param


def test_answers_in_strict_json_that_says_what_it_is(run, name):
    answer = ask(run, name)
    text = (run / "diagnostics" / f"{name}.json").read_text()
    content = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert content == answer.content
    assert content["diagnostic"] == name
    assert (content["event"], content["seed"]) == (5, 3)
    assert {"jax", "numpy"} <= set(content["versions"])
    assert "items" in content["reads"]
    assert content["cost"]["seconds"] > 0
    assert (content["cost"]["prompt_tokens"] > 0) == (name not in FREE)
    assert content["values"]


def test_second_call_uses_what_is_there_and_force_finds_the_same(run, name, tmp_path, monkeypatch):
    first = ask(run, name)
    again = ask(run, name)
    assert again.reused
    assert again.content == first.content
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path))  # nothing is recalled from there
    forced = ask(run, name, force=True)
    assert not forced.reused
    values, before = (records.comparable(a.content["values"]) for a in (forced, first))
    assert values == before


def test_another_event_has_a_file_of_its_own(run):
    ask(run, "representation")
    early = ask(run, "representation", event=3)
    assert early.content["event"] == 3
    assert json.loads((run / "diagnostics" / "3" / "representation.json").read_text())["event"] == 3
    assert json.loads((run / "diagnostics" / "representation.json").read_text())["event"] == 5


def test_other_options_are_another_question(run):
    ask(run, "representation")
    options = {"representation": {"examples": 2}}
    (answer,) = probing.probe(run, ["representation"], options=options)
    assert not answer.reused
    assert answer.content["options"] == {"examples": 2, "threshold": 0.1}


def test_shows_tables_that_can_be_read(run, name):
    answer = ask(run, name)
    assert answer.tables
    for shown in answer.tables:
        widths = {len(row) for row in (shown.header, *shown.rows)}
        assert widths == {len(shown.header)}
        assert shown.rows
    console = rich.console.Console(file=io.StringIO(), width=80)
    table.show(answer.tables, console)
    assert "nan" not in console.file.getvalue()


def test_documents_itself_and_its_options(name):
    assert dict(diagnostics.DIAGNOSTICS.describe())[name].endswith(".")
    made = diagnostics.DIAGNOSTICS.get(name)
    assert made.__dataclass_params__.frozen
    for field in dataclasses.fields(made):
        assert field.name in made.__doc__ or field.name in ("steps", "validation", "test", "split")
