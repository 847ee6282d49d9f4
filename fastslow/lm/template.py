"""Chat templates (Jinja), rendered in a sandbox as Hugging Face transformers renders them."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from fastslow import types

# Some templates write today's date into the system message. A prompt that changes at midnight would
# make a resumed run differ from an uninterrupted one, so their clock stands still.
_TODAY = datetime.datetime(2024, 7, 26)

Render: TypeAlias = Callable[[Sequence[types.Message], bool], str]  # (messages, ask for an answer)


class TemplateError(ValueError):
    """A chat template is not valid, or refuses these messages (e.g. a system message)."""


class _GenerationTag(jinja2.ext.Extension):
    """Accept `{% generation %}...{% endgeneration %}`, which marks answers for training."""

    tags = {"generation"}  # noqa: RUF012  (the name and type jinja2 reads)

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Render the body as it is."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def compile_template(text: str, variables: Mapping[str, Any]) -> Render:
    """Return the function that renders messages with template `text`.

    `variables` are the template's own, such as bos_token. Thinking, where a template offers it, is
    off: answers are short and scored as they stand. Raises TemplateError, now for a syntax error,
    on rendering for anything the template raises.
    """
    try:
        template = _environment().from_string(text)
    except jinja2.TemplateError as error:
        raise TemplateError(f"the chat template is not valid Jinja: {error}") from error
    fixed = {"tools": None, "documents": None, "enable_thinking": False, **variables}

    def render(messages: Sequence[types.Message], ask: bool) -> str:
        turns = [message._asdict() for message in messages]
        try:
            return template.render(messages=turns, add_generation_prompt=ask, **fixed)
        except Exception as error:  # a template is a program: it may raise anything
            roles = ", ".join(message.role for message in messages)
            raise TemplateError(f"the chat template refuses ({roles}): {error}") from error

    return render


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationTag, jinja2.ext.loopcontrols],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _TODAY.strftime
    return environment


def _to_json(
    value: types.Json,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes HTML, which no model has been trained on.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
