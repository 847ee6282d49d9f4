import json

import pytest

from fastslow import config, registry

MAPPING = {
    "seed": 3,
    "order_seed": 0,
    "model": {"name": "m", "dtype": "float32"},
    "stream": {"name": "s", "tasks": ["a", "b"], "nested": {"x": [1]}},
    "scheduler": "interleave",
    "fast": {"name": "none"},
    "slow": {"name": "lora", "rank": 8},
    "evaluation": {"temperature": 1, "max_tokens": 4},
}


def test_mapping_becomes_frozen_dataclasses():
    run = config.from_mapping(config.Run, MAPPING)
    assert run.slow == config.Plugin("lora", {"rank": 8})
    assert run.scheduler == config.Plugin("interleave")
    assert run.stream.options == {"tasks": ("a", "b"), "nested": {"x": (1,)}}
    assert run.evaluation == config.Evaluation(temperature=1.0, max_tokens=4)
    assert isinstance(run.evaluation.temperature, float)


def test_json_form_round_trips():
    run = config.from_mapping(config.Run, MAPPING)
    stored = json.loads(json.dumps(config.to_json(run)))
    assert config.from_mapping(config.Run, stored) == run


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sede", 1, "unknown configuration key 'sede'; did you mean 'seed'"),
        ("evaluation.temprature", 1.0, "did you mean 'evaluation.temperature'"),
        ("evaluation.max_tokens", "eight", "evaluation.max_tokens must be int, got 'eight'"),
        ("evaluation.max_tokens", True, "evaluation.max_tokens must be int, got True"),
        ("seed", 1.5, "seed must be int, got 1.5"),
        ("evaluation", 3, "evaluation must be a mapping"),
        ("evaluation.samples", 0, "evaluation.samples must be at least 1, got 0"),
        ("evaluation.drift_examples", -1, "evaluation.drift_examples must be at least 0, got -1"),
        ("slow", {"rank": 8}, "slow must be a mapping with a 'name'"),
    ],
)
def test_bad_values_name_their_path(path, value, message):
    mapping = json.loads(json.dumps(MAPPING))
    *parents, leaf = path.split(".")
    target = mapping
    for parent in parents:
        target = target[parent]
    target[leaf] = value
    with pytest.raises((config.ConfigError, registry.UnknownNameError), match=message):
        config.from_mapping(config.Run, mapping)


def test_missing_key_is_an_error():
    with pytest.raises(config.ConfigError, match="slow is missing"):
        config.from_mapping(config.Run, {k: v for k, v in MAPPING.items() if k != "slow"})


def test_differences_lists_every_leaf_with_both_values():
    old = {"a": 1, "b": {"c": 2, "d": 3}}
    new = {"a": 1, "b": {"c": 5, "e": 4}}
    assert config.differences(old, new) == ["b.c: 2 -> 5", "b.d: 3 -> None", "b.e: None -> 4"]
    assert config.differences(old, old) == []


def test_keys_are_walked_with_the_sections_before_what_they_hold():
    section = {"a": 1, "b": {"c": [2], "d": {"e": None}}, "f": {}}
    assert [key for key, _ in config.walk(section)] == ["a", "b", "b.c", "b.d", "b.d.e", "f"]
    assert dict(config.leaves(section)) == {"a": 1, "b.c": [2], "b.d.e": None, "f": {}}


def test_several_greedy_answers_are_refused():
    with pytest.raises(config.ConfigError, match="samples=4 greedy answers are the same"):
        config.Evaluation(samples=4)
    assert config.Evaluation(samples=4, temperature=0.7).samples == 4
