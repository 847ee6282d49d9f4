"""Speed of the engine and of a LoRA update on SmolLM2-135M, beside peers on the same machine.

    python -m benchmarks.engine [--rows=32 --answers=4 --nonaive] [--probe=path/to/smollm2_jax.py]

Peers: `naive.py`, and with --probe a module of the interface (prefix, suffix, sample, logps, lora,
tobf) of the prototype this engine replaced. One shared prompt, rows of random tokens, --answers
rows to each question as in a slow step, every row decodes to the full length. Best of --repeats
rounds after one warm-up call, which compiles; in a round everyone has a turn, so that what slows
the machine down for a minute slows everyone down. Tokens count once, however often a peer computes
them.

By default it is the shape that the prototype was measured in, and takes ten minutes, two without
the naive peer. Decoding gains less where rows are fewer: products, which everyone has to do, are
then most of a step.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from benchmarks import naive
from fastslow import computing
from fastslow.lm import batch, decoder, loading, model, packing
from fastslow.lm import engine as engine_lib

_MODEL = flags.DEFINE_string("model", "smollm2-135m-instruct", "A model that loading.load knows.")
_PROBE = flags.DEFINE_string("probe", None, "Path of the prototype's module, to measure it too.")
_NAIVE = flags.DEFINE_bool("naive", True, "Measure the naive peer too: minutes.")
_DTYPE = flags.DEFINE_enum(
    "dtype", "auto", ["auto", "bfloat16", "float32"], "Of the weights; the prototype has its own."
)
_ROWS = flags.DEFINE_integer("rows", 64, "Rows of a batch.")
_ANSWERS = flags.DEFINE_integer("answers", 1, "Rows with the same question; divides --rows.")
_PREFIX = flags.DEFINE_integer("prefix", 170, "Tokens of the shared prompt.")
_QUESTION = flags.DEFINE_integer("question", 70, "Tokens of each row's question.")
_COMPLETION = flags.DEFINE_integer("completion", 6, "Tokens trained on, per row.")
_NEW_TOKENS = flags.DEFINE_integer("new_tokens", 16, "Tokens decoded, per row.")
_REPEATS = flags.DEFINE_integer("repeats", 3, "Timed rounds; the fastest of each call counts.")

_RANK = 8
_ADAPTED = ("q", "v", "up", "down")


class Inputs(NamedTuple):
    """The same tokens for everyone."""

    prefix: np.ndarray  # (P,)
    questions: np.ndarray  # (R, T)
    completions: np.ndarray  # (R, N)


class Calls(NamedTuple):
    """What is timed of one contender."""

    prompt: Callable[[], Any]
    both: Callable[[], Any]  # prompt and decoding
    update: Callable[[], Any]


class Seconds(NamedTuple):
    """What one contender took."""

    prompt: float
    decode: float  # all steps
    update: float


class Endless(NamedTuple):
    """A chat without stop tokens, so that every row decodes to the full length."""

    stop_tokens: frozenset[int] = frozenset()

    def decode(self, tokens: Sequence[int]) -> str:
        """Return no text: it is not what is measured."""
        return ""


def wall_time(call: Callable[[], Any]) -> float:
    """Return the wall time of a call and of the arrays it returns."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def measure(contenders: dict[str, Calls]) -> dict[str, Seconds]:
    """Time all calls of everyone in turn, after one of each that compiles."""
    for name, calls in contenders.items():
        first = ", ".join(f"{wall_time(call):.1f} s" for call in calls)
        print(f"{name}: first calls of prompt, prompt + decoding, update: {first}", flush=True)
    times: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for number in range(_REPEATS.value):
        for name, calls in contenders.items():
            times[name].append([wall_time(call) for call in calls])
            taken = ", ".join(f"{each:.3f} s" for each in times[name][-1])
            print(f"round {number + 1}, {name}: {taken}", flush=True)
    best = {
        name: [min(each) for each in zip(*rounds, strict=True)] for name, rounds in times.items()
    }
    return {
        name: Seconds(prompt, both - prompt, update)
        for name, (prompt, both, update) in best.items()
    }


