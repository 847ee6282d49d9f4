"""The vocabulary every part of fastslow speaks: immutable values and contracts between folders.

Nothing here knows about language models in particular except `Message`, `Prompt`, `Completion` and
`Policy`, which only the fast channel and the language-model learner use.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np

Json: TypeAlias = Any  # None | bool | int | float | str | list[Json] | dict[str, Json]
PyTree: TypeAlias = Any


class Example(NamedTuple):
    """One item of a task.

    `choices` lists every valid answer when the task is closed (empty otherwise);
    `metadata` is free text carried to the scorer and the predictions file.
    """

    id: str
    input: str
    target: str
    choices: tuple[str, ...] = ()
    metadata: Mapping[str, str] = {}


class Score(NamedTuple):
    """What a scorer says of a prediction: `value` in [0, 1], `feedback` that a proposer can use."""

    value: float
    feedback: str


Scorer: TypeAlias = Callable[[Any, Any], Score]  # (prediction, example) -> Score
Split: TypeAlias = Sequence[
    Any
]  # Sequence[Example] for text; a sliceable struct of arrays for vectors


class Demo(NamedTuple):
    """A worked example shown in a prompt, as one user turn and one assistant turn."""

    input: str
    output: str


class Prompt(NamedTuple):
    """The textual parameters of a task: pure text, hashable, compared by content.

    `lessons` are lines of text that a model should remember, not `Lesson`s.
    """

    instruction: str = ""
    demos: tuple[Demo, ...] = ()
    lessons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Task:
    """A named problem with disjoint splits and its scorer; no channel ever reads `test`."""

    name: str
    train: Split
    validation: Split
    test: Split
    scorer: Scorer
    seed_prompt: Prompt = dataclasses.field(default_factory=Prompt)
    kind: str = ""  # "convention", "skill" or what else the task teaches; reports group by it


@dataclasses.dataclass(frozen=True)
class Lesson:
    """The next look-ahead batch of one task: `examples` are training items, in order."""

    index: int  # position of this event in the stream, from 0
    task_name: str
    examples: Split


@dataclasses.dataclass(frozen=True)
class EvaluationPoint:
    """When to evaluate which tasks; part of the stream, so that it is data."""

    index: int  # position of this event in the stream, from 0
    tasks: tuple[str, ...]


Event: TypeAlias = Lesson | EvaluationPoint


class Stream(Protocol):
    """A sequence of events over named tasks, deterministic given its arguments."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """All tasks of the stream by name, in order of first appearance."""
        ...

    def events(self) -> Iterator[Event]:
        """Yield the same events, with indices 0, 1, 2, ..., each time it is called."""
        ...


class Cost(NamedTuple):
    """What something used.

    Token counts are exact; `flops` is the usual estimate, 2 x parameters x tokens for a forward.
    What a reflection model read and wrote is as its provider counts it, and not in `flops`.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    train_tokens: int = 0
    metric_calls: int = 0
    reflection_calls: int = 0
    reflection_prompt_tokens: int = 0
    reflection_completion_tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        """Combine two costs fieldwise."""
        return Cost(*map(operator.add, self, other))


Outcome: TypeAlias = Literal["changed", "rejected", "failed", "skipped"]


class Absorbed(NamedTuple):
    """What became of a lesson in one channel; `reason` says why, whatever the outcome.

    `changed`: the state moved. `rejected`: tried, and the result was turned down (no gain, no
    signal, NaN, cap). `failed`: an error outside the method (network, memory). `skipped`: zero
    budget or null channel. Rewards are means in [0, 1] on the lesson; `details` are facts for
    records.jsonl that are particular to the channel.
    """

    channel: str  # "fast" | "slow", or "prompts" where they were only chosen again
    outcome: Outcome
    reason: str
    reward_before: float = float("nan")
    reward_after: float = float("nan")
    cost: Cost = Cost()
    details: Mapping[str, Json] = {}
    gain: float = float("nan")  # change of the mean validation reward, where it was measured


class ModelState(NamedTuple):
    """Everything that is learned: `slow` is a pytree of arrays, `fast` is text (JSON-able)."""

    slow: PyTree
    fast: Any


class Saved(NamedTuple):
    """A channel's state in storable form: arrays (a pytree, for Orbax) and text (JSON)."""

    arrays: PyTree
    text: Json


class Channel(Protocol):
    """A place where learning can happen. Reads the whole model state, returns only its own part."""

    def init(self, seed: int) -> Any:
        """Return the state before any lesson."""
        ...

    def absorb(
        self, state: ModelState, lesson: Lesson, budget: int, seed: int
    ) -> tuple[Any, Absorbed]:
        """Learn from `lesson` within `budget` (metric calls for fast, steps for slow)."""
        ...

    def save(self, state: Any) -> Saved:
        """Return the storable form of this channel's state."""
        ...

    def restore(self, saved: Saved) -> Any:
        """Invert `save`."""
        ...


