"""What training did to the weights and to what they compute, layer by layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fastslow import config, types
from fastslow.diagnostics import activations, contracts, spectra
from fastslow.diagnostics import subject as subjects
from fastslow.fast import prompt as prompts
from fastslow.metrics import matrix
from fastslow.report import table, wording


@dataclasses.dataclass(frozen=True)
class Representation:
    """Rank and size of the update, rank of hidden states, dormant units: by layer, beside the base.

    The probe set are the first `examples` validation items of every task under its seed prompt, the
    same tokens for every method and event. Update: dense weights minus base, of every kernel that
    moved; relative norm ||delta|| / ||base|| (Frobenius). Hidden states: the residual stream behind
    the layer at every token of the probe set, each scaled to the same length, as the next layer's
    norm does (or the few tokens with huge activations were all that is seen), minus their mean.
    Effective ranks are those of Roy and Vetterli. Dormant: FFN units whose mean |activation| is at
    most `threshold` of the layer's mean (Sokar et al.; gated SiLU units are hardly ever exactly 0).
    """

    examples: int = 8
    threshold: float = 0.1

    reads: ClassVar[str] = "validation items of the run's tasks"

    def __post_init__(self) -> None:
        """Raise ConfigError for a probe set without examples."""
        if self.examples < 1:
            raise config.ConfigError(f"representation.examples must be positive: {self.examples}")

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Look at the base and at the trained weights."""
        texts = self._texts(subject)
        if not texts:
            raise contracts.NotApplicableError("the tasks have no validation items to look at")
        parts, shape = subject.parts, subject.parts.model.config
        base = activations.look(shape, parts.slow.variables(subject.base.slow), texts)
        trained = base
        if subject.moved:
            variables = parts.slow.variables(subject.state.model.slow)
            trained = activations.look(shape, variables, texts)
        tokens = sum(map(len, texts)) * (1 + (trained is not base))
        cost = types.Cost(prompt_tokens=tokens, flops=shape.forward_flops(tokens))
        updates = kernel_updates(subject)
        values = [
            {
                "update": updates[number],
                "hidden_rank": {"base": hidden_rank(old), "trained": hidden_rank(new)},
                "dormant": {
                    "base": spectra.dormant_share(old.activity, self.threshold),
                    "trained": spectra.dormant_share(new.activity, self.threshold),
                },
            }
            for number, (old, new) in enumerate(zip(base, trained, strict=True))
        ]
        probed = {"texts": len(texts), "tokens": sum(map(len, texts))}
        return contracts.Finding({"probe_set": probed, "layers": values}, cost)

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return one line per layer, and the means."""
        lines = [_line(layer) for layer in values["layers"]]
        means = [matrix.mean(np.array(column)) for column in zip(*lines, strict=True)]
        header = (
            "Layer",
            "Rank of\nthe update",
            "Size of\nthe update",
            "Rank of hidden\nstates, base",
            "trained",
            "Dormant\nunits, base",
            "trained",
        )
        body = tuple((str(number), *_cells(line)) for number, line in enumerate(lines))
        title = "Update (mean effective rank, relative norm) and what the layers compute"
        return [table.Table(title, header, body, ("mean", *_cells(means)))]

    def _texts(self, subject: subjects.Subject) -> list[tuple[int, ...]]:
        found = []
        for task in subject.tasks.values():
            for example in task.validation[: self.examples]:
                messages = prompts.messages(task.seed_prompt, example.input)
                prefix, question = subject.parts.model.chat.encode(messages)
                found.append((*prefix, *question))
        return found


def kernel_updates(subject: subjects.Subject) -> list[dict[str, dict[str, float]]]:
    """Return by layer, then kernel that moved: effective rank and relative norm of its update."""
    layers = range(subject.parts.model.config.layers)
    found: list[dict[str, dict[str, float]]] = [{} for _ in layers]
    if not subject.moved:
        return found
    dense = subject.parts.slow.dense(subject.state.model.slow, "float32")["blocks"]
    for name, module in subject.parts.model.params["blocks"].items():
        if "kernel" not in module:
            continue
        for layer in layers:
            base = np.asarray(module["kernel"][layer], np.float32)
            delta = np.asarray(dense[name]["kernel"][layer]) - base
            if delta.any():
                found[layer][name] = {
                    "rank": spectra.effective_rank(spectra.singular_values(delta)),
                    "relative_norm": float(np.linalg.norm(delta) / np.linalg.norm(base)),
                    "norm": float(np.linalg.norm(delta)),
                    "base_norm": float(np.linalg.norm(base)),
                }
    return found


def hidden_rank(layer: activations.Layer) -> float:
    """Return the effective rank of the hidden states, each of length 1, around their mean."""
    states = layer.hidden.astype(np.float64)
    states /= np.maximum(np.linalg.norm(states, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return spectra.effective_rank(spectra.singular_values(states - states.mean(axis=0)))


def _line(layer: types.Json) -> list[float]:
    """Return the figures of a layer: the rank is a mean over kernels, the size that of them all."""
    kernels = layer["update"].values()
    ranks = np.array([kernel["rank"] for kernel in kernels], np.float64)
    moved = math.hypot(*(kernel["norm"] for kernel in kernels))
    before = math.hypot(*(kernel["base_norm"] for kernel in kernels))
    compared = (*layer["hidden_rank"].values(), *layer["dormant"].values())
    figures = [math.nan if value is None else value for value in compared]
    return [matrix.mean(ranks), moved / before if before else 0.0, *figures]


def _cells(line: Sequence[float]) -> tuple[str, ...]:
    rank, size, *hidden_dormant = line
    ranks = (_rank(value) for value in hidden_dormant[:2])
    return (
        _rank(rank),
        wording.divergence(size),
        *ranks,
        *map(wording.score, hidden_dormant[2:]),
    )


def _rank(value: float) -> str:
    return wording.MISSING if math.isnan(value) else f"{value:.1f}"
