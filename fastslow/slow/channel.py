"""The slow channel: teach a lesson by gradient steps on the weights, the prompts held fixed."""

from __future__ import annotations

import dataclasses
import functools
import reprlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fastslow import errors, learner, seeds, types
from fastslow.lm import decoder, source, weights
from fastslow.lm import engine as engine_lib
from fastslow.lm import model as model_lib
from fastslow.slow import batching, contracts, probing, steps, training, trust_region, update
from fastslow.slow import settings as settings_lib
from fastslow.slow.anchors import parts as anchor_parts

OnStep = Callable[[int, int, Mapping[str, float]], None]  # (step from 1, steps, metrics)
PromptsOf = Callable[[types.Json, str], tuple[types.Prompt, ...]]  # (fast state, task name)


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
        trainable = _arrays(self.adapter.init(seed, self.model.params))
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
    ) -> steps.Taught:
        """Take the steps of a lesson, up to the first that must not be used."""
        prompts = self.prompts_of(state.fast, lesson.task_name)
        taught = steps.Taught(state.slow)
        for number, examples in enumerate(batching.minibatches(lesson.examples, budget)):
            sampler = self._sampler(taught.state, lesson.task_name)
            started = time.perf_counter()
            experience = self._collect(
                sampler, prompts, examples, seeds.derive(seed, "step", number)
            )
            seconds = time.perf_counter() - started
            taught = self._learn(taught, experience, seconds)
            if self.on_step is not None:
                self.on_step(number + 1, budget, taught.reports[-1].facts())
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
        self, taught: steps.Taught, experience: contracts.Experience, collect_seconds: float
    ) -> steps.Taught:
        """Take one step on what was gathered; no step when no group had reward variance."""
        taught, report = steps.gathered(taught, experience, collect_seconds)
        if not experience.rows:
            return taught._replace(reports=(*taught.reports, report))
        silent_rows = experience.silent_rows if self._reads_outputs else ()
        rows, params = experience.rows + silent_rows, self.model.params
        started = time.perf_counter()
        step = training.take(
            self._updater, params, taught.state, rows, experience.tokens, self.settings
        )
        seconds = time.perf_counter() - started
        tokens = batching.train_tokens(step.batches)
        report = report._replace(update=step.update, train_tokens=tokens, update_seconds=seconds)
        train_cost = self._train_cost(tokens, self._reads_outputs)
        return taught._replace(
            state=step.state,
            reports=(*taught.reports, report),
            batches=step.batches,
            cost=taught.cost + train_cost + self._step_cap_cost(step),
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
        flops = self.model.config.forward_flops(passes * tokens)
        return types.Cost(train_tokens=tokens, flops=flops)

    def _step_cap_cost(self, step: training.Step) -> types.Cost:
        """Return what holding a step under its cap cost: its first micro-batch, read each time."""
        if step.update.capped is None:
            return types.Cost()
        tokens = step.update.capped.evaluations * batching.train_tokens(step.batches[:1])
        return types.Cost(prompt_tokens=tokens, flops=self.model.config.forward_flops(tokens))

    def _conclude(
        self, old: training.State, taught: steps.Taught
    ) -> tuple[training.State, types.Absorbed]:
        """Keep the lesson's result, shorten it to the drift cap, or turn it down."""
        report = self._report(taught)
        if taught.problem is not None:
            reason = f"step {len(taught.reports)}: {taught.problem}"
            return old, report._replace(outcome="rejected", reason=reason)
        if not taught.moved:
            return old, report._replace(outcome="rejected")
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
            if capped.scale < 1.0:
                told = f"{report.reason}; the drift cap left {capped.scale:.0%} of the change"
                report = report._replace(reason=told)
        new = taught.state._replace(trainable=trainable)
        return self._consolidate(new, taught.batches), report

    def _report(self, taught: steps.Taught) -> types.Absorbed:
        return types.Absorbed(
            channel="slow",
            outcome="changed",
            reason=steps.outcome(taught),
            reward_before=taught.reports[0].reward,
            reward_after=taught.reports[-1].reward,
            cost=taught.cost,
            details={"steps": [report.facts() for report in taught.reports]},
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