def adapters(language_model: model.LanguageModel) -> Any:
    """Return LoRA factors as training starts with them."""
    kernels = {name: language_model.params["blocks"][name]["kernel"] for name in _ADAPTED}
    noise = np.random.default_rng(0)
    return {
        "blocks": {
            name: {
                "a": jnp.asarray(noise.normal(size=(*k.shape[:2], _RANK)) / 24, jnp.float32),
                "b": jnp.zeros((k.shape[0], _RANK, k.shape[2])),
            }
            for name, k in kernels.items()
        }
    }


def mean_logprob(logits: jax.Array, tokens: np.ndarray) -> jax.Array:
    """Return the mean log-probability of tokens (...) under logits (..., V)."""
    logprobs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(logprobs, tokens[..., None], axis=-1).mean()


def engine_calls(language_model: model.LanguageModel, inputs: Inputs) -> Calls:
    """Return the engine's, by its public interface, and the update by completion_logits."""
    c, variables = language_model.config, {"params": language_model.params}
    silent = dataclasses.replace(language_model, chat=Endless())  # type: ignore[arg-type]
    runner = engine_lib.Engine(silent)
    prefix = tuple(inputs.prefix.tolist())
    requests = [
        engine_lib.Request(prefix, tuple(question), seed)
        for seed, question in enumerate(inputs.questions.tolist())
    ]
    layers = runner.unstack_layers(variables)  # once for all that is sampled from these weights
    generate = functools.partial(
        runner.generate, variables, requests, temperature=1.0, layers=layers
    )
    answers = _ANSWERS.value
    grouped = inputs.completions.reshape(-1, answers, inputs.completions.shape[1])
    packed = packing.token_batch(prefix, inputs.questions[::answers].tolist(), grouped.tolist())

    @jax.jit
    def update(lora: Any, params: Any, rows: batch.TokenBatch) -> Any:
        def loss(lora: Any) -> jax.Array:
            logits = decoder.completion_logits(c, {"params": params, "lora": lora}, rows)
            return mean_logprob(logits[: grouped.size], grouped.ravel())

        return jax.value_and_grad(loss)(lora)

    lora = adapters(language_model)
    return Calls(
        lambda: generate(max_tokens=1),
        lambda: generate(max_tokens=_NEW_TOKENS.value),
        lambda: update(lora, language_model.params, packed),
    )


def naive_calls(language_model: model.LanguageModel, inputs: Inputs) -> Calls:
    """Return the naive peer's."""
    c, variables = language_model.config, {"params": language_model.params}
    repeated = np.broadcast_to(inputs.prefix, (len(inputs.questions), len(inputs.prefix)))
    prompts = np.concatenate([repeated, inputs.questions], axis=1)
    rows = np.concatenate([prompts, inputs.completions], axis=1)
    read = jax.jit(functools.partial(naive.completion_logits, c, 1))
    generate = jax.jit(functools.partial(naive.generate, c, _NEW_TOKENS.value))

    @jax.jit
    def update(lora: Any, params: Any, rows: jax.Array) -> Any:
        def loss(lora: Any) -> jax.Array:
            trained = {"params": params, "lora": lora}
            logits = naive.completion_logits(c, _COMPLETION.value, trained, rows)
            return mean_logprob(logits, inputs.completions)

        return jax.value_and_grad(loss)(lora)

    lora = adapters(language_model)
    return Calls(
        lambda: read(variables, prompts),
        lambda: generate(variables, prompts, jax.random.key(0)),
        lambda: update(lora, language_model.params, rows),
    )


def probe_calls(path: str, language_model: model.LanguageModel, inputs: Inputs) -> Calls:
    """Return the prototype's, on its own parameter tree."""
    spec = importlib.util.spec_from_file_location("probe", path)
    if spec is None or spec.loader is None:
        raise app.UsageError(f"--probe={path} is no Python module")
    probe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(probe)
    params = probe.tobf(_probe_params(language_model))
    prefix, questions = inputs.prefix[None], inputs.questions
    full = np.full(len(questions), questions.shape[1], np.int32)

    @jax.jit
    def read(params: Any, prefix: jax.Array, questions: jax.Array) -> jax.Array:
        hidden, _ = probe.suffix(params, {}, probe.prefix(params, {}, prefix), questions, full)
        return probe.logits(params, hidden[:, -1])

    sample = functools.partial(probe.sample, params, {}, prefix, questions, full)

    @jax.jit
    def update(lora: Any, params: Any, rows: Inputs) -> Any:
        def loss(lora: Any) -> jax.Array:
            _, logprobs = probe.logps(
                params, lora, rows.prefix[None], rows.questions, full, rows.completions
            )
            return logprobs.mean()

        return jax.value_and_grad(loss)(lora)

    lora = probe.lora(params, r=_RANK)
    return Calls(
        lambda: read(params, prefix, questions),
        lambda: sample(jax.random.key(0), 1.0, new=_NEW_TOKENS.value),
        lambda: update(lora, params, inputs),
    )


