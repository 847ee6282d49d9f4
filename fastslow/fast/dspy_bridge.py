"""The current model as a DSPy language model, for any DSPy program or optimizer.

    with dspy_bridge.session(policy, max_tokens=8), dspy_bridge.quiet():
        trainset = [dspy_bridge.example(e) for e in task.train]
        metric = dspy_bridge.metric(task.scorer)
        program = dspy_bridge.program(task.seed_prompt)
        better = dspy.BootstrapFewShot(metric=metric).compile(program, trainset=trainset)
    prompt = dspy_bridge.prompt_of(better)

An answer can never come from other weights than the policy's: nothing is cached, the name of the
model holds the version of the weights, and a request under another name is refused.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import dspy
from dspy import lm15
from dspy.adapters import utils as adapter_utils
from dspy.adapters.base import Adapter
from dspy.utils import exceptions

from fastslow import errors, seeds, types
from fastslow.evaluation import scorers
from fastslow.fast import dspy_log
from fastslow.fast import prompt as prompt_lib

_GATHER_SECONDS = 0.005  # for DSPy's other threads to hand in their requests
_UNSUPPORTED = (
    "top_p",
    "top_k",
    "stop",
    "response_format",
    "logprobs",
    "frequency_penalty",
    "presence_penalty",
)


class _Call(NamedTuple):
    query: types.Query
    temperature: float
    max_tokens: int
    answer: concurrent.futures.Future[types.Completion]


class PolicyEngine:
    """A DSPy engine over one policy, whose weights are frozen.

    DSPy asks for one completion at a time, from several threads. Requests that wait while the model
    is busy go to it together as the next batch. Sampling without a seed in the request's config is
    seeded by the messages and how often they came before: different questions and repeated ones
    get random numbers of their own, and a repeated program gets the same.
    """

    def __init__(self, policy: types.Policy, seed: int = 0):
        self.model = f"fastslow/{policy.version}"
        self.cost = types.Cost()
        self._policy = policy
        self._seed = seed
        self._waiting: list[_Call] = []
        self._repeats: collections.Counter[tuple[types.Message, ...]] = collections.Counter()
        self._register = threading.Lock()
        self._model_free = threading.Lock()

    def __copy__(self) -> PolicyEngine:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> PolicyEngine:
        # Programs are deep-copied by DSPy's optimizers; the parameters must not be.
        return self

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer one request; blocks until a batch with it is done. Safe for threads.

        Raises lm15.ConfigurationError for another model than the policy's, and
        lm15.UnsupportedFeatureError for options that the policy does not have.
        """
        self._check(request)
        call = self._enter(request)
        with self._model_free:
            if not call.answer.done():
                time.sleep(_GATHER_SECONDS)
                self._run_waiting()
        return _response(request, call.answer.result())

    def _check(self, request: lm15.Request) -> None:
        if request.model != self.model:
            raise lm15.ConfigurationError(
                f"this engine serves {self.model!r}, not {request.model!r}: build a new LM for "
                "other weights"
            )
        refused = [name for name in _UNSUPPORTED if getattr(request.config, name)]
        if refused or request.tools:
            raise lm15.UnsupportedFeatureError(f"not supported: {', '.join(refused) or 'tools'}")

    def _enter(self, request: lm15.Request) -> _Call:
        config = request.config
        messages = _messages(request)
        with self._register:
            seed = config.seed
            if seed is None:
                seed = seeds.derive(self._seed, json.dumps(messages), self._repeats[messages])
                self._repeats[messages] += 1
            call = _Call(
                types.Query(messages, seed),
                config.temperature or 0.0,
                config.max_tokens or 1,
                concurrent.futures.Future(),
            )
            self._waiting.append(call)
        return call

    def _run_waiting(self) -> None:
        with self._register:
            calls, self._waiting = self._waiting, []
        groups: dict[tuple[float, int], list[_Call]] = {}
        for call in calls:
            groups.setdefault((call.temperature, call.max_tokens), []).append(call)
        for (temperature, max_tokens), group in groups.items():
            try:
                self._run(group, temperature, max_tokens)
            except Exception as error:
                _fail(group, error)
            except BaseException as error:  # an interrupt: the other threads would wait for ever
                _fail(calls, error)
                raise

    def _run(self, calls: Sequence[_Call], temperature: float, max_tokens: int) -> None:
        try:
            completions, cost = self._policy.complete(
                [call.query for call in calls], temperature=temperature, max_tokens=max_tokens
            )
        except errors.UserError as error:  # of one request, which must not cost the others theirs
            if len(calls) == 1:
                _fail(calls, _as_dspy_knows_it(error))
            else:
                for call in calls:
                    self._run([call], temperature, max_tokens)
            return
        self.cost += cost
        for call, completion in zip(calls, completions, strict=True):
            call.answer.set_result(completion)


def _fail(calls: Sequence[_Call], error: BaseException) -> None:
    """Give the error to all calls that have no answer yet."""
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)


