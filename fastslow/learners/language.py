"""The language-model learner: adapters in the slow channel, prompts in the fast channel."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from fastslow import config, learner, registry, seeds, types
from fastslow.fast import channel as fast_channel
from fastslow.fast import prompt as prompts
from fastslow.fast import settings as fast_settings
from fastslow.learners import frozen_weights, memo, room, seed_prompts
from fastslow.lm import engine as engines
from fastslow.lm import model as models
from fastslow.lm import policy as policies
from fastslow.lm import source
from fastslow.report import happenings
from fastslow.slow import adapters, anchors, contracts, objectives
from fastslow.slow import channel as slow_channel
from fastslow.slow import settings as slow_settings


class FastChannel(types.Channel, Protocol):
    """A channel whose state is prompts."""

    def prompts(self, state: Any, task_name: str) -> tuple[types.Prompt, ...]:
        """Return the task's population, best first."""
        ...

    def best(self, state: Any, task_name: str) -> types.Prompt:
        """Return the prompt to answer with."""
        ...

    def reselect(self, state: types.ModelState, lesson_index: int, seed: int) -> learner.Reselected:
        """Return the state with the best prompts chosen again after a lesson changed something."""
        ...

    def fill(self, state: Any, task_name: str) -> float:
        """Return the share of its size limit that the best prompt takes; 0 without a limit."""
        ...

    def export(self, state: Any, directory: pathlib.Path) -> None:
        """Write the learned prompts as files."""
        ...


class SlowChannel(types.Channel, Protocol):
    """A channel whose state is weights."""

    def variables(self, state: Any) -> contracts.Variables:
        """Return the Flax collections to run the decoder with."""
        ...

    def probe(self, state: types.ModelState, lesson: types.Lesson, seed: int) -> learner.Measured:
        """Return what the channel can tell about a lesson before learning it."""
        ...

    def dense(self, state: Any, dtype: source.Dtype) -> types.PyTree:
        """Return parameters without an adapter that compute the same, in `dtype`."""
        ...


class Context(NamedTuple):
    """What both channels are built from."""

    model: models.LanguageModel
    engine: engines.Engine
    tasks: Mapping[str, types.Task]
    room: room.Room
    policy_of: Callable[[types.PyTree], types.Policy]  # slow state -> the model as it is now
    prompts_of: slow_channel.PromptsOf
    tell: happenings.Tell

    def on_step(self, channel: str) -> Callable[[int, int, Mapping[str, float]], None]:
        """Return what tells that the channel finished so many units of its budget, of how many."""
        return lambda done, total, facts: self.tell(happenings.Stepped(channel, done, total, facts))


@dataclasses.dataclass(frozen=True)
class Gradient(slow_settings.Settings):
    """Settings of a gradient channel; the options of its adapter stand beside them."""

    objective: config.Plugin = dataclasses.field(default_factory=lambda: config.Plugin("cispo"))
    anchors: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """A null channel has nothing to set."""


def adapted(name: str) -> Callable[..., SlowChannel]:
    """Return the factory of the gradient channel that trains through adapter `name`.

    Its options are the fields of `Gradient` and the options of the adapter, whose docstring it has.
    """
    adapter = adapters.ADAPTERS.get(name)
    own = inspect.signature(adapter).parameters

    @functools.wraps(adapter)
    def factory(*, context: Context, **options: Any) -> SlowChannel:
        settings = config.from_mapping(
            Gradient, {key: value for key, value in options.items() if key not in own}, "slow."
        )
        chosen = {key: value for key, value in options.items() if key in own}
        return _gradient(adapters.ADAPTERS.build(name, chosen), settings, context)

    parameters = {**inspect.signature(Gradient).parameters, **own}
    keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters.values()]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY)
    factory.__signature__ = inspect.Signature([*keywords, context])  # type: ignore[attr-defined]
    return factory


