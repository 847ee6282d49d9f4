"""A new instruction written by a reflection language model (GEPA, arXiv 2507.19457)."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Sequence
from typing import Any

from fastslow import types
from fastslow.fast import dspy_log, templates
from fastslow.fast import prompt as prompt_lib
from fastslow.fast.proposers import contracts

_BLOCK = re.compile(r"^```[a-z]*\n(.*?)\n?```\s*$", re.MULTILINE | re.DOTALL)


def build(
    model: str,
    api_base: str | None = None,
    template: str = "reflection",
    temperature: float = 1.0,
    max_tokens: int = 1024,
    timeout: float = 60.0,
    api_key_variable: str = "OPENAI_API_KEY",
) -> contracts.Proposer:
    """Let a second language model rewrite the instruction from answers and feedback.

    `model` is a DSPy name ("openai/NAME" for any server that speaks the OpenAI chat API at
    `api_base`). The key is read from the environment, so that it is in no configuration or record:
    from `api_key_variable`, or where that is not set, from where the provider's own is. Servers at
    an `api_base` need none. `timeout` is in seconds. Each call counts as one reflection call, with
    the tokens that the server says it read and wrote; what it does not say counts as none.
    """

    templates.check(template, "instruction", "trials", "max_chars")

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        lm = _connect(
            model,
            timeout=timeout,
            **_access(api_base, os.environ.get(api_key_variable)),
        )
        question = _question(template, parent, answers, context.limits)
        limits = {"temperature": temperature, "max_tokens": max_tokens}
        return ask(lm, question, parent, rng, **limits)

    return propose


def ask(
    lm: Any, question: str, parent: types.Prompt, rng: random.Random, **limits: float
) -> contracts.Proposal:
    """Ask any `dspy.LM` for a new instruction; what goes wrong becomes the proposal's reason."""
    from dspy import lm15
    from dspy.utils import exceptions

    request = lm15.Request(
        model=lm.model,
        messages=(lm15.Message.user(question),),
        config=lm15.Config(seed=rng.getrandbits(31), **limits),
    )
    started = time.monotonic()
    try:
        with dspy_log.silenced():  # what it would say is in the proposal's reason
            response = lm(request)
    except (exceptions.DSPyError, OSError) as error:
        cost = types.Cost(reflection_calls=1, seconds=time.monotonic() - started)
        return contracts.Proposal(None, f"{type(error).__name__}: {error}", cost, failed=True)
    cost = types.Cost(
        reflection_calls=1,
        reflection_prompt_tokens=response.usage.input_tokens or 0,
        reflection_completion_tokens=response.usage.output_tokens or 0,
        seconds=time.monotonic() - started,
    )
    if response.finish_reason == "length":
        return contracts.Proposal(None, "the answer was cut at max_tokens", cost, failed=True)
    instruction = extract(response.message.text or "")
    if instruction is None:
        reason = "the answer does not hold exactly one closed fenced block"
        return contracts.Proposal(None, reason, cost, failed=True)
    return contracts.Proposal(
        parent._replace(instruction=instruction), f"{lm.model} rewrote the instruction", cost
    )


def extract(answer: str) -> str | None:
    """Return the text of the only fenced block; None if there is not exactly one, and closed."""
    blocks = _BLOCK.findall(answer)
    if len(blocks) != 1 or answer.count("```") != 2:
        return None
    text: str = blocks[0].strip()
    return text or None


def _question(
    template: str,
    parent: types.Prompt,
    answers: Sequence[contracts.Graded],
    limits: contracts.Limits,
) -> str:
    shown = [
        templates.fill(
            "trial", input=a.example.input, answer=a.text.strip(), feedback=a.score.feedback
        )
        for a in answers
    ]
    rest = prompt_lib.size(parent) - len(parent.instruction)
    return templates.fill(
        template,
        instruction=parent.instruction,
        trials="\n\n".join(shown),
        max_chars=max(1, limits.max_chars - rest),
    )


def _access(api_base: str | None, key: str | None) -> dict[str, str]:
    """Return where to ask and with which key; DSPy looks for what is left out."""
    if api_base is not None:
        return {"api_base": api_base, "api_key": key or "none"}
    return {"api_key": key} if key else {}


def _connect(model: str, **connection: Any) -> Any:
    # Without this litellm fetches a price table from the network when DSPy falls back on it.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import dspy

    return dspy.LM(model, cache=False, num_retries=0, **connection)
