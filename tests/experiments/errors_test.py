"""What a user who errs sees: one clear line, exit status 2, no traceback, nothing lost."""

import os

import pytest

from tests.experiments import cli


def fails(tmp_path, *arguments):
    """Run with a fresh workdir and return the output of the expected failure."""
    status, output = cli.run("run", "--test_config", f"--workdir={tmp_path / 'run'}", *arguments)
    assert status == 2, output
    assert "Traceback" not in output
    assert "error: " in output
    return output


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--scheduler=interleaved", "unknown scheduler 'interleaved'; did you mean 'interleave'?"),
        ("--stream=", "unknown stream ''"),
        ("--workdir=", "--workdir is empty"),
        ("--stream=eval_short", "unknown stream 'eval_short'; did you mean 'evals_short'?"),
        ("--model=smollm2-135m-instrct", "did you mean 'smollm2-135m-instruct'?"),
        ("--fast=gpea", "unknown fast channel 'gpea'; did you mean 'gepa'?"),
        ("--slow=lra", "unknown slow channel 'lra'; did you mean 'lora'?"),
        ("--stream=no_such_module:factory", "no module named 'no_such_module'"),
        ("--config.slow.objective.name=cisp", "unknown objective 'cisp'; did you mean 'cispo'?"),
        ("--config.slow.learning_rate=-1", "slow.learning_rate must be positive"),
        ("--config.stream.tasks=('sentimnt',)", "did you mean 'sentiment'?"),
        (
            "--config.slow.learning_rat=1e-3",
            "of slow 'lora' 'learning_rat'; did you mean 'learning_rate'",
        ),
        ("--config.evaluation.sample=2", "did you mean 'evaluation.samples'?"),
        ("--config.stream.exponent=2", "unknown option of stream 'evals_short' 'exponent'"),
        ("--reflection_api_base=http://localhost:1", "--reflection_api_base needs --reflection_lm"),
        ("--seed=4294967296", "seed must be from 0 to 2**32 - 1, got 4294967296"),
        ("--stream=jsonl", "stream 'jsonl' needs the option 'path'"),
        ("--config.slow.learning_rate=nan", "slow.learning_rate must be float, got nan"),
        ("--config.slow.anchors={'kl_exact': 0.1}", "slow.anchors must be"),
        ("--stream=recurring:convention", "unknown stream 'convention'; did you mean 'conventions"),
    ],
)
def test_a_misspelt_name_suggests_the_nearest(tmp_path, flag, message):
    assert message in fails(tmp_path, flag)
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.slow.learning_rate=fast", "fast"),
        ("--sheduler=interleave", "scheduler"),
        ("--seed=one", "--seed=one"),
        ("--config.slow=full", "did you mean --config.slow.name=full?"),
        ("--config.slow.objective=sft", "did you mean --config.slow.objective.name=sft?"),
    ],
)
def test_a_misspelt_flag_is_refused(tmp_path, flag, message):
    assert message in fails(tmp_path, flag)


@pytest.mark.parametrize("config", [[], ["--config=experiments/configs/two_tasks.py"]])
def test_a_misspelt_key_is_one_line_that_suggests_the_nearest(tmp_path, config):
    output = fails(tmp_path, *config, "--config.slw.learning_rate=1e-3")
    assert output.splitlines()[-1].startswith("error: unknown configuration key 'slw'")
    assert 'Did you mean "slow"' in output


def test_a_configuration_file_that_is_missing_is_named(tmp_path):
    for name in ("nope.py", "x" * 300):
        assert f"--config={name}: there is no such file" in fails(tmp_path, f"--config={name}")
    assert "did you mean experiments/configs/quickstart.py?" in fails(
        tmp_path, "--config=experiments/configs/quickstrat.py"
    )
    assert "this is a folder, not a file" in fails(tmp_path, f"--config={tmp_path}")
    output = fails(tmp_path, "--config=nope.py", "--config.slow.learning_rate=1e-3")
    assert output.splitlines()[-1].startswith("error: ")
    assert "nope.py" in output.splitlines()[-1]


def test_a_mistake_in_a_configuration_file_keeps_its_line(tmp_path):
    path = tmp_path / "mine.py"
    for mistake in ("math.no_such_thing", "{}['no_such_thing']"):
        path.write_text(f"import math\n\n\ndef get_config():\n    return {mistake}\n")
        _, output = cli.run("run", f"--config={path}", "--config.slow.learning_rate=1e-3")
        assert "line 5, in get_config" in output
        assert "unknown configuration key" not in output


def test_an_item_that_the_model_cannot_read_is_named_before_anything_runs(tmp_path):
    output = fails(tmp_path, "--model=tests/lm/reference/qwen2")
    assert "task 'sentiment', behind its seed prompt: 'rotten-tomatoes-" in output
    assert "the model's context is 256" in output
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_directory_alone_that_holds_no_run_is_not_resumed(tmp_path):
    status, output = cli.run("run", "--resume", f"--workdir={tmp_path / 'typo'}")
    assert status == 2
    assert "typo holds no run to go on with" in output
    assert not (tmp_path / "typo").exists()


def test_what_is_inside_a_mapping_of_plugins_is_set_as_one_value():
    status, output = cli.run("run", "--config.slow.anchors.l2sp.coefficient=0.1")
    assert status == 2
    assert (
        "slow.anchors is one value: --config.slow.anchors=\"{'NAME': {'OPTION': 0.1}}\"" in output
    )


def test_a_run_that_was_killed_before_it_began_begins(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "LOCK").touch()
    process = cli.start("run", "--resume", f"--workdir={directory}")
    try:
        told = next(line for line in process.stdout if "note: " in line or "error: " in line)
    finally:
        process.kill()
        process.communicate()
    assert "holds nothing to go on with yet; beginning the default configuration" in told


def test_a_word_without_dashes_is_refused(tmp_path):
    status, output = cli.run("run", "resume", f"--workdir={tmp_path / 'run'}")
    assert status != 0
    assert "unexpected argument 'resume'" in output


def test_what_is_refused_after_the_model_is_loaded_does_not_lock_the_directory(tmp_path):
    output = fails(tmp_path, "--config.slow.targets=('q','z')")
    assert "unknown lora target 'z'" in output
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_model_file_that_is_none_is_named(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    output = fails(tmp_path, f"--model={tmp_path / 'broken.gguf'}")
    assert "broken.gguf" in output
    assert "unknown model" not in output  # it was found, and read


def test_a_model_that_is_neither_known_nor_a_path_is_told(tmp_path):
    output = fails(tmp_path, "--model=tiny-randm")
    assert "did you mean 'tiny-random'" in output
    assert "No file or directory has that name" in output


def test_a_malformed_row_names_file_line_and_field(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "validation", "test"):
        (data / f"{split}.jsonl").write_text(f'{{"input": "{split}", "target": "b"}}\n')
    (data / "train.jsonl").write_text('{"input": "a", "target": "b"}\n{"input": "c"}\n')
    output = fails(tmp_path, f"--stream={data}")
    assert "train.jsonl" in output
    assert "line 2" in output
    assert "target" in output


def test_a_workdir_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "run").write_text("a file, not a folder")
    assert str(tmp_path / "run") in fails(tmp_path)


def test_no_network_and_no_cache_says_what_to_do(tmp_path):
    offline = {
        **os.environ,
        "FASTSLOW_CACHE_DIR": str(tmp_path / "cache"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
    }
    status, output = cli.run("run", "--test_config", f"--workdir={tmp_path / 'run'}", env=offline)
    assert status == 2, output
    assert "error: " in output
    assert "movie" in output
    assert "Traceback" not in output
