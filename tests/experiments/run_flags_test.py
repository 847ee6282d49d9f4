"""What the flags of a run, and the changes of a sweep's cells to them, come to."""

import json
import subprocess
import sys

import pytest

_PROGRAM = """
import json, sys
from absl import app
from experiments import run_flags
from fastslow import config
changes = json.loads(sys.argv.pop())
app.run(lambda _: print(json.dumps(config.to_json(run_flags.resolve(changes)))))
"""


def resolved(*flags, **changes):
    command = [sys.executable, "-c", _PROGRAM, *flags, json.dumps(changes)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output)


@pytest.mark.parametrize(
    ("key", "name"), [("scheduler", "slow_only"), ("fast", "none"), ("stream", "flip_flop")]
)
def test_a_name_set_as_a_key_is_one_set_by_its_flag(key, name):
    assert resolved(f"--config.{key}.name={name}") == resolved(f"--{key}={name}")


def test_a_cell_is_what_its_grid_says_whatever_the_flags_are():
    changed = resolved(
        "--seed=5",
        "--scheduler=slow_only",
        **{"config.seed": 1, "config.scheduler.name": "fast_only"},
    )
    assert changed["seed"] == 1
    assert changed["scheduler"]["name"] == "fast_only"
    assert "slow_steps" not in changed["scheduler"]


def test_a_configuration_names_the_defaults_of_its_policy():
    found = resolved("--scheduler=gain_cost", "--config.scheduler.memory=0.25")["scheduler"]
    assert (found["memory"], found["exploration"], found["guarded"]) == (0.25, 0.5, True)


def test_a_reflection_model_keeps_what_the_configuration_says_of_its_proposer():
    proposers = {"reflection": {"template": "mine.md", "timeout": 5.0}, "edit": {"weight": 2.0}}
    found = resolved("--reflection_lm=openai/tiny", f"--config.fast.proposers={proposers}")
    assert found["fast"]["proposers"] == {
        "edit": {"weight": 2.0},
        "reflection": {
            "weight": 2.0,
            "template": "mine.md",
            "timeout": 5.0,
            "model": "openai/tiny",
        },
    }


def test_what_is_in_a_stream_is_not_carried_to_another():
    assert "tasks" in resolved()["stream"]
    assert "tasks" not in resolved("--stream=evals_short:sarcasm")["stream"]
    assert "tasks" not in resolved("--stream=skills")["stream"]
    given = resolved("--stream=evals_short:sarcasm", "--config.stream.tasks=food,sentiment")
    assert given["stream"]["tasks"] == ["food", "sentiment"]
    assert (
        resolved("--stream=evals_short:sarcasm")["stream"]["test"] == (resolved()["stream"]["test"])
    )


def test_a_cap_can_be_taken_off_by_a_flag():
    assert resolved("--config.slow.drift_cap=0")["slow"]["drift_cap"] == 0.0
