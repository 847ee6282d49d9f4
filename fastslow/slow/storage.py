"""A pytree of arrays as a flat table of named leaves, and back into its structure."""

from __future__ import annotations

import jax
import numpy as np

from fastslow import types


def flatten(tree: types.PyTree) -> dict[str, np.ndarray]:
    """Return the leaves on the host by path, e.g. "opt_state.1.0.mu.blocks.q.a"."""
    return {name: np.asarray(leaf) for name, leaf in _named(tree)}


def unflatten(template: types.PyTree, leaves: dict[str, np.ndarray]) -> types.PyTree:
    """Rebuild a tree of the structure of `template` (arrays or shapes); node types come back too.

    Raises ValueError naming the first leaf that is missing, unknown, or of other shape or dtype.
    """
    wanted = dict(_named(template))
    for name in sorted({*wanted, *leaves}):
        if name not in leaves or name not in wanted:
            raise ValueError(f"saved state does not fit: {name} is in one of the two only")
        found, expected = leaves[name], wanted[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            raise ValueError(
                f"saved state does not fit: {name} is {found.dtype}{found.shape}, "
                f"expected {expected.dtype}{expected.shape}"
            )
    arrays = [jax.numpy.asarray(leaves[name]) for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(template), arrays)


def _named(tree: types.PyTree) -> list[tuple[str, jax.Array]]:
    return [
        (jax.tree_util.keystr(path, simple=True, separator="."), leaf)
        for path, leaf in jax.tree.leaves_with_path(tree)
    ]
