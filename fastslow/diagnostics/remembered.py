"""Results that many runs share, computed once and kept in the user's cache directory."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Callable

from fastslow import cache, files, run_directory, types
from fastslow.report import records

SCHEMA = 1


def remembered(
    kind: str, key: types.Json, compute: Callable[[], types.Json]
) -> tuple[types.Json, bool]:
    """Return the result for `key`, and whether it was known already.

    `key` is JSON and holds all that the result depends on but the versions of packages and our own
    source code, which are added: any change of it computes anew (that of one's own plug-ins does
    not show). Of several processes one computes and the others wait. Raises files.WriteError.
    """
    made_with = {"versions": run_directory.versions(), "sources": run_directory.source_digest()}
    whole = {"schema": SCHEMA, "key": key, **made_with}
    path = path_of(kind, whole)
    with cache.locked(path):
        known = _read(path)
        if known is not None:
            return known, True
        result = records.plain(compute())
        files.write_json_atomic(path, {**whole, "result": result})
        return result, False


def path_of(kind: str, key: types.Json) -> pathlib.Path:
    """Return the file of a result."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache.directory() / kind / f"{digest[:24]}.json"


def _read(path: pathlib.Path) -> types.Json:
    """Return a stored result; None if there is none, or a damaged one."""
    try:
        return json.loads(path.read_text("utf-8"))["result"]
    except (OSError, ValueError, KeyError):
        return None
