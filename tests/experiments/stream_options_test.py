"""Options of any plug-in as flags beside its name, and a run on a stream that names its kinds."""

import ml_collections
import pytest

from experiments.configs import defaults
from fastslow import scheduler, streams
from fastslow.report import records
from tests.experiments import cli


def test_every_option_of_every_stream_can_be_set_by_a_flag():
    section = defaults.get_config().stream
    for name in streams.STREAMS:
        for option, default in defaults.stream(name).items():
            assert option in section
            assert not hasattr(ml_collections.ConfigDict, option)  # `keys` would be a method
            if not isinstance(default, tuple):
                assert section.get_type(option) in (type(default), float)


def test_only_the_options_on_which_streams_agree_are_set_before_a_stream_is_chosen():
    section = defaults.get_config().stream
    own = defaults.stream("evals_short")
    known = {key: value for key, value in section.items() if value is not None}
    assert known == {key: own[key] for key in known}
    assert {"tasks", "validation", "test", "repeats"} <= known.keys()
    assert {"order", "taught", "lessons_per_task"}.isdisjoint(known)  # mixed, flip_flop, recurring
    assert section.skill is None


def test_every_option_of_every_scheduler_can_be_set_by_a_flag():
    section = defaults.get_config().scheduler
    for name in scheduler.SCHEDULERS:
        options = defaults.policy(name)
        assert options.keys() <= set(section)
        assert all(section[key] in (None, options[key]) for key in options.keys() - {"name"})


def test_options_of_ones_own_stream_are_flags_and_axes_of_a_grid(tmp_path):
    given = ("--dry_run", f"--out={tmp_path}", "--test_config")
    own = ("--stream=tests.streams.readme_stream:sums", "--config.stream.largest=9")
    status, output = cli.run("sweep", *given, *own, "--grid=config.stream.order='given','mixed'")
    assert status == 0, output
    status, output = cli.run("sweep", *given, *own[:1], "--grid=config.stream.largest=9,10")
    assert status == 0, output
    assert "2 cells: 2 new" in output
    status, output = cli.run("sweep", *given, *own[:1], "--grid=config.stream.larges=9,10")
    assert status == 2
    assert "'larges'; did you mean 'largest'" in output


@pytest.fixture(scope="module")
def run_of_both_kinds(tmp_path_factory):
    """Return the directory of a run on a convention and a skill, and what it printed."""
    directory = tmp_path_factory.mktemp("kinds") / "run"
    chosen = {"skill": "food", "conventions": "letters", "skills": "food"}
    flags = [f"--config.stream.{option}={value}" for option, value in chosen.items()]
    untaught = ("--fast=none", "--slow=none", "--config.evaluation.drift_examples=0")
    where = ("--test_config", f"--workdir={directory}", "--stream=mixed")
    status, output = cli.run("run", *where, *flags, *untaught)
    assert status == 0, output
    return directory, output


def test_a_run_reports_scores_by_kind_beside_the_constant_answer(run_of_both_kinds):
    directory, output = run_of_both_kinds
    told, *_ = records.read(directory)
    assert {name: task["kind"] for name, task in told["tasks"].items()} == {
        "food_letters": "convention",
        "food": "skill",
    }
    assert [task["constant"]["score"] for task in told["tasks"].values()] == [0.5, 0.5]
    assert "Scores by kind of task" in output
    assert "Scores by kind of task" in (directory / "report.md").read_text()