def _gradient(adapter: contracts.Adapter, settings: Gradient, context: Context) -> SlowChannel:
    objective = objectives.OBJECTIVES.build(settings.objective.name, settings.objective.options)
    if settings.rollouts < objective.fewest_rollouts:
        raise config.ConfigError(
            f"slow.rollouts must be at least {objective.fewest_rollouts} for the objective "
            f"{settings.objective.name!r}, which compares answers; got {settings.rollouts}"
        )
    return slow_channel.GradientChannel(
        model=context.model,
        engine=context.engine,
        tasks=context.tasks,
        prompts_of=context.prompts_of,
        adapter=adapter,
        objective=objective,
        anchors={n: anchors.ANCHORS.build(n, options) for n, options in settings.anchors.items()},
        settings=settings,
        on_step=context.on_step("slow"),
    )


def frozen(settings: NoSettings, context: Context) -> SlowChannel:
    """No slow channel: the weights stay those of the base model."""
    return frozen_weights.FrozenWeights("slow", context.model.params)


def gepa(settings: fast_settings.Settings, context: Context) -> FastChannel:
    """Search over prompts: one light GEPA round per lesson on the current weights."""
    return fast_channel.build(
        context.tasks, context.policy_of, settings, context.room.lack, context.on_step("fast")
    )


def seeds_only(settings: NoSettings, context: Context) -> FastChannel:
    """No fast channel: every task keeps its seed prompt."""
    return seed_prompts.SeedPrompts("fast", context.tasks)


SLOW_CHANNELS: registry.Registry[SlowChannel] = registry.Registry(
    "slow channel",
    {
        **{name: adapted(name) for name in adapters.ADAPTERS},
        "none": config.configured(frozen, NoSettings),
    },
    context=("context",),
)

FAST_CHANNELS: registry.Registry[FastChannel] = registry.Registry(
    "fast channel",
    {
        "gepa": config.configured(gepa, fast_settings.Settings),
        "none": config.configured(seeds_only, NoSettings),
    },
    context=("context",),
)


class Language(NamedTuple):
    """The parts that the learner's functions read."""

    model: models.LanguageModel
    engine: engines.Engine
    fast: FastChannel
    slow: SlowChannel
    evaluation: config.Evaluation


def assemble(
    run: config.Run,
    model: models.LanguageModel,
    tasks: Mapping[str, types.Task],
    tell: happenings.Tell = happenings.silent,
) -> Language:
    """Build both channels around one engine; raises UnknownNameError and ConfigError."""
    engine = engines.Engine(model)

    def policy_of(state: types.PyTree) -> types.Policy:
        return policies.LanguagePolicy(model, engine, slow.variables(state))

    def prompts_of(state: Any, task_name: str) -> tuple[types.Prompt, ...]:
        return fast.prompts(state, task_name)

    parts = (run.fast.options, run.slow.options)  # an option of whatever channel answers
    asked = [size for part in parts if isinstance(size := part.get("max_tokens"), int)]
    answer = max([run.evaluation.max_tokens, *asked])
    measured = room.measure(model, tasks, answer)
    context = Context(model, engine, tasks, measured, policy_of, prompts_of, tell)
    fast = FAST_CHANNELS.build(run.fast.name, run.fast.options, context=context)
    slow = SLOW_CHANNELS.build(run.slow.name, run.slow.options, context=context)
    return Language(model, engine, fast, slow, run.evaluation)


