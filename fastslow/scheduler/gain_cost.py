"""The policy that pays for what it expects to gain: per channel, gain against drift and compute."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from fastslow import types

CHANNELS = ("fast", "slow")
FORM, CHOICE = "form", "choice"  # kinds of errors: no valid answer, and not the right one
_SUITED = {"fast": FORM, "slow": CHOICE}


class Offer(NamedTuple):
    """What a channel is expected to do with a lesson; numbers in units of reward."""

    gain: float
    drift: float  # price of the expected drift
    compute: float  # price of the expected compute
    why_not: str = ""  # why the channel is left out whatever it promises
    explorable: bool = True  # whether it could help all the same

    @property
    def net(self) -> float:
        """Expected gain minus both prices."""
        return -math.inf if self.why_not else self.gain - self.drift - self.compute


@dataclasses.dataclass(frozen=True)
class GainCost:
    """Use each channel only where its expected gain exceeds its price in drift and compute.

    The expected gain is the lesson's headroom (1 - validation reward) times the share of it that
    the channel is expected to close. That share is learned per kind of error, form or choice, and
    weighed by how many of the lesson's errors are of either kind (`Probe.malformed_share`); at
    first text is expected to mend forms and weights to mend choices (`suited`, `unsuited`). For a
    task that the channel was taught before, it is averaged with what it closed of that task lately.
    The channel that promises more comes first; the other one is expected to close its share only
    of what the first leaves. A measured gain teaches the less, the less there was to gain beside
    `gain_error`. The prices are `drift_price` per nat per token of drift that slow lessons caused
    lately, and `lesson_price` for the compute of a lesson by both channels, divided between them by
    their floating-point operations. The slow channel is out when no group of samples has reward
    variance or the drift budget is spent, the fast one when the prompt is full. A channel that does
    not pay is tried all the same with probability exploration / (1 + lessons so far), also with a
    full prompt: a search may find a shorter one. Where one channel is out, the other is tried once
    on a task whatever it promises.

    What weights do to other tasks is not expected but measured: if they moved, they are turned down
    where the mean validation reward over all tasks taught so far is lower for it, by more than its
    standard error (`guarded`). If they are, the slow channel has gained nothing, and is expected to
    gain the less next time. That takes `evaluation.probe_examples` answers of every such task for
    each lesson that moves the weights.
    """

    fast_budget: int = 160
    slow_steps: int = 6
    drift_price: float = 0.1  # reward per nat per token
    lesson_price: float = 0.05  # reward that the compute of both channels must bring
    suited: float = 0.5  # prior: share of the errors of its kind that an untried channel mends
    unsuited: float = 0.05  # and of the other kind
    memory: float = 0.5  # weight of the past against the newest observation
    gain_error: float = 0.1  # standard error of a measured gain, in reward
    exploration: float = 0.5
    full_prompt: float = 0.95  # share of its size limit from which a prompt counts as full
    guarded: bool = True  # turn moved weights down where the tasks so far are worse with them

    probing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raise ValueError for values out of range."""
        prices = ("drift_price", "lesson_price")
        for name in (*prices, "suited", "unsuited", "gain_error", "exploration"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.memory < 1:
            raise ValueError(f"memory must be in [0, 1), got {self.memory}")

    def init(self) -> types.Json:
        """Return what is known of the channels before any lesson: nothing."""
        known: types.Json = {
            name: {
                "kinds": {k: self.suited if k == own else self.unsuited for k in (FORM, CHOICE)},
                "closed": {},
                "flops": None,
            }
            for name, own in _SUITED.items()
        }
        return {**known, "step_drift": None, "drift": {}, "slow_lessons": 0}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the budgets of the channels that pay, and the reckoning as the reason."""
        offers = self._offers(state, lesson.task_name, probe)
        chosen = {name for name, offer in offers.items() if offer.net > 0}
        words = "; ".join(_words(name, offer) for name, offer in offers.items())
        fallback = self._fallback(state, lesson.task_name, probe, offers)
        if fallback and not chosen:
            chosen.add(fallback)
            words += f"; falls back on {fallback}, not tried on this task yet"
        if not math.isnan(probe.malformed_share):
            words = f"{probe.malformed_share:.0%} of errors are of form; {words}"
        idle = [name for name in CHANNELS if name not in chosen and offers[name].explorable]
        rng = random.Random(probe.draw)
        if idle and rng.random() < self.exploration / (1 + probe.lesson_number):
            tried = rng.choice(idle)
            chosen.add(tried)
            words += f"; explores {tried}"
        return types.Decision(
            self.fast_budget if "fast" in chosen else 0,
            self.slow_steps if "slow" in chosen else 0,
            words,
            guarded=self.guarded,
        )

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state with what the channels that worked closed, cost and drifted."""
        new = self._drifted(state, lesson.task_name, probe)
        headroom = 1.0 - probe.validation_reward
        for part in absorbed:
            if part.outcome in ("skipped", "failed"):  # an outage tells nothing of the channel
                continue
            known = state[part.channel]
            if headroom > 0 and not math.isnan(part.gain):
                known = self._worked(known, lesson.task_name, probe, part.gain, headroom)
            if part.cost.flops > 0:  # a channel that could not begin tells nothing of its price
                known = {**known, "flops": self._mix(known["flops"], part.cost.flops)}
            new[part.channel] = known
            new["slow_lessons"] += (part.channel, part.outcome) == ("slow", "changed")
            headroom -= 0.0 if math.isnan(part.gain) else part.gain
        return new

    def _fallback(
        self, state: types.Json, task: str, probe: types.Probe, offers: Mapping[str, Offer]
    ) -> str | None:
        """Return the channel that alone can help, if it was never tried on a task with errors."""
        if probe.validation_reward >= 1:
            return None
        able = [name for name in CHANNELS if not offers[name].why_not]
        untried = [name for name in able if task not in state[name]["closed"]]
        return untried[0] if len(able) == 1 and untried else None

    def _offers(self, state: types.Json, task: str, probe: types.Probe) -> dict[str, Offer]:
        headroom = 1.0 - probe.validation_reward
        offers = {name: self._offer(state, name, task, probe, headroom) for name in CHANNELS}
        first = max(CHANNELS, key=lambda name: offers[name].net)
        if offers[first].net > 0:
            left = headroom - offers[first].gain
            (second,) = {*CHANNELS} - {first}
            offers[second] = self._offer(state, second, task, probe, left)
        return offers

    def _offer(
        self, state: types.Json, name: str, task: str, probe: types.Probe, headroom: float
    ) -> Offer:
        share = _expected(state[name]["kinds"], probe)
        known = state[name]["closed"].get(task)
        gain = (share if known is None else (share + known) / 2) * headroom
        drift = self.drift_price * (state["step_drift"] or 0.0) if name == "slow" else 0.0
        compute = self.lesson_price * _share_of_compute(state, name)
        if name == "slow" and probe.silent_share >= 1:
            told = "no group of samples gives the weights a signal"
            return Offer(gain, drift, compute, told, explorable=False)
        if name == "slow" and probe.drift_fill >= 1:
            told = f"the drift budget is spent ({probe.drift:.2g} nats/token)"
            return Offer(gain, drift, compute, told, explorable=False)
        if name == "fast" and probe.prompt_fill >= self.full_prompt:
            changes = probe.prompt_fill < 1  # what cannot change at all is as full as can be
            return Offer(gain, drift, compute, "the prompt is full", explorable=changes)
        return Offer(gain, drift, compute)

    def _worked(
        self, known: Mapping[str, Any], task: str, probe: types.Probe, gain: float, headroom: float
    ) -> dict[str, Any]:
        """Move the expected share per kind of error towards the share that was closed.

        By normalised least mean squares: each kind is corrected in proportion to its weight in the
        expectation, which as a whole moves by (1 - memory) x trust of the surprise.
        """
        share = max(-1.0, min(1.0, gain / headroom))
        expected = _expected(known["kinds"], probe)
        trust = self._trust(headroom)
        weights = _kinds(probe)
        rate = trust * (1 - self.memory) / sum(weight**2 for weight in weights.values())
        kinds = {
            kind: known["kinds"][kind] + rate * weight * (share - expected)
            for kind, weight in weights.items()
        }
        old = known["closed"].get(task)
        start, pace = (expected, trust) if old is None else (old, trust * (1 - self.memory))
        closed = {**known["closed"], task: start + pace * (share - start)}
        return {**known, "kinds": kinds, "closed": closed}

    def _trust(self, headroom: float) -> float:
        """Return how much to believe a share of `headroom` that was measured, in [0, 1].

        Signal variance over signal plus measurement variance: where there was little headroom, a
        measured share is mostly noise.
        """
        signal = (self.suited * headroom) ** 2
        return signal / (signal + self.gain_error**2) if signal > 0 else 0.0

    def _drifted(self, state: types.Json, task: str, probe: types.Probe) -> dict[str, Any]:
        """Divide the drift since the task was probed last among the slow lessons since then.

        Drift is measured on the task's own answers, so only values of one task are compared; before
        the first lesson it is zero for every task.
        """
        if math.isnan(probe.drift):
            return dict(state)
        before, lessons = state["drift"].get(task, (0.0, 0))
        since = state["slow_lessons"] - lessons
        step_drift = state["step_drift"]
        if since > 0:
            step_drift = self._mix(step_drift, max(0.0, probe.drift - before) / since)
        drift = {**state["drift"], task: [probe.drift, state["slow_lessons"]]}
        return {**state, "step_drift": step_drift, "drift": drift}

    def _mix(self, old: float | None, new: float) -> float:
        return new if old is None else self.memory * old + (1 - self.memory) * new


def _kinds(probe: types.Probe) -> dict[str, float]:
    """Return the lesson's shares of errors by kind; half and half where they are unknown."""
    form = 0.5 if math.isnan(probe.malformed_share) else probe.malformed_share
    return {FORM: form, CHOICE: 1.0 - form}


def _expected(kinds: Mapping[str, float], probe: types.Probe) -> float:
    return sum(weight * kinds[kind] for kind, weight in _kinds(probe).items())


def _share_of_compute(state: types.Json, name: str) -> float:
    """Return the channel's share of the operations of a lesson by both; half while unknown."""
    spent = [state[channel]["flops"] for channel in CHANNELS]
    if None in spent or sum(spent) == 0:
        return 0.5
    own: float = state[name]["flops"]
    return own / sum(spent)


def _words(name: str, offer: Offer) -> str:
    if offer.why_not:
        return f"{name}: {offer.why_not}"
    price = offer.drift + offer.compute
    verdict = "" if offer.net > 0 else ", does not pay"
    return f"{name}: expects {offer.gain:+.3f} reward at a price of {price:.3f}{verdict}"
