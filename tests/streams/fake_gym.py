"""A stand-in for the package reasoning_gym: the parts that the adapter touches."""

import sys
import types as builtin_types


class Dataset:
    """Sums; a subclass per way in which the verifiers of the real package misbehave."""

    def __init__(self, size, seed):
        self.size, self.seed = size, seed

    def __len__(self):
        return self.size

    def __getitem__(self, row):
        a, b = row + 1, self.seed + row // 2
        return {"question": f"{a} + {b} = ", "answer": str(a + b), "metadata": {}}

    def score_answer(self, answer, entry):
        return 1.0 if answer == entry["answer"] else 0.5


class RaisesOnJunk(Dataset):
    def score_answer(self, answer, entry):
        return float(int(answer) == int(entry["answer"]))


class PassesJunk(Dataset):
    def score_answer(self, answer, entry):
        return 1.0


class WithoutReference(Dataset):
    def __getitem__(self, row):
        return {**super().__getitem__(row), "answer": None}


class Repetitive(Dataset):
    def __getitem__(self, row):
        return super().__getitem__(row - row % 2)


class Unconfigured(Dataset):
    def __init__(self, size, seed):
        raise AssertionError("must name its parts")


DATASETS = {
    "sums": Dataset,
    "raising": RaisesOnJunk,
    "lenient": PassesJunk,
    "unanswered": WithoutReference,
    "repetitive": Repetitive,
    "unconfigured": Unconfigured,
    "word_ladder": Dataset,
}


def install(monkeypatch):
    """Let `import reasoning_gym` find the stand-in."""
    module = builtin_types.ModuleType("reasoning_gym")
    module.factory = builtin_types.SimpleNamespace(DATASETS=DATASETS)
    module.create_dataset = lambda name, size, seed: DATASETS[name](size, seed)
    monkeypatch.setitem(sys.modules, "reasoning_gym", module)
