"""Things to export, made in a moment: learned models of every family, and run directories."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from fastslow import checkpoint, config, run_directory, run_state, session, types
from fastslow.export import contracts
from fastslow.fast import population
from fastslow.lm import batch, decoder, loading, weights
from fastslow.lm import model as models
from fastslow.slow.adapters import lora
from tests.lm import model_files

FAMILIES = ("llama3", "llama_linear", "qwen2", "qwen2_yarn", "qwen3")
TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
PROMPT = types.Prompt(
    "Answer in one word.\nNo more.",
    (types.Demo("Is it late?", "yes"), types.Demo('Is it "early"?\n', "no")),
    ("Never say maybe.",),
)


def load(name: str) -> models.LanguageModel:
    """Load a reference model in float32."""
    return loading.load(str(model_files.REFERENCE / name), dtype="float32")


def learned(
    model: models.LanguageModel, *, name: str = "base", rank: int = 3, size: float = 0.2
) -> contracts.Learned:
    """Return `model` with random low-rank deltas of all linear layers, and one prompt.

    alpha / rank is 2, so that a scale that is forgotten or applied twice shows.
    """
    adapter = lora.lora(rank=rank, alpha=2.0 * rank, targets=TARGETS)
    trainable = noisy(adapter.init(0, model.params), size)
    return contracts.Learned(
        settings=settings(name),
        model=model,
        prompts={"late": PROMPT},
        variables=adapter.bind(model.params, trainable),
        dense=lambda dtype: adapter.merge(weights.cast(model.params, dtype), trainable),
    )


def noisy(tree: types.PyTree, size: float) -> types.PyTree:
    """Add normal noise of standard deviation `size` to every leaf."""
    noise = np.random.default_rng(0)
    return jax.tree.map(lambda x: x + jnp.asarray(size * noise.normal(size=x.shape), x.dtype), tree)


@functools.partial(jax.jit, static_argnums=0)
def _logits(shape, variables, tokens):
    rows = batch.plain_rows(tokens[None], jnp.asarray(tokens.shape))
    x, _ = decoder.encode(shape, variables, None, rows)
    return decoder.logits(shape, variables, x)[0]


def logits(
    model: models.LanguageModel, variables: Mapping[str, types.PyTree], tokens: list[int]
) -> np.ndarray:
    """Return the logits (T, V) after every one of `tokens`."""
    return np.asarray(_logits(model.config, dict(variables), jnp.asarray(tokens, jnp.int32)))


def some_tokens(model: models.LanguageModel, length: int = 40) -> list[int]:
    return np.random.default_rng(1).integers(0, model.config.vocab_size, length).tolist()


def settings(
    model: str = "tiny-random", slow: str = "lora", stream: str = "none", **options: object
) -> config.Run:
    return config.Run(
        seed=0,
        order_seed=0,
        model=config.Plugin(model),
        stream=config.Plugin(stream),
        scheduler=config.Plugin("interleave"),
        fast=config.Plugin("gepa"),
        slow=config.Plugin(slow, options),
        evaluation=config.Evaluation(),
    )


def run(directory: pathlib.Path, slow: str = "lora", **options: object) -> session.Built:
    """Write a run directory with checkpoints after 2 and 3 of 3 events, as a run leaves it.

    Its weights are random, more so after 3 events; its prompt is PROMPT after 3.
    """
    data = directory.parent / "late"
    data.mkdir(exist_ok=True)
    for split in ("train", "validation", "test"):
        row = {"input": f"Is it {split}?", "target": "yes"}
        (data / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    wanted = settings(slow=slow, stream=str(data), **options)
    built = session.build(wanted)
    recorded = {"config": config.to_json(wanted), **built.identity}
    run_directory.write_config(directory, recorded)
    for position in (2, 3):
        state = state_after(built, position)
        checkpoint.save(directory, position, run_state.save(state, built.experiment.learner))
    return built


def state_after(built: session.Built, position: int) -> run_state.RunState:
    """Return the state that `run` saves."""
    experiment = built.experiment
    state = run_state.init(experiment.learner, experiment.scheduler, experiment.seed)
    slow = state.model.slow
    if hasattr(slow, "trainable"):
        slow = slow._replace(trainable=noisy(slow.trainable, 0.01 * position))
    member = population.Member(PROMPT, {"a": 1.0})
    found = {"late": population.Population((member,), "v", 0, ("late",))} if position == 3 else {}
    model = types.ModelState(slow, population.FastState(found))
    return dataclasses.replace(state, position=position, model=model)
