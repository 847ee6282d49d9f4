"""Flip-flop language modelling: remember one bit, whatever stands between.

Liu, Ash, Goel, Krishnamurthy and Zhang, "Exposing Attention Glitches with Flip-Flop Language
Modeling", arXiv 2306.00946: instructions w (write), r (read) and i (ignore), each followed by a
bit. The first is w, the last is r; the others are i with probability p, else w or r alike. Bits
after w and i are fair coins, a bit after r is the one last written. Attention that is trained at
p = 0.8 fails now and then on sparse (0.98) and dense (0.1) strings. Theirs have 256 instructions;
here they are short, and only the last bit is asked for.
"""

from __future__ import annotations

import functools

import numpy as np

from fastslow import seeds, types
from fastslow.evaluation import scorers
from fastslow.streams import errors, generated, schedule, skills, splits
from fastslow.streams import tasks as task_makers

NAME = "flip_flop"
INSTRUCTION = (
    "w writes a bit, i is to be ignored, r reads the bit written last. Answer with the bit that the"
    " last r reads."
)
BITS = ("0", "1")


def _tasks(
    length: int = 16,
    ignore: float = 0.8,
    sparse: float = 0.98,
    dense: float = 0.1,
    train: int = 512,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """Flip-flop strings: read the bit written last; sparser and denser ones are only tested.

    `length` is the number of instructions; `ignore`, `sparse` and `dense` are the probabilities of
    i in the three tasks, of which `taught` names those to teach. Both bits are equally frequent in
    test and validation; no string is in two tasks. Items are drawn from `split_seed`. Raises
    StreamError for impossible options.
    """
    if length < 2:
        raise errors.StreamError(f"length must be at least 2 (a write and a read), got {length}")
    probabilities = {NAME: ignore, f"{NAME}_sparse": sparse, f"{NAME}_dense": dense}
    taken: set[str] = set()
    tasks = []
    for name, probability in probabilities.items():
        if not 0 <= probability <= 1:
            raise errors.StreamError(f"{name}: {probability} is no probability")
        draw = functools.partial(string, length=length, ignore=probability)
        size = train + validation + test
        seed = seeds.derive(split_seed, NAME, name)
        items = generated.distinct(name, draw, size, seed, taken)
        parts = splits.stratified(items, validation=validation, test=test, seed=split_seed)
        prompt = types.Prompt(INSTRUCTION)
        tasks.append(types.Task(name, *parts, scorers.exact_match, prompt, kind=skills.KIND))
    return tasks


stream = schedule.scheduled(_tasks, taught=(NAME,))


def string(rng: np.random.Generator, length: int, ignore: float) -> types.Example:
    """Draw a string of `length` instructions with its last bit as the target."""
    written = rng.choice(BITS)
    steps = [f"w {written}"]
    for _ in range(length - 2):
        kind = rng.choice(("i", "w", "r"), p=(ignore, (1 - ignore) / 2, (1 - ignore) / 2))
        bit = written if kind == "r" else rng.choice(BITS)
        written = bit if kind == "w" else written
        steps.append(f"{kind} {bit}")
    return types.Example("", " ".join([*steps, "r"]), str(written), BITS)
