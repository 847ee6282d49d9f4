"""The slow channel: teach a lesson by gradient steps on the weights, the prompts held fixed."""

from __future__ import annotations

import dataclasses
import functools
import reprlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fastslow import errors, learner, seeds, types
from fastslow.lm import decoder, source, weights
from fastslow.lm import engine as engine_lib
from fastslow.lm import model as model_lib
from fastslow.slow import batching, contracts, probing, training, trust_region, update
from fastslow.slow import settings as settings_lib
from fastslow.slow.anchors import parts as anchor_parts

OnStep = Callable[[int, int, Mapping[str, float]], None]  # (step from 1, steps, metrics)
PromptsOf = Callable[[types.Json, str], tuple[types.Prompt, ...]]  # (fast state, task name)


class Taught(NamedTuple):
    """What the steps of a lesson have come to so far."""

    state: training.State
    steps: tuple[dict[str, float], ...] = ()  # metrics
    rows: tuple[contracts.Row, ...] = ()  # all completions, silent ones included
    batches: tuple[contracts.MicroBatch, ...] = ()  # of the last step with a signal
    cost: types.Cost = types.Cost()
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class GradientChannel:
    """Absorb lessons by gradient steps on an adapter's trainable delta (a `types.Channel`).

    A lesson's examples are cut into as many minibatches as the budget has steps; each step gathers
    experience under the current weights (`objective.collect`) with the population that
    `prompts_of(fast_state, task_name)` gives, best first, and takes one optimiser step. A step in
    which no group has reward variance moves nothing, not even by weight decay or anchors. The
    lesson is rejected, and the state before it returned as it was, when no step had a signal or
    moved the weights, when a value is not finite or explodes, or when no share of the change keeps
    the drift cap.
    """

    model: model_lib.LanguageModel
    engine: engine_lib.Engine
    tasks: Mapping[str, types.Task]
    prompts_of: PromptsOf
    adapter: contracts.Adapter
    objective: contracts.Objective
    anchors: Mapping[str, contracts.Anchor]
    settings: settings_lib.Settings
    on_step: OnStep | None = None

    def init(self, seed: int) -> training.State:
        """Return the untrained state: the bound model computes what the base computes."""
        trainable = self.adapter.init(seed, self.model.params)
        anchors = {}
        for name, anchor in self.anchors.items():
            with errors.during(f"anchor {name!r} was initialised"):
                anchors[name] = _arrays(anchor.init(trainable))
        return training.State(trainable, self._optimizer.init(trainable), anchors, jnp.int32(0))

    def variables(self, state: training.State) -> contracts.Variables:
        """Return the Flax collections to run the decoder with."""
        return self.adapter.bind(self.model.params, state.trainable)

    def dense(self, state: training.State, dtype: source.Dtype) -> types.PyTree:
        """Return parameters without an adapter that compute the same, kernels in `dtype`.

        The base is cast before the delta is added, so that float32 keeps all of a small delta.
        """
        return self.adapter.merge(weights.cast(self.model.params, dtype), state.trainable)

    def absorb(
        self, state: types.ModelState, lesson: types.Lesson, budget: int, seed: int
    ) -> tuple[training.State, types.Absorbed]:
        """Take `budget` steps on the lesson.

        `reward_before` and `reward_after` are the mean rewards of the first and the last step's own
        rollouts: different problems at temperature 1, so a noisy view of training, not an
        evaluation; NaN for objectives that sample nothing. `details` holds the metrics of every
        step.
        """
        if budget < 1 or not lesson.examples:
            reason = "no slow steps in the budget" if budget < 1 else "the lesson has no examples"
            return state.slow, types.Absorbed("slow", "skipped", reason)
        started = time.perf_counter()
        taught = self._teach(state, lesson, budget, seed)
        after, verdict = self._conclude(state.slow, taught)
        seconds = time.perf_counter() - started
        return after, verdict._replace(cost=verdict.cost._replace(seconds=seconds))

    def probe(self, state: types.ModelState, lesson: types.Lesson, seed: int) -> learner.Measured:
        """Measure what a step on the lesson's first examples would see and do (see `probing`)."""
        examples = lesson.examples[: self.settings.probe_examples]
        if not examples:
            return learner.Measured()
        started = time.perf_counter()
        sampler = self._sampler(state.slow, lesson.task_name)
        prompts = self.prompts_of(state.fast, lesson.task_name)
        experience = self._collect(sampler, prompts, examples, seed)
        facts, sketch = probing.gradient_facts(
            self._updater, self.model.params, state.slow, experience, self.settings
        )
        drift, cost = self._drift(sampler.variables, experience)
        tokens = batching.train_tokens(
            batching.micro_batches(experience.rows, self.settings.micro_rows)
        )
        facts = {**probing.sampled_facts(experience), **facts, "drift": drift}
        if self.settings.drift_budget:
            facts["drift_fill"] = drift / self.settings.drift_budget
        cost += experience.cost + self._train_cost(tokens)
        return learner.Measured(facts, sketch, cost._replace(seconds=time.perf_counter() - started))

    def save(self, state: training.State) -> types.Saved:
        """Return the state as it is; the text names the base model that it is a delta of."""
        return types.Saved(state, {"base": self.model.digest})

    def restore(self, saved: types.Saved) -> training.State:
        """Invert `save`; ValueError for another base model.

        `checkpoint.restore` has checked that the leaves fit this adapter, optimiser and anchors.
        """
        if saved.text["base"] != self.model.digest:
            raise ValueError(
                f"saved for base model {saved.text['base']}, this one is {self.model.digest}"
            )
        state: training.State = saved.arrays
        return state

    @functools.cached_property
    def _optimizer(self) -> optax.GradientTransformation:
        s = self.settings
        return update.adamw(s.learning_rate, s.warmup_steps, s.clip_norm, s.weight_decay)

    @functools.cached_property
    def _reads_outputs(self) -> bool:
        return any(anchor_parts.reads_outputs(anchor) for anchor in self.anchors.values())

    @functools.cached_property
    def _updater(self) -> update.Updater:
        forward = functools.partial(
            decoder.completion_logits, self.model.config, remat=self.settings.remat
        )
        return update.make(
            update.Parts(forward, self.adapter, self.objective, self.anchors, self._optimizer)
        )

    def _teach(
        self, state: types.ModelState, lesson: types.Lesson, budget: int, seed: int
    ) -> Taught:
        """Take the steps of a lesson, up to the first that must not be used."""
        prompts = self.prompts_of(state.fast, lesson.task_name)
        taught = Taught(state.slow)
        for number, examples in enumerate(batching.minibatches(lesson.examples, budget)):
            sampler = self._sampler(taught.state, lesson.task_name)
            started = time.perf_counter()
            experience = self._collect(
                sampler, prompts, examples, seeds.derive(seed, "step", number)
            )
            seconds = time.perf_counter() - started
            taught = self._learn(taught, experience, seconds)
            if self.on_step is not None:
                self.on_step(number + 1, budget, taught.steps[-1])
            if taught.problem is not None:
                break
        return taught

    def _collect(
        self,
        sampler: contracts.Sampler,
        prompts: Sequence[types.Prompt],
        examples: Sequence[types.Example],
        seed: int,
    ) -> contracts.Experience:
        with errors.during("the objective was collecting what a step learns from"):
            given: Any = self.objective.collect(sampler, prompts, examples, seed)
        if isinstance(given, contracts.Experience):
            return given
        raise contracts.ContractError(
            f"the objective's collect gave {reprlib.repr(given)}: it must give an Experience"
        )

    def _sampler(self, state: training.State, task_name: str) -> contracts.Sampler:
        return contracts.Sampler(
            self.engine,
            self.model.chat,
            self.variables(state),
            self.tasks[task_name].scorer,
            self.settings.rollouts,
            self.settings.max_tokens,
        )

    def _learn(
        self, taught: Taught, experience: contracts.Experience, collect_seconds: float
    ) -> Taught:
        """Take one step on what was gathered; no step when no group had reward variance."""
        metrics = {
            "reward": experience.reward,
            "groups": experience.groups,
            "silent_groups": experience.silent_groups,
            "rows": len(experience.rows),
            "collect_seconds": collect_seconds,
        }
        taught = taught._replace(
            rows=taught.rows + experience.rows + experience.silent_rows,
            cost=taught.cost + experience.cost,
        )
        if not experience.rows:
            return taught._replace(steps=(*taught.steps, metrics))
        silent_rows = experience.silent_rows if self._reads_outputs else ()
        started = time.perf_counter()
        step = training.take(
            self._updater,
            self.model.params,
            taught.state,
            experience.rows + silent_rows,
            experience.tokens,
            self.settings,
        )
        seconds = time.perf_counter() - started
        tokens = batching.train_tokens(step.batches)
        metrics |= step.metrics | {
            "train_tokens": tokens,
            "update_seconds": seconds,
            "tokens_per_second": tokens / seconds,
        }
        return taught._replace(
            state=step.state,
            steps=(*taught.steps, metrics),
            batches=step.batches,
            cost=taught.cost
            + self._train_cost(tokens, self._reads_outputs)
            + self._step_cap_cost(step),
            problem=step.problem,
        )

    def _drift(
        self, variables: contracts.Variables, experience: contracts.Experience
    ) -> tuple[float, types.Cost]:
        """Return KL(policy || base) on some of the answers, nats per token, and what it cost."""
        rows = trust_region.sample(
            experience.rows + experience.silent_rows, self.settings.probe_examples
        )
        policy, cost = trust_region.read(self.engine, variables, rows)
        base, base_cost = trust_region.read(self.engine, {"params": self.model.params}, rows)
        drift, _ = self.engine.divergence(policy, base)
        return drift, cost + base_cost

    def _train_cost(self, tokens: int, reference: bool = False) -> types.Cost:
        """Return what a gradient over `tokens` costs; `reference`: the base reads them too."""
        passes = 3 + self.settings.remat + reference  # a backward pass counts as two forward ones
        flops = 2.0 * passes * self.model.config.multiplied_parameters * tokens
        return types.Cost(train_tokens=tokens, flops=flops)

    def _step_cap_cost(self, step: training.Step) -> types.Cost:
        """Return what holding a step under its cap cost: its first micro-batch, read each time."""
        evaluations = int(step.metrics.get("step_evaluations", 0))
        tokens = evaluations * batching.train_tokens(step.batches[:1])
        return types.Cost(tokens, flops=2.0 * self.model.config.multiplied_parameters * tokens)

    def _conclude(
        self, old: training.State, taught: Taught
    ) -> tuple[training.State, types.Absorbed]:
        """Keep the lesson's result, shorten it to the drift cap, or turn it down."""
        report = self._report(taught)
        if taught.problem is not None:
            reason = f"step {len(taught.steps)}: {taught.problem}"
            return old, report._replace(outcome="rejected", reason=reason)
        if not any(_moved(step) for step in taught.steps):
            reason = report.reason if taught.batches else _silence(taught)
            return old, report._replace(outcome="rejected", reason=reason)
        trainable = taught.state.trainable
        if self.settings.drift_cap:
            trainable, capped, cost = trust_region.hold(
                self.engine,
                functools.partial(self.adapter.bind, self.model.params),
                (old.trainable, trainable),
                trust_region.sample(taught.rows, self.settings.drift_rows),
                self.settings.drift_cap,
                self.settings.drift_evaluations,
            )
            details = {**report.details, "drift": capped._asdict()}
            report = report._replace(cost=report.cost + cost, details=details)
            if capped.scale == 0.0:
                reason = f"no share of the change keeps the drift cap {self.settings.drift_cap:g}"
                return old, report._replace(outcome="rejected", reason=reason)
        new = taught.state._replace(trainable=trainable)
        return self._consolidate(new, taught.batches), report

    def _report(self, taught: Taught) -> types.Absorbed:
        return types.Absorbed(
            channel="slow",
            outcome="changed",
            reason=_signals(taught),
            reward_before=taught.steps[0]["reward"],
            reward_after=taught.steps[-1]["reward"],
            cost=taught.cost,
            details={"steps": list(taught.steps)},
        )

    def _consolidate(
        self, state: training.State, batches: tuple[contracts.MicroBatch, ...]
    ) -> training.State:
        """Let every anchor take up what was learnt."""
        logits = functools.partial(self._updater.logits, self.model.params)
        evidence = contracts.Evidence(batches, logits)
        anchors = {}
        for name, anchor in self.anchors.items():
            with errors.during(f"anchor {name!r} was taking up what a lesson taught"):
                new = anchor.consolidate(state.trainable, state.anchors[name], evidence)
                anchors[name] = _arrays(new)
        return state._replace(anchors=anchors)


def _arrays(tree: types.PyTree) -> types.PyTree:
    """Return a plug-in's state with numbers as arrays, which is what a checkpoint gives back."""
    return jax.tree.map(
        lambda x: x if isinstance(x, jax.Array) else jnp.asarray(np.asarray(x)), tree
    )


def _moved(step: Mapping[str, float]) -> bool:
    """Say whether a step changed the weights: it had a signal, and the step cap left some of it."""
    return step.get("update_norm", 0.0) > 0 and step.get("step_scale", 1.0) > 0


def _signals(taught: Taught) -> str:
    heard = [step for step in taught.steps if "loss" in step]
    told = f"{len(heard)} of {len(taught.steps)} steps had a signal"
    still = sum(not _moved(step) for step in heard)
    held = sum(step.get("step_scale") == 0 for step in heard)
    if held:
        told += f", {held} of them held in place by the step cap"
    return told + f", {still - held} of them without any change" if still > held else told


def _silence(taught: Taught) -> str:
    groups = sum(step["groups"] for step in taught.steps)
    reward = np.mean([step["reward"] for step in taught.steps])
    return f"no reward variance in any of {groups} groups (mean reward {reward:.3g})"
