import json

import pytest

from fastslow import artifacts, types
from fastslow.streams import errors, short_answers


@pytest.fixture
def wheel(monkeypatch):
    """Serve one member from memory; returns the function that sets its rows."""
    content = {}

    def put(rows):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        content["evals", "evals/registry/data/toy/rows.jsonl"] = "\n".join(lines).encode()

    monkeypatch.setattr(artifacts, "read_member", lambda name, member: content[name, member])
    return put


def row(question, ideal, system="Be brief."):
    turns = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return {"input": turns, "ideal": ideal}


def test_rows_become_examples_with_the_system_prompt_apart(wheel):
    wheel([row(" Is it? ", "Yes"), row("Or\u2028not?", ["No", "Nope", "Not"])])
    assert short_answers.evals_registry("toy/rows") == (
        "Be brief.",
        (
            types.Example("toy-0", "Is it?", "Yes"),
            types.Example("toy-1", "Or\u2028not?", "No", metadata={"accepted": "Nope\nNot"}),
        ),
    )


def test_rows_without_a_system_prompt_have_no_instruction(wheel):
    wheel([{"input": [{"role": "user", "content": "Where?"}], "ideal": "here"}])
    assert short_answers.evals_registry("toy/rows").instruction == ""


def test_several_system_prompts_are_no_instruction(wheel):
    wheel([row("a", "b"), row("c", "d", system="Be long.")])
    with pytest.raises(errors.StreamError, match="2 system prompts"):
        short_answers.evals_registry("toy/rows")


def test_reviews_are_those_of_rotten_tomatoes():
    instruction, examples = short_answers.rotten_tomatoes()
    assert instruction == ""
    assert len(examples) == 8530
    assert {example.target for example in examples} == {"positive", "negative"}
    assert examples[0].target == "positive"
    assert examples[0].input.startswith("the rock is destined to be the 21st century's new")
