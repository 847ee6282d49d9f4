"""Derivation of every random choice from the run's seed.

A derived seed depends only on the run seed and a path of names, never on how many numbers were
drawn before, so that a resumed run and an uninterrupted run see the same randomness.
"""

import hashlib


def derive(seed: int, *path: str | int) -> int:
    """Return a seed in [0, 2**31) for the place `path`, as in `derive(seed, "slow", 3)`."""
    text = "/".join([str(seed), *(f"{type(part).__name__}:{part}" for part in path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
