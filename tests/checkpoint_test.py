import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fastslow import checkpoint, files, types


class _State(NamedTuple):
    trainable: Any
    steps: Any


def _saved(event: int = 0) -> types.Saved:
    arrays = {
        "slow": _State({"a": jnp.arange(6, dtype=jnp.float32).reshape(2, 3) + event}, np.int64(9)),
        "mixed": [
            jnp.arange(3, dtype=jnp.bfloat16) / 3,
            np.array([True, False]),
            np.zeros((0, 4), np.int8),
            np.float32(0.1),
            jnp.int32(event),
            jax.random.key(event),
            2.5,
            7,
            None,
        ],
        "empty": {},
    }
    text = {"position": event, "fast": ["prompt ü\n\ud800"], "threshold": 0.1 + 0.2, "none": None}
    return types.Saved(arrays, text)


def _blank(arrays):
    """Same structure and kinds, other values, so that nothing can leak from the target."""
    return jax.tree.map(
        lambda x: (
            jax.random.key(99)
            if jnp.issubdtype(getattr(x, "dtype", int), jax.dtypes.prng_key)
            else x * False
        ),
        arrays,
    )


def _assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for got, want in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert type(got) is type(want)
        if isinstance(want, jax.Array | np.ndarray):
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if isinstance(want, jax.Array) and jnp.issubdtype(want.dtype, jax.dtypes.prng_key):
            got, want = jax.random.key_data(got), jax.random.key_data(want)
        np.testing.assert_array_equal(got, want)


def test_every_kind_of_leaf_and_the_text_come_back_exactly(tmp_path):
    saved = _saved(3)
    directory = checkpoint.save(tmp_path, 3, saved)
    assert directory == tmp_path / "checkpoints" / "3"
    restored = checkpoint.restore(tmp_path, 3, _blank(saved.arrays))
    _assert_same(restored.arrays, saved.arrays)
    assert restored.text == saved.text


def test_the_state_of_an_optimiser_keeps_its_node_types(tmp_path):
    trainable = {"blocks": {"q": {"a": jnp.arange(6.0).reshape(2, 3)}}}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
    fresh = optimizer.init(trainable)
    _, state = optimizer.update(jax.tree.map(jnp.ones_like, trainable), fresh, trainable)
    checkpoint.save(tmp_path, 0, types.Saved({"slow": state}, {}))
    _assert_same(checkpoint.restore(tmp_path, 0, {"slow": fresh}).arrays, {"slow": state})


def test_a_run_without_arrays_is_saved_too(tmp_path):
    checkpoint.save(tmp_path, 0, types.Saved({"slow": {}, "fast": None}, {"nan": float("nan")}))
    restored = checkpoint.restore(tmp_path, 0, {"slow": {}, "fast": None})
    assert restored.arrays == {"slow": {}, "fast": None}
    assert np.isnan(restored.text["nan"])


def test_all_checkpoints_stay_if_asked_to(tmp_path):
    for event in range(4):
        checkpoint.save(tmp_path, event, types.Saved({}, event), keep=checkpoint.ALL)
    assert checkpoint.events(tmp_path) == [0, 1, 2, 3]
    checkpoint.save(tmp_path, 4, types.Saved({}, 4))
    assert checkpoint.events(tmp_path) == [3, 4]


def test_latest_is_none_before_the_first_and_old_ones_are_dropped(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    for event in (8, 9, 10):
        checkpoint.save(tmp_path, event, _saved(event), keep=2)
    assert checkpoint.latest(tmp_path) == 10
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["10", "9"]


def test_what_a_killed_save_had_yet_to_drop_goes_on_resuming(tmp_path):
    for event in range(5):
        checkpoint.save(tmp_path, event, types.Saved({}, event), keep=checkpoint.ALL)
    checkpoint.discard_after(tmp_path, 3, keep=checkpoint.ALL)
    assert checkpoint.events(tmp_path) == [0, 1, 2, 3]
    checkpoint.discard_after(tmp_path, 3, keep=2)
    assert checkpoint.events(tmp_path) == [2, 3]


def _largest_file(directory):
    return max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def _truncate(directory):
    path = _largest_file(directory / "arrays")
    path.write_bytes(path.read_bytes()[:-1])
    return path


def _flip(directory):
    path = directory / "state.json"
    path.write_text(path.read_text("utf-8").replace("position", "positiom"), "utf-8")
    return path


def _remove(directory):
    path = _largest_file(directory / "arrays")
    path.unlink()
    return path


def _tear_manifest(directory):
    path = directory / "manifest.json"
    path.write_bytes(path.read_bytes()[:40])
    return path


@pytest.mark.parametrize("damage", [_truncate, _flip, _remove, _tear_manifest])
def test_damage_is_named_and_the_one_before_is_used(tmp_path, damage):
    for event in (1, 2):
        checkpoint.save(tmp_path, event, _saved(event))
    path = damage(tmp_path / "checkpoints" / "2")
    with pytest.warns(UserWarning, match="damaged checkpoint") as caught:
        assert checkpoint.latest(tmp_path) == 1
    assert str(path) in str(caught[0].message)
    with pytest.raises(checkpoint.CheckpointError, match=path.name):
        checkpoint.restore(tmp_path, 2, _saved().arrays)
    checkpoint.save(tmp_path, 2, _saved(2))  # the damaged one does not stand in the way
    assert checkpoint.latest(tmp_path) == 2


def test_a_valid_checkpoint_is_never_overwritten(tmp_path):
    checkpoint.save(tmp_path, 1, _saved(1))
    with pytest.raises(FileExistsError, match="already a valid checkpoint"):
        checkpoint.save(tmp_path, 1, _saved(2))
    assert checkpoint.restore(tmp_path, 1, _saved().arrays).text["position"] == 1


def test_a_target_that_does_not_fit_is_refused_leaf_by_leaf(tmp_path):
    checkpoint.save(
        tmp_path,
        0,
        types.Saved({"w": jnp.zeros((2, 3)), "old": jnp.ones(1), "b": jnp.zeros(2)}, {}),
    )
    target = {"w": jnp.zeros((3, 2)), "new": jnp.ones(1), "b": jnp.zeros(2, jnp.bfloat16)}
    with pytest.raises(checkpoint.CheckpointError) as caught:
        checkpoint.restore(tmp_path, 0, target)
    message = str(caught.value)
    assert "['w']: ['float32', [2, 3]] in the checkpoint, ['float32', [3, 2]] now" in message
    assert "['old']: ['float32', [1]] in the checkpoint, absent now" in message
    assert "['new']: absent in the checkpoint" in message
    assert "['b']: ['float32', [2]] in the checkpoint, ['bfloat16', [2]] now" in message


@pytest.mark.parametrize("schema", [checkpoint.SCHEMA - 1, 99])
def test_another_schema_is_an_error_and_not_a_fallback(tmp_path, schema):
    for event in (1, 2):
        checkpoint.save(tmp_path, event, _saved(event))
    path = tmp_path / "checkpoints" / "2" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema}))
    refusal = f"schema {schema}; this program reads {checkpoint.SCHEMA}: start anew"
    with pytest.raises(checkpoint.CheckpointError, match=refusal):
        checkpoint.latest(tmp_path)


