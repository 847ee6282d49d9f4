"""How much memory a cell needs and whether there is room for another one."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

GIGABYTE = 1e9


def available() -> int:
    """Return the bytes that new processes can get without swapping."""
    found: int = psutil.virtual_memory().available
    return found


def total() -> int:
    """Return the bytes of memory of this machine."""
    found: int = psutil.virtual_memory().total
    return found


def in_use(pid: int) -> int:
    """Return the resident bytes of a process and its children; 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0


def shortage(need: float, free: float, held: Iterable[float]) -> str:
    """Say why a cell that needs `need` bytes has to wait, or return "" if it has not.

    `free` bytes are available; running cells hold `held` bytes each, and each may yet grow to
    `need`.
    """
    left = free - sum(max(0.0, need - bytes_held) for bytes_held in held)
    if left >= need:
        return ""
    return (
        f"waiting for memory: a cell needs {need / GIGABYTE:.1f} GB, "
        f"{max(left, 0.0) / GIGABYTE:.1f} GB are left"
    )
