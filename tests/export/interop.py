"""Load what fastslow exports with torch, transformers, peft and DSPy, and compare the numbers.

    python -m tests.export.interop [--venv=DIR] [--run=RUN,RUN,...]

makes a virtual environment (1.5 GB; kept with --venv), exports a small model of every family with a
random low-rank adapter, from Hugging Face directories and from GGUF files, and the given runs, and
prints how far the logits of one conversation are from ours in float32. Exit status 1 if any
difference is above --tolerance standard deviations of the logits, or any token or text differs.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence

import dspy
import numpy as np
from absl import app, flags, logging

from fastslow import types
from fastslow.export import FORMATS, contracts, learned
from fastslow.fast import dspy_bridge
from fastslow.fast import prompt as prompt_lib
from fastslow.lm import loading, weights
from tests.export import merged_test, samples
from tests.lm import model_files

PACKAGES = ("torch==2.13.0", "transformers==5.23.0", "peft==0.21.2", f"dspy=={dspy.__version__}")
_QUESTION = "It's 2024, isn't it? And 12 + 345?"

_VENV = flags.DEFINE_string("venv", None, "Where the environment is, or is to be made and kept.")
_RUNS = flags.DEFINE_list("run", [], "Run directories to export beside the small models.")
_TOLERANCE = flags.DEFINE_float("tolerance", 1e-3, "In standard deviations of the logits.")


def cases(scratch: pathlib.Path) -> Iterator[tuple[str, contracts.Learned]]:
    """Yield what to export, by name."""
    for name in samples.FAMILIES:
        yield name, samples.learned(samples.load(name))
    for name in ("llama3", "qwen2", "qwen3"):
        extra = merged_test.ROPE_FACTORS if name == "llama3" else {}
        path = model_files.write_gguf(scratch / f"{name}.gguf", name, extra=extra)
        model = loading.load(str(path), dtype="float32")
        yield f"{name} (GGUF)", samples.learned(model)
    for run in _RUNS.value:
        yield pathlib.Path(run).name, learned.read(pathlib.Path(run)).learned


def write(directory: pathlib.Path, found: contracts.Learned) -> None:
    """Export every format in float32, with what the other side must find."""
    for name in FORMATS:
        (directory / name).mkdir(parents=True)
        FORMATS.build(name, learned=found, directory=directory / name, dtype="float32")
    prompt = next(iter(found.prompts.values()))
    messages = prompt_lib.messages(prompt, _QUESTION)
    rendered = found.model.chat.encode(messages)
    tokens = [*rendered.prefix, *rendered.question]
    base = weights.cast(found.model.params, "float32")
    exact = {**found.variables, "params": weights.cast(found.variables["params"], "float32")}
    np.savez(
        directory / "ours.npz",
        tokens=tokens,
        base=samples.logits(found.model, {"params": base}, tokens),
        trained=samples.logits(found.model, exact, tokens),
    )
    expected = {
        "messages": [message._asdict() for message in messages],
        "stops": sorted(found.model.chat.stop_tokens),
        "programs": {name: program(prompt) for name, prompt in found.prompts.items()},
    }
    (directory / "expected.json").write_text(json.dumps(expected))


def program(prompt: types.Prompt) -> types.Json:
    """Return what the DSPy program of a prompt must hold, and what DSPy must render of it."""
    predict = dspy_bridge.program(prompt)
    return {
        "instructions": " ".join(prompt_lib.system_text(prompt).split()),
        "demos": [demo._asdict() for demo in prompt.demos],
        "chat": dspy.ChatAdapter().format(predict.signature, predict.demos, {"input": _QUESTION}),
    }


def reloaded(directory: pathlib.Path) -> np.ndarray:
    """Return the logits of the merged directory, read by fastslow."""
    model = loading.load(str(directory / "merged"), dtype="float32")
    tokens = np.load(directory / "ours.npz")["tokens"].tolist()
    return samples.logits(model, {"params": model.params}, tokens)


def environment(directory: pathlib.Path) -> pathlib.Path:
    """Return the Python of the environment with `PACKAGES`, which is made if it is not there."""
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def read_elsewhere(python: pathlib.Path, directory: pathlib.Path) -> types.Json:
    """Return what torch_side.py says of a case; its warnings are shown only if it fails."""
    side = pathlib.Path(__file__).with_name("torch_side.py")
    done = subprocess.run([python, side, directory], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} failed on {directory}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(python: pathlib.Path, scratch: pathlib.Path) -> list[str]:
    """Print a row per case; return what is wrong."""
    print(f"{'model':>16} {'std':>7} {'effect':>8}   largest |difference| of logits")
    problems = []
    for name, found in cases(scratch):
        directory = scratch / name
        write(directory, found)
        theirs = read_elsewhere(python, directory)
        ours = np.load(directory / "ours.npz")
        differences = {
            **theirs["differences"],
            "fastslow merged": float(np.abs(reloaded(directory) - ours["trained"]).max()),
        }
        std, effect = ours["trained"].std(), np.abs(ours["trained"] - ours["base"]).max()
        listed = ", ".join(f"{what} {value:.1e}" for what, value in differences.items())
        print(f"{name:>16} {std:7.3f} {effect:8.2e}   {listed}", flush=True)
        far = [what for what, value in differences.items() if not value <= _TOLERANCE.value * std]
        problems += [f"{name}: {what}" for what in (*far, *theirs["problems"])]
    return problems


def main(argv: Sequence[str]) -> int:
    """Compare everything."""
    del argv
    logging.set_verbosity(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = pathlib.Path(temporary)
        problems = compare(environment(pathlib.Path(_VENV.value or scratch / "venv")), scratch)
    print("\n".join(["problems:", *problems]) if problems else "no problems")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(app.run(main))