def _full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (os, "rename"),
        (files, "write_bytes_atomic"),
        (files, "write_json_atomic"),
        (checkpoint.ocp.Checkpointer, "save"),
    ],
)
def test_a_full_disk_leaves_the_checkpoints_as_they_were(tmp_path, monkeypatch, module, call):
    checkpoint.save(tmp_path, 1, _saved(1))
    with monkeypatch.context() as patch:
        patch.setattr(module, call, _full)
        with pytest.raises(files.WriteError, match=r"checkpoints/2.*: No space left on device"):
            checkpoint.save(tmp_path, 2, _saved(2))
    assert os.listdir(tmp_path / "checkpoints") == ["1"]
    assert checkpoint.latest(tmp_path) == 1
    checkpoint.save(tmp_path, 2, _saved(2))
    assert checkpoint.latest(tmp_path) == 2


def test_a_full_disk_reported_by_tensorstore_becomes_a_write_error(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise ValueError("RESOURCE_EXHAUSTED: Failed writing: x [os_error_code='28']")

    monkeypatch.setattr(checkpoint.ocp.Checkpointer, "save", full)
    with pytest.raises(files.WriteError, match="No space left") as caught:
        checkpoint.save(tmp_path, 0, _saved())
    assert caught.value.errno == errno.ENOSPC


_SAVER = """
import itertools, sys
import numpy as np
from fastslow import checkpoint, types
start = checkpoint.latest(sys.argv[1])
print("ready", flush=True)
for event in itertools.count(0 if start is None else start + 1):
    arrays = {"w": np.full((300, 1000), event, np.float32)}
    checkpoint.save(sys.argv[1], event, types.Saved(arrays, {"position": event}))
"""


def test_killed_at_random_instants_the_directory_stays_restorable(tmp_path):
    instants = random.Random(0)
    target = {"w": np.zeros((300, 1000), np.float32)}
    reached = -1
    for attempt in range(60):
        if attempt >= 6 and reached >= 1:
            break
        process = subprocess.Popen(
            [sys.executable, "-c", _SAVER, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(instants.uniform(0.0, 0.4 + attempt / 10))
        process.send_signal(signal.SIGKILL)
        process.wait()
        event = checkpoint.latest(tmp_path)
        assert event is None or event >= reached
        if event is not None:
            restored = checkpoint.restore(tmp_path, event, target)
            assert restored.text == {"position": event}
            np.testing.assert_array_equal(restored.arrays["w"], event)
            reached = event
    assert reached >= 1  # otherwise nothing was tested


_SHARDED = """
import sys
import jax, jax.numpy as jnp, numpy as np
from fastslow import checkpoint, types
mesh = jax.make_mesh((4,), ("data",))
rows = jax.NamedSharding(mesh, jax.P("data"))
value = jax.device_put(jnp.arange(32.0).reshape(8, 4), rows)
checkpoint.save(sys.argv[1], 0, types.Saved({"w": value}, {}))
restored = checkpoint.restore(sys.argv[1], 0, {"w": jax.device_put(jnp.zeros((8, 4)), rows)})
assert restored.arrays["w"].sharding == rows, restored.arrays["w"].sharding
np.testing.assert_array_equal(restored.arrays["w"], value)
one = checkpoint.restore(sys.argv[1], 0, {"w": jnp.zeros((8, 4))}).arrays["w"]
assert len(one.sharding.device_set) == 1
np.testing.assert_array_equal(one, value)
"""


def test_arrays_over_several_devices_keep_the_sharding_of_the_target(tmp_path):
    flag = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flag}
    done = subprocess.run(
        [sys.executable, "-c", _SHARDED, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
