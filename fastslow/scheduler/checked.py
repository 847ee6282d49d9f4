"""What a policy must be and give, so that one's own fails where it is wrong and not later."""

from __future__ import annotations

import json
from typing import Any

from fastslow import config, errors, hints, types

_METHODS = ("init", "decide", "observe")


class PolicyError(errors.UserError, TypeError):
    """A policy gave what is no decision; the message names it and what it gave."""


def policy(made: Any, name: str) -> None:
    """Raise ConfigError unless `made`, by the factory called `name`, has what a policy needs."""
    needed = [*(f"the method `{m}`" for m in _METHODS if not callable(getattr(made, m, None)))]
    if not isinstance(getattr(made, "probing", None), bool):
        needed.append("`probing`, True or False")
    if needed:
        raise config.ConfigError(
            f"scheduler {name!r} made {type(made).__name__}, which is no policy: it needs "
            f"{', '.join(needed)} (see fastslow.types.Scheduler)"
        )
    state(made.init(), made, "init")


def decision(given: Any, made: types.Scheduler) -> types.Decision:
    """Return what `decide` gave; raises PolicyError unless it is a decision."""
    if not isinstance(given, types.Decision):
        raise _error(made, "decide", given, "a fastslow.types.Decision")
    for budgets in ((given.fast_budget, given.slow_steps), *given.trials):
        if not all(hints.matches(budget, int) and budget >= 0 for budget in budgets):
            raise _error(made, "decide", given, "budgets that are integers and not negative")
    if not isinstance(given.guarded, bool):
        raise _error(made, "decide", given, "`guarded`, True or False")
    return given


def state(given: Any, made: types.Scheduler, method: str) -> types.Json:
    """Return what `init` or `observe` gave, as a resumed run would see it.

    Keys become text and tuples lists, so that a policy acts alike with and without a resume. Raises
    PolicyError unless JSON can hold it.
    """
    try:
        return json.loads(json.dumps(given))
    except (TypeError, ValueError) as error:
        raise _error(made, method, given, f"JSON values ({error})") from error


def _error(made: types.Scheduler, method: str, given: Any, wanted: str) -> PolicyError:
    return PolicyError(f"{type(made).__name__}.{method} must give {wanted}, gave {given!r}")
