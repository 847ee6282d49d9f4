"""What is said of a policy that keeps to no contract."""

import re

import pytest

from fastslow import config, scheduler, types
from fastslow.scheduler import checked, fast_only


class Forgetful:
    probing = False

    def init(self):
        return {}

    def decide(self, state, lesson, probe):
        return types.Decision(1, 1, "")


class Unsure(fast_only.FastOnly):
    probing = "yes"


class Hoarder(fast_only.FastOnly):
    def init(self):
        return {"seen": {1, 2}}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("Forgetful", "made Forgetful, which is no policy: it needs the method `observe`"),
        ("Unsure", "made Unsure, which is no policy: it needs `probing`, True or False"),
        ("Hoarder", "Hoarder.init must give JSON values (Object of type set is not JSON"),
    ],
)
def test_what_is_no_policy_is_refused_when_it_is_built(made, message):
    with pytest.raises((config.ConfigError, checked.PolicyError), match=re.escape(message)):
        scheduler.build(f"{__name__}:{made}", {})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, "a fastslow.types.Decision, gave None"),
        ((10, 2, "why"), "a fastslow.types.Decision, gave (10, 2, 'why')"),
        (types.Decision(0, 1.5, "why"), "budgets that are integers and not negative"),
        (types.Decision(-1, 0, "why"), "budgets that are integers and not negative"),
        (
            types.Decision(0, 0, "why", (types.Budgets(0, "all"),)),
            "budgets that are integers and not negative",
        ),
        (types.Decision(0, 1, "why", guarded="no"), "`guarded`, True or False"),
    ],
)
def test_what_is_no_decision_is_named_with_the_policy(given, wanted):
    with pytest.raises(checked.PolicyError, match=re.escape(f"FastOnly.decide must give {wanted}")):
        checked.decision(given, fast_only.FastOnly())


def test_a_decision_and_a_state_pass_through():
    policy = fast_only.FastOnly()
    decision = types.Decision(1, 0, "why", (types.Budgets(0, 1),))
    assert checked.decision(decision, policy) is decision
    assert checked.state([1, None], policy, "observe") == [1, None]
    # as a checkpoint gives it back, so that a policy acts alike with and without a resume
    assert checked.state({4: (1, 2)}, policy, "observe") == {"4": [1, 2]}
