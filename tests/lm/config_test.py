"""Sizes and RoPE variants against the published formulas."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from fastslow.lm import config
from tests.lm import numpy_decoder, small

LLAMA3 = (
    ("factor", 8.0),
    ("low_freq_factor", 1.0),
    ("high_freq_factor", 4.0),
    ("original_max_position_embeddings", 64.0),
)
YARN = (("factor", 4.0), ("original_max_position_embeddings", 256.0))
ROPES = {
    "none": config.Rope(1e4),
    "linear": config.Rope(1e4, "linear", (("factor", 4.0),)),
    "llama3": config.Rope(1e4, "llama3", LLAMA3),
    "yarn": config.Rope(1e4, "yarn", YARN),
    "factors": config.Rope(1e4, "factors", (), tuple(1.0 + np.arange(16) / 4)),
}


@pytest.mark.parametrize("name", ROPES)
def test_frequencies_follow_the_published_formula(name):
    expected = [numpy_decoder.frequency(ROPES[name], 32, pair) for pair in range(16)]
    frequencies = config.inverse_frequencies(ROPES[name], 32)
    assert frequencies.dtype == np.float32
    np.testing.assert_allclose(frequencies, expected, rtol=1e-6)


def test_scalings_keep_fast_rotations_and_slow_down_slow_ones():
    plain = config.inverse_frequencies(ROPES["none"], 32)
    for name in ("llama3", "yarn"):
        ratio = plain / config.inverse_frequencies(ROPES[name], 32)
        assert ratio[0] == 1.0
        assert ratio[-1] == pytest.approx(dict(ROPES[name].parameters)["factor"])
        assert np.all(np.diff(ratio) >= 0)
        assert np.any((ratio > 1.01) & (ratio < ratio[-1] * 0.99))


def test_attention_scale():
    assert config.attention_scale(ROPES["llama3"]) == 1.0
    assert config.attention_scale(ROPES["yarn"]) == pytest.approx(1 + 0.1 * np.log(4.0))
    given = config.Rope(1e4, "yarn", (*YARN, ("attention_factor", 1.5)))
    assert config.attention_scale(given) == 1.5


def test_rope_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="high_freq_factor"):
        config.Rope(1e4, "llama3", LLAMA3[:2])
    with pytest.raises(ValueError, match="ntk"):
        config.Rope(1e4, "ntk")
    with pytest.raises(ValueError, match="factors"):
        config.Rope(1e4, "none", (), (1.0, 2.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 3}, "kv_heads"),
        ({"head_dim": 7}, "head_dim"),
        ({"rope": ROPES["factors"]}, "16"),
    ],
)
def test_decoder_config_rejects_inconsistent_sizes(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small.CONFIG, **change)


@pytest.mark.parametrize("tied", [True, False])
def test_multiplied_parameters_counts_the_matrices(tied):
    shape = dataclasses.replace(small.CONFIG, tied=tied, qkv_bias=True)
    params = small.params(shape)
    matrices = {name: leaf for name, leaf in params["blocks"].items() if "kernel" in leaf}
    in_blocks = sum(layer["kernel"].size for layer in matrices.values())
    head = params["embed"]["embedding"] if tied else params["head"]["kernel"]
    assert shape.multiplied_parameters == in_blocks + head.size
    assert len(jax.tree.leaves(params)) == 9 + 2 + (not tied) + 3
