"""Run one continual-learning experiment: a stream of tasks, two channels, one scheduler.

  python -m experiments.run
  python -m experiments.run --scheduler=slow_only --seed=1 --workdir=runs/slow
  python -m experiments.run --config.slow.learning_rate=1e-4 --stream=my.module:factory
  python -m experiments.run --resume --workdir=runs/slow

Names: `python -m experiments.list`. Every key of the configuration file can be set as
--config.section.key=value.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from experiments import settings
from fastslow import session

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    str(pathlib.Path(__file__).parent / "configs" / "quickstart.py"),
    "Configuration file; set its keys with --config.section.key=value.",
)
_TEST_CONFIG = flags.DEFINE_boolean(
    "test_config", False, "Take the configuration file's get_test_config(): tiny, under a minute."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory. Default: a name under runs/ made from the configuration."
)
_RESUME = flags.DEFINE_boolean("resume", False, "Go on with the run in the run directory.")
_MODEL = flags.DEFINE_string(
    "model", None, "Registered model, a GGUF file or a Hugging Face folder."
)
_STREAM = flags.DEFINE_string(
    "stream", None, "Registered stream, JSONL folder, package.module:factory, reasoning_gym:A,B."
)
_SCHEDULER = flags.DEFINE_string("scheduler", None, "Policy that decides which channel learns.")
_FAST = flags.DEFINE_string("fast", None, "Fast channel (prompts); 'none' turns it off.")
_SLOW = flags.DEFINE_string("slow", None, "Slow channel (weights); 'none' turns it off.")
_REFLECTION_LM = flags.DEFINE_string(
    "reflection_lm", None, "Second model that proposes instructions, as DSPy names it: openai/NAME."
)
_REFLECTION_API_BASE = flags.DEFINE_string(
    "reflection_api_base", None, "Where it is served; the key is read from OPENAI_API_KEY."
)
_SEED = flags.DEFINE_integer("seed", None, "Seed of every random choice but the task order.")
_ORDER_SEED = flags.DEFINE_integer("order_seed", None, "Seed of the task order.")


def main(argv: Sequence[str]) -> None:
    """Resolve the configuration, then hand over to the library."""
    settings.reject_arguments(argv)
    run = settings.resolve(
        "config",
        test=_TEST_CONFIG.value,
        names={
            "model": _MODEL.value,
            "stream": _STREAM.value,
            "scheduler": _SCHEDULER.value,
            "fast": _FAST.value,
            "slow": _SLOW.value,
        },
        seeds={"seed": _SEED.value, "order_seed": _ORDER_SEED.value},
        reflection=settings.Reflection(_REFLECTION_LM.value, _REFLECTION_API_BASE.value),
    )
    workdir = pathlib.Path(_WORKDIR.value or settings.default_workdir("config", run))
    session.run(run, workdir, resume=_RESUME.value)


if __name__ == "__main__":
    settings.run_main(main)