class Message(NamedTuple):
    """One turn of a chat; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


CUT = "…"  # so that "yes" of "yes, but no" does not count as the answer "yes"


class Completion(NamedTuple):
    """One sampled answer.

    `tokens` (n,) int32 ends with the stop token if `finished`; `text` excludes it. `logprobs` (n,)
    float32 are log pi(token) under the untempered policy that produced them.
    """

    text: str
    tokens: np.ndarray
    logprobs: np.ndarray
    finished: bool

    @property
    def answer(self) -> str:
        """What is scored: the text, ended by CUT where its end did not come within max_tokens."""
        return self.text if self.finished else self.text + CUT


class Query(NamedTuple):
    """One thing to ask a policy. The same (policy, query) always gives the same completion."""

    messages: tuple[Message, ...]
    seed: int = 0


class Policy(Protocol):
    """A model with frozen weights that answers queries in batches."""

    @property
    def version(self) -> str:
        """Identify the weights: differs whenever any parameter differs."""
        ...

    def complete(
        self, queries: Sequence[Query], *, temperature: float, max_tokens: int
    ) -> tuple[list[Completion], Cost]:
        """Answer every query; order is kept. Temperature 0 is greedy."""
        ...


class Probe(NamedTuple):
    """Cheap facts about a lesson under the current state, for the scheduler.

    Fields up to `slow_worth` are free. The others cost forward passes: they are measured only if
    the policy asks (`Scheduler.probing`), and are NaN otherwise, or where the learner cannot tell.
    Rewards are means in [0, 1]. "Sampled" is at temperature 1 on some of the lesson's own examples.
    """

    times_seen: int  # earlier lessons of the same task
    lessons_since: int  # lessons since the task was last taught; 0 if never
    lesson_number: int  # lessons of any task before this one
    returns: int = 0  # how often the task came back after lessons of others, now included
    draw: int = 0  # seed for what the policy decides by lot
    fast_worth: float = float("nan")  # validation reward per TFLOP that it gained when last used
    slow_worth: float = float("nan")
    validation_reward: float = float("nan")  # greedy, best prompt, on validation examples
    sampled_reward: float = float("nan")  # over all prompts of the task
    best_minus_mean: float = float("nan")  # sampled: the best prompt's mean minus that of all
    silent_share: float = float("nan")  # groups of samples whose rewards are all equal
    malformed_share: float = float("nan")  # of wrong validation answers: none of the choices
    advantage_mass: float = float("nan")  # mean |reward - mean of its group|, sampled
    gradient_norm: float = float("nan")  # of the objective, at the sampled answers
    expected_gain: float = float("nan")  # of sampled reward by one slow step, first order, uncapped
    cosine: float = float("nan")  # with the gradient it opposes most of other tasks in the weights
    drift: float = float("nan")  # KL(policy || base) on the sampled answers, nats per token
    drift_fill: float = float("nan")  # the same as a share of slow.drift_budget, if there is one
    prompt_fill: float = float("nan")  # share of its size limit that the best prompt takes


class Budgets(NamedTuple):
    """What the channels may spend on a lesson; zero skips the channel."""

    fast: int  # metric calls
    slow: int  # steps


class Decision(NamedTuple):
    """What to do with a lesson; a zero budget skips the channel.

    With `trials`, each of them is tried from the same state, and the one with the best validation
    reward over all tasks taught so far is kept (of equals, the first); the budgets beside them are
    then not used. Where it is `guarded`, weights that a lesson moved are not kept if that reward is
    lower with them than without, by more than its standard error; what the slow channel did then
    counts as rejected.
    """

    fast_budget: int  # metric calls
    slow_steps: int
    reason: str
    trials: tuple[Budgets, ...] = ()
    guarded: bool = False


class Compared(NamedTuple):
    """A trial of a lesson, and the mean validation reward over the tasks taught so far after it."""

    budgets: Budgets
    value: float


class LessonReport(NamedTuple):
    """What was found out, decided and made of a lesson; this is what the records say of it."""

    probe: Probe
    decision: Decision
    absorbed: tuple[Absorbed, ...]  # fast, slow
    reselected: Absorbed | None = None  # how prompts were chosen again, if anything changed
    trials: tuple[Compared, ...] = ()  # empty if there was no choice to make
    deciding: Cost = Cost()  # of probes, validation answers, and what was tried and not kept


class Scheduler(Protocol):
    """Decide lesson by lesson which channel absorbs it. States are JSON values."""

    @property
    def probing(self) -> bool:
        """Whether `decide` needs the measured facts of a probe, and `observe` measured gains."""
        ...

    def init(self) -> Json:
        """Return the state before any lesson."""
        ...

    def decide(self, state: Json, lesson: Lesson, probe: Probe) -> Decision:
        """Return budgets for both channels and the reason, in words a person understands."""
        ...

    def observe(
        self, state: Json, lesson: Lesson, probe: Probe, absorbed: Sequence[Absorbed]
    ) -> Json:
        """Return the state after seeing what the channels made of the lesson."""
        ...