def _probe_params(language_model: model.LanguageModel) -> Any:
    """Return the parameters in the prototype's tree: float32, rotary pairs interleaved."""
    blocks = language_model.params["blocks"]

    def interleaved(kernel: jax.Array) -> jax.Array:
        layers, width, _ = kernel.shape
        halves = kernel.reshape(layers, width, -1, 2, language_model.config.head_dim // 2)
        return halves.swapaxes(-1, -2).reshape(kernel.shape)

    kernels = {
        "attn_q": interleaved(blocks["q"]["kernel"]),
        "attn_k": interleaved(blocks["k"]["kernel"]),
        "attn_v": blocks["v"]["kernel"],
        "attn_output": blocks["o"]["kernel"],
        "ffn_gate": blocks["gate"]["kernel"],
        "ffn_up": blocks["up"]["kernel"],
        "ffn_down": blocks["down"]["kernel"],
    }
    norms = {name: blocks[name]["scale"] for name in ("attn_norm", "ffn_norm")}
    return {
        "emb": language_model.params["embed"]["embedding"],
        "norm": language_model.params["final_norm"]["scale"],
        "blk": {**kernels, **norms},
    }


def report(times: dict[str, Seconds]) -> None:
    """Print tokens per second of everyone and our ratios to them."""
    prompt = _PREFIX.value + _ROWS.value // _ANSWERS.value * _QUESTION.value
    tokens = {
        "prompt": prompt,
        "decode": _ROWS.value * (_NEW_TOKENS.value - 1),
        "update": prompt + _ROWS.value * _COMPLETION.value,
    }
    ours = times["engine"]
    print(
        f"\n{'':10s}{'prompt tok/s':>18s}{'decode tok/s':>18s}{'ms/step':>10s}{'update tok/s':>18s}"
    )
    for name, seconds in times.items():
        cells = [
            f"{tokens[what] / took:9.0f} ({took / our:4.2f}x)"
            for what, took, our in zip(Seconds._fields, seconds, ours, strict=True)
        ]
        step = 1000 * seconds.decode / (_NEW_TOKENS.value - 1)
        print(f"{name:10s}{cells[0]:>18s}{cells[1]:>18s}{step:10.0f}{cells[2]:>18s}")
    print("(in brackets: how many times faster the engine is)")


def main(argv: Sequence[str]) -> None:
    """Measure everyone and print the table."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    if _ANSWERS.value < 1 or _ROWS.value % _ANSWERS.value:
        raise app.UsageError(f"--answers={_ANSWERS.value} does not divide --rows={_ROWS.value}")
    computing.set_up_gpus()
    language_model = loading.load(_MODEL.value, dtype=_DTYPE.value)  # type: ignore[arg-type]
    noise = np.random.default_rng(0)
    inputs = Inputs(
        *(
            noise.integers(3, language_model.config.vocab_size, shape, np.int32)
            for shape in (
                (_PREFIX.value,),
                (_ROWS.value // _ANSWERS.value, _QUESTION.value),
                (_ROWS.value, _COMPLETION.value),
            )
        )
    )
    inputs = inputs._replace(questions=np.repeat(inputs.questions, _ANSWERS.value, axis=0))
    contenders = {"engine": engine_calls(language_model, inputs)}
    if _NAIVE.value:
        contenders["naive"] = naive_calls(language_model, inputs)
    if path := _PROBE.value:
        contenders["probe"] = probe_calls(path, language_model, inputs)
    report(measure(contenders))


if __name__ == "__main__":
    app.run(main)
