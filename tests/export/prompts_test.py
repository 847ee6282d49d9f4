"""Prompts as plain DSPy reads them."""

import dspy
import pytest

from fastslow import types
from fastslow.export import contracts, prompts
from fastslow.fast import dspy_bridge
from fastslow.fast import prompt as prompt_lib
from tests.export import samples


def learned(**by_task):
    model = samples.load("qwen2")
    return samples.learned(model)._replace(prompts=by_task)


def test_program_loads_in_plain_dspy(tmp_path):
    prompts.prompts(learned(late=samples.PROMPT), tmp_path)
    predict = dspy.Predict("input -> output")
    predict.load(tmp_path / "late.json")
    instructions = "Answer in one word.\nNo more.\n\n- Never say maybe."
    assert predict.signature.instructions == instructions
    assert [dict(demo) for demo in predict.demos] == [
        {"input": "Is it late?", "output": "yes"},
        {"input": 'Is it "early"?\n', "output": "no"},
    ]
    chat = dspy_bridge.PlainAdapter().format(predict.signature, predict.demos, {"input": "Now?"})
    assert chat == [m._asdict() for m in prompt_lib.messages(samples.PROMPT, "Now?")]
    marked = dspy.ChatAdapter().format(predict.signature, predict.demos, {"input": "Now?"})
    assert "Never say maybe." in marked[0]["content"]
    assert "Is it late?" in marked[1]["content"]


def test_every_task_has_both_forms_and_markdown_is_exact(tmp_path):
    exact = types.Prompt("  two \n\n\n spaces  ")
    prompts.prompts(learned(one=exact, two=types.Prompt()), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "one.json", "one.md", "two.json", "two.md"
    }  # fmt: skip
    assert prompt_lib.from_markdown((tmp_path / "one.md").read_text()) == exact
    predict = dspy.Predict("input -> output")
    predict.load(tmp_path / "two.json")
    assert not predict.signature.instructions.strip()
    assert predict.demos == []


def test_text_that_dspy_cannot_store_names_the_task(tmp_path):
    broken = types.Prompt("", (types.Demo("half a pair: \ud800", "x"),))
    with pytest.raises(contracts.ExportError, match="task 'odd' cannot be a DSPy program"):
        prompts.prompts(learned(odd=broken), tmp_path)
