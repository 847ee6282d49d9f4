"""A toy task and a toy policy: rules on words, which the model follows if the prompt shows them."""

from __future__ import annotations

import random
import re

import numpy as np

from fastslow import types

RULES = {"upper": str.upper, "reverse": lambda word: word[::-1], "double": lambda word: word + word}
SEED = types.Prompt("Transform the word.")


def examples(count, seed, name="toy"):
    rng = random.Random(seed)
    made = []
    for number in range(count):
        rule = list(RULES)[number % len(RULES)]
        word = "".join(rng.choice("abcdefghij") for _ in range(6))
        made.append(types.Example(f"{name}-{seed}-{number}", f"{rule} {word}", RULES[rule](word)))
    return tuple(made)


def score(prediction, example):
    if prediction == example.target:
        return types.Score(1.0, "correct")
    rule = example.input.split()[0]
    return types.Score(0.0, f"rule {rule} was not followed")


def task(name="toy", seed=0):
    return types.Task(
        name,
        train=examples(48, seed + 1, name),
        validation=examples(12, seed + 2, name),
        test=examples(12, seed + 3, name),
        scorer=score,
        seed_prompt=SEED,
    )


def lesson(task, index=0, count=48):
    return types.Lesson(index, task.name, task.train[:count])


class Policy:
    """Follows a rule iff a demonstration or the system text names it; counts what it is asked."""

    def __init__(self, version="w0", refuses=()):
        self.version = version
        self.batches = []
        self.queries = []
        self._refuses = refuses

    def complete(self, queries, *, temperature, max_tokens):
        self.batches.append(len(queries))
        self.queries += queries
        answers = [self._answer(query.messages) for query in queries]
        return [_completion(a) for a in answers], types.Cost(prompt_tokens=10 * len(queries))

    def _answer(self, messages):
        earlier = " ".join(m.content for m in messages[:-1] if m.role != "assistant")
        asked = re.fullmatch(r"(\w+) (\w+)", messages[-1].content)
        if asked is None or asked[1] not in RULES or asked[1] in self._refuses:
            return "what?"
        return RULES[asked[1]](asked[2]) if re.search(rf"\b{asked[1]}\b", earlier) else "dunno"


def _completion(text):
    tokens = np.arange(3, dtype=np.int32)
    return types.Completion(text, tokens, np.zeros(3, np.float32), True)
