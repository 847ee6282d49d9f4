"""The other side of interop.py: read one exported case without fastslow, and print JSON.

Runs in the environment that interop.py makes: torch, transformers, peft, dspy.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import dspy
import numpy as np
import peft
import torch
import transformers

ADDED = {"input": "It's 2024, isn't it? And 12 + 345?"}


def load(directory: pathlib.Path) -> transformers.PreTrainedModel:
    return transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)


def logits(model: torch.nn.Module, tokens: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(torch.tensor(tokens[None])).logits[0].numpy()


def differences(case: pathlib.Path, ours: Any) -> dict[str, float]:
    tokens = ours["tokens"]
    bound = peft.PeftModel.from_pretrained(load(case / "base"), case / "adapter")
    found = {
        "base": logits(load(case / "base"), tokens) - ours["base"],
        "peft": logits(bound, tokens) - ours["trained"],
        "merged": logits(load(case / "merged"), tokens) - ours["trained"],
    }
    return {name: float(np.abs(difference).max()) for name, difference in found.items()}


def tokenizer_problems(case: pathlib.Path, tokens: list[int], expected: Any) -> list[str]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(case / "merged")
    theirs = tokenizer.apply_chat_template(
        expected["messages"], add_generation_prompt=True, enable_thinking=False, return_dict=False
    )
    stops = transformers.GenerationConfig.from_pretrained(case / "merged").eos_token_id
    problems = [] if theirs == tokens else ["tokens of the conversation"]
    return problems + ([] if sorted(stops) == expected["stops"] else ["stop tokens"])


def program_problems(path: pathlib.Path, expected: Any) -> list[str]:
    predict = dspy.Predict("input -> output")
    predict.load(path)
    chat = dspy.ChatAdapter().format(predict.signature, predict.demos, ADDED)
    seen = {
        "instructions": " ".join(predict.signature.instructions.split()),
        "demos": [dict(demo) for demo in predict.demos],
        "chat": chat,
    }
    problems = [f"{path.name}: {what}" for what in seen if seen[what] != expected[what]]
    text = " ".join(" ".join(message["content"] for message in chat).split())
    shown = (expected["instructions"], *(demo["input"] for demo in expected["demos"]))
    missing = [words for words in shown if " ".join(words.split()) not in text]
    return problems + [f"{path.name}: {words!r} is not rendered" for words in missing]


def main(case: pathlib.Path) -> None:
    ours = np.load(case / "ours.npz")
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    problems = tokenizer_problems(case, ours["tokens"].tolist(), expected)
    for task, program in expected["programs"].items():
        problems += program_problems(case / "prompts" / f"{task}.json", program)
    print(json.dumps({"differences": differences(case, ours), "problems": problems}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