def learner_of(parts: Language) -> learner.Learner:
    """Return the parts as the loop sees them; what did not change is not measured again."""
    remembered = memo.Memo()

    def predict_once(
        state: types.ModelState,
        task: types.Task,
        examples: types.Split,
        seed: int,
        temperature: float,
    ) -> learner.Predictions:
        key = ("predict", task.name, tuple((example.id, example.input) for example in examples))
        prompt = parts.fast.best(state.fast, task.name)
        inputs = (prompt, temperature, seed if temperature else None)  # greedy answers need no seed
        compute = functools.partial(predict, parts, state, task, examples, seed, temperature)
        return remembered(key, state.slow, inputs, compute)

    def drift_once(state: types.ModelState, task: types.Task) -> learner.DriftReport:
        prompt = parts.fast.best(state.fast, task.name)
        texts = tuple((example.input, example.target) for example in probe_set(parts, task))
        compute = functools.partial(drift, parts, state, task, remembered)
        return remembered(("drift", task.name), state.slow, (prompt, texts), compute)

    return learner.Learner(
        slow=parts.slow,
        fast=parts.fast,
        predict=predict_once,
        drift=drift_once,
        export=lambda state, directory: parts.fast.export(state.fast, directory),
        probe=functools.partial(probe, parts),
        reselect=parts.fast.reselect,
        alike=functools.partial(alike, parts),
    )


def predict(
    parts: Language,
    state: types.ModelState,
    task: types.Task,
    examples: types.Split,
    seed: int,
    temperature: float,
) -> learner.Predictions:
    """Answer every example with the task's best prompt under the current weights."""
    prompt = parts.fast.best(state.fast, task.name)
    policy = policies.LanguagePolicy(parts.model, parts.engine, parts.slow.variables(state.slow))
    queries = [
        types.Query(prompts.messages(prompt, example.input), seeds.derive(seed, example.id))
        for example in examples
    ]
    completions, cost = policy.complete(
        queries, temperature=temperature, max_tokens=parts.evaluation.max_tokens
    )
    return [completion.answer for completion in completions], cost


def probe(
    parts: Language, state: types.ModelState, lesson: types.Lesson, seed: int
) -> learner.Measured:
    """Return what both channels can tell about a lesson before learning it."""
    measured = parts.slow.probe(state, lesson, seed)
    fill = parts.fast.fill(state.fast, lesson.task_name)
    return measured._replace(facts={**measured.facts, "prompt_fill": fill})


def alike(
    parts: Language, before: types.ModelState, after: types.ModelState, task_name: str
) -> bool:
    """Return whether both states answer the task with the same weights and the same prompt."""
    old, new = (parts.fast.best(state.fast, task_name) for state in (before, after))
    return before.slow is after.slow and old == new


def probe_set(parts: Language, task: types.Task) -> types.Split:
    """Return the validation items that drift is measured on; empty where there are none."""
    return task.validation[: parts.evaluation.drift_examples]


def drift(
    parts: Language, state: types.ModelState, task: types.Task, remembered: memo.Memo
) -> learner.DriftReport:
    """Measure the divergence from the base model where it answers the task's probe set.

    The probe set is the first `drift_examples` validation items with their targets as answers, so
    that it is the same tokens for every model; once under the task's best prompt and once bare.
    Means are over all tokens of the answers: a long answer counts for more than a short one. What
    the base model reads is `remembered`.
    """
    probes = probe_set(parts, task)
    trained = parts.slow.variables(state.slow)
    params = parts.model.params
    conditions = {
        "with_prompt": parts.fast.best(state.fast, task.name),
        "without_prompt": types.Prompt(),
    }
    report: dict[str, learner.Drift] = {}
    cost = types.Cost()
    for condition, prompt in conditions.items() if probes else ():
        encoded = [parts.model.chat.encode(prompts.messages(prompt, e.input)) for e in probes]
        requests = tuple(engines.Request(*tokens, seed=0) for tokens in encoded)
        answers = tuple(parts.model.chat.encode_answer(e.target) for e in probes)
        read_by_base = functools.partial(parts.engine.read, {"params": params}, requests, answers)
        key = ("base", task.name, condition)
        base, spent = remembered(key, params, (requests, answers), read_by_base)
        policy, more = parts.engine.read(trained, requests, answers)
        trained_base, base_trained = parts.engine.divergence(policy, base)
        report[condition] = learner.Drift(trained_base, base_trained)
        cost += spent + more
    return report, cost
