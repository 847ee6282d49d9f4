"""The flags that say what a run is, shared by the programs that start runs."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from experiments import program, settings
from fastslow import checkpoint, config, registry

CONFIG = "config"
_SECTIONS = ("model", "stream", "scheduler", "fast", "slow")
_SEEDS = ("seed", "order_seed")
_FLAG_OF = {f"config.{name}.name": name for name in _SECTIONS} | {f"config.{s}": s for s in _SEEDS}

with (
    program.telling_config_errors()
):  # it looks the keys on the command line up as soon as it is defined
    config_flags.DEFINE_config_file(
        CONFIG,
        str(pathlib.Path(__file__).parent / "configs" / "quickstart.py"),
        "Configuration file; set its keys with --config.section.key=value.",
        lock_config=False,
        accept_new_attributes=True,  # options of the user's own plug-ins; `settings` checks them
    )
_TEST_CONFIG = flags.DEFINE_boolean(
    "test_config", False, "Take the configuration file's get_test_config(): tiny, under a minute."
)
flags.DEFINE_string("model", None, "Registered model, a GGUF file or a Hugging Face folder.")
flags.DEFINE_string(
    "stream", None, "Registered stream, JSONL folder, package.module:factory, reasoning_gym:A,B."
)
flags.DEFINE_string("scheduler", None, "Policy that decides which channel learns.")
flags.DEFINE_string("fast", None, "Fast channel (prompts); 'none' turns it off.")
flags.DEFINE_string("slow", None, "Slow channel (weights); 'none' turns it off.")
_REFLECTION_LM = flags.DEFINE_string(
    "reflection_lm", None, "Second model that proposes instructions, as DSPy names it: openai/NAME."
)
_REFLECTION_API_BASE = flags.DEFINE_string(
    "reflection_api_base", None, "Where it is served; the key is read from OPENAI_API_KEY."
)
flags.DEFINE_integer("seed", None, "Seed of every random choice but the task order.")
flags.DEFINE_integer("order_seed", None, "Seed of the task order.")
TRACKERS = flags.DEFINE_list(
    "trackers", [], "Report live to these too: tensorboard, wandb (offline), mlflow (in files)."
)
KEEP_CHECKPOINTS = flags.DEFINE_integer(
    "keep_checkpoints",
    checkpoint.KEEP,
    "How many checkpoints stay, the newest; 0: all, for diagnostics along the run.",
    lower_bound=0,
)


def resolve(
    changes: Mapping[str, Any] | None = None, note: Callable[[str], None] | None = None
) -> config.Run:
    """Return the configuration that the flags describe, with `changes` to them.

    `changes` are values by flag name, those of the configuration file as "config.section.key"; they
    go before the flags, also where these call the same thing otherwise ("config.seed", --seed).
    What is left out of the configuration is told to `note`, by default on standard error. Raises
    config.ConfigError and registry.UnknownNameError.
    """
    changes = {_FLAG_OF.get(key, key): value for key, value in (changes or {}).items()}
    known = known_keys()
    for key, value in changes.items():
        _check(key, value, known)
    named = {key: changes.get(key, flags.FLAGS[key].value) for key in (*_SECTIONS, *_SEEDS)}
    request = settings.Request(
        test=_TEST_CONFIG.value,
        names={key: named[key] for key in _SECTIONS},
        seeds={key: named[key] for key in _SEEDS},
        reflection=settings.Reflection(_REFLECTION_LM.value, _REFLECTION_API_BASE.value),
        overrides={k.removeprefix("config."): v for k, v in changes.items() if k not in named},
    )
    return settings.resolve(CONFIG, request, note or (lambda text: print(text, file=sys.stderr)))


def described() -> bool:
    """Return whether any flag on the command line says what the run is."""
    names = (CONFIG, "test_config", *_SECTIONS, *_SEEDS, "reflection_lm", "reflection_api_base")
    overrides = config_flags.get_override_values(flags.FLAGS[CONFIG])
    return bool(overrides) or any(flags.FLAGS[name].present for name in names)


def known_keys() -> list[str]:
    """Return everything that the changes given to `resolve` can name."""
    inner = settings.keys(CONFIG, test=_TEST_CONFIG.value)
    return [*_SECTIONS, *_SEEDS, *(f"config.{key}" for key in inner)]


def _check(key: str, value: Any, known: Sequence[str]) -> None:
    prefix, _, path = key.partition(".")
    if prefix == CONFIG and path.partition(".")[0] in _SECTIONS:
        return  # an option of a plug-in, of which `settings` knows more than the file
    if key not in known:
        raise registry.unknown("setting", key, known)
    wanted = {**dict.fromkeys(_SECTIONS, str), **dict.fromkeys(_SEEDS, int)}.get(key)
    if wanted is not None and type(value) is not wanted:
        raise config.ConfigError(f"{key} must be {wanted.__name__}, got {value!r}")