class _Awaited:
    """The same engine for programs that are awaited."""

    def __init__(self, engine: PolicyEngine):
        self._engine = engine

    def __deepcopy__(self, memo: dict[int, Any]) -> _Awaited:
        return self

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer one request in a thread, where it may wait for others."""
        return await asyncio.to_thread(self._engine.complete, request)


class PlainAdapter(Adapter):
    """The chat that the fast channel uses, without DSPy's markup (80 characters instead of 570).

    System message = instructions, demonstrations = user and assistant turns. A turn with one field
    is its plain text, with several it is a line "name: value" for each.
    """

    def format(
        self,
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Return the messages for `inputs`; demonstrations with missing fields are left out."""
        fields = {**signature.input_fields, **signature.output_fields}
        shown = tuple(
            types.Demo(_turn(signature.input_fields, demo), _turn(signature.output_fields, demo))
            for demo in demos
            if all(demo.get(name) is not None for name in fields)
        )
        prompt = types.Prompt(signature.instructions, shown)
        chat = prompt_lib.messages(prompt, _turn(signature.input_fields, inputs))
        return [message._asdict() for message in chat]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the output fields; raises AdapterParseError for a missing or ill-typed one."""
        names = list(signature.output_fields)
        texts = {names[0]: completion.strip()} if len(names) == 1 else _lines(names, completion)
        try:
            return {
                name: adapter_utils.parse_value(texts[name], field.annotation)
                for name, field in signature.output_fields.items()
            }
        except (KeyError, ValueError) as error:
            raise exceptions.AdapterParseError(
                adapter_name="PlainAdapter",
                signature=signature,
                lm_response=completion,
                message=f"missing or ill-typed field: {error}",
            ) from error


def language_model(
    policy: types.Policy, *, temperature: float = 0.0, max_tokens: int = 64, seed: int = 0
) -> dspy.LM:
    """Return a `dspy.LM` that answers with `policy`; build a new one for other weights."""
    engine = PolicyEngine(policy, seed)
    return dspy.LM(
        engine.model,
        engine=engine,
        async_engine=_Awaited(engine),
        cache=False,
        num_retries=0,
        temperature=temperature,
        max_tokens=max_tokens,
    )


@contextlib.contextmanager
def session(policy: types.Policy, **options: Any) -> Iterator[dspy.LM]:
    """Make `policy` DSPy's model in this block, with the plain adapter.

    Options as in `language_model`.
    """
    lm = language_model(policy, **options)
    with dspy.context(lm=lm, adapter=PlainAdapter()):
        yield lm


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what optimizers log and print in this block; their progress bars heed no setting."""
    sink = io.StringIO()
    with dspy_log.silenced(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


def example(item: types.Example) -> dspy.Example:
    """Return the item with fields `input`, `output` (its target) and `item` (for `metric`)."""
    return dspy.Example(input=item.input, output=item.target, item=item).with_inputs("input")


def metric(scorer: types.Scorer) -> Callable[..., Any]:
    """Return a DSPy metric over `example`s: the reward, with feedback where dspy.GEPA wants it."""

    def score(
        gold: dspy.Example,
        prediction: dspy.Prediction,
        trace: Any = None,
        pred_name: str | None = None,
        pred_trace: Any = None,
    ) -> Any:
        del trace, pred_trace
        result = scorers.score(scorer, prediction.output, gold.item)
        if pred_name is None:
            return result.value
        return dspy.Prediction(score=result.value, feedback=result.feedback)

    return score


def program(prompt: types.Prompt) -> dspy.Predict:
    """Return the DSPy program that asks as `prompt` does; lessons become part of the instructions.

    DSPy normalises the white space of instructions.
    """
    signature = dspy.Signature("input -> output", prompt_lib.system_text(prompt) or " ")
    predict = dspy.Predict(signature)
    predict.demos = [dspy.Example(input=d.input, output=d.output) for d in prompt.demos]
    return predict


def prompt_of(predict: dspy.Predict) -> types.Prompt:
    """Return what a program of the form of `program` has become after optimisation."""
    demos = tuple(types.Demo(str(demo.input), str(demo.output)) for demo in predict.demos)
    return types.Prompt(predict.signature.instructions.strip(), demos)


def _turn(fields: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    texts = {
        name: str(adapter_utils.format_field_value(field_info=field, value=values[name]))
        for name, field in fields.items()
        if values.get(name) is not None
    }
    if len(fields) == 1:
        return "".join(texts.values())
    return "\n".join(f"{name}: {text}" for name, text in texts.items())


def _lines(names: Sequence[str], completion: str) -> dict[str, str]:
    """Return the text after each "name:" at the start of a line, up to the next such line."""
    texts: dict[str, str] = {}
    current = None
    for line in completion.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() in names:
            current = name.strip()
            texts[current] = rest.strip()
        elif current is not None:
            texts[current] += f"\n{line}"
    return {name: text.strip() for name, text in texts.items()}


def _messages(request: lm15.Request) -> tuple[types.Message, ...]:
    system = request.system
    if system is not None and not isinstance(system, str):
        system = "".join(part.text for part in system)
    opening = (types.Message("system", system),) if system else ()
    return (*opening, *(types.Message(m.role, m.text or "") for m in request.messages))


def _as_dspy_knows_it(error: Exception) -> Exception:
    return lm15.ContextLengthError(str(error)) if isinstance(error, errors.ContextError) else error


def _response(request: lm15.Request, completion: types.Completion) -> lm15.Response:
    return lm15.Response(
        id=None,
        model=request.model,
        # DSPy takes an empty text for a failure of the model before its adapter sees it.
        message=lm15.Message.assistant([lm15.TextPart(completion.answer or " ")]),
        finish_reason="stop" if completion.finished else "length",
        usage=lm15.Usage(output_tokens=len(completion.tokens)),
    )
