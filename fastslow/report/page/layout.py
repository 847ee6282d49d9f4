"""The page itself: a title, a summary, and sections that open and close, from small templates."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2

from fastslow import types
from fastslow.report import figures, headlines, table

_PIXELS_PER_INCH = 96  # the definition in CSS
_READABLE = 0.65  # of the full width of a figure
_HTML_IN_JSON = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}

_SURROGATE = re.compile("[\ud800-\udfff]")


class Section(NamedTuple):
    """A part of the page; `template` is a file of templates/ that is given `content`."""

    name: str  # the anchor
    title: str
    template: str
    content: Mapping[str, Any]
    opened: bool = True


class Page(NamedTuple):
    """Everything on the page; all texts are plain, and escaped when it is rendered."""

    title: str
    state: str  # "finished" | "unfinished"
    setup: str  # one line: what was run
    heads: Sequence[headlines.Headline]
    sentences: Sequence[str]  # what a reader must know to read the figures right
    warnings: Sequence[str]  # what makes them doubtful
    sections: Sequence[Section]


class Embedded(NamedTuple):
    """A figure as the page holds it, between its `least` and its full `width` in CSS pixels."""

    picture: figures.Picture
    data: str  # base64
    width: int
    least: int  # below which its text cannot be read, so that it is scrolled instead


def render(page: Page) -> bytes:
    """Return the page as UTF-8; a lone surrogate in a text becomes a character reference."""
    text = _environment().get_template("page.html").render(page=page, policy=_policy())
    return text.encode("utf-8", "xmlcharrefreplace")


def embed(picture: figures.Picture, png: bytes, zoom: float = 1.0) -> Embedded:
    """Return a figure with its PNG file, to be shown `zoom` times as large as in print."""
    width = round(picture.figure.get_figwidth() * _PIXELS_PER_INCH * zoom)
    data = base64.b64encode(png).decode("ascii")
    return Embedded(picture, data, width, round(_READABLE * width))


def figures_section(shown: Sequence[Embedded], column: int) -> Section | None:
    """Return the figures, side by side where each gets `column` pixels; None if there are none."""
    content = {"figures": shown, "column": column}
    return Section("figures", "Figures", "figures.html", content) if shown else None


def tables_section(
    name: str,
    title: str,
    shown: Sequence[table.Table],
    legend: Sequence[tuple[str, str]] = (),
) -> Section | None:
    """Return tables, then what their columns mean: (name, meaning); None if there are none."""
    content = {"tables": shown, "legend": legend}
    return Section(name, title, "tables.html", content) if shown else None


def in_script(value: types.Json) -> str:
    """Return strict JSON that stays inside its script element, whatever its texts contain."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.translate(_HTML_IN_JSON))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fastslow.report.page", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["in_script"] = in_script
    return environment


def _policy() -> str:
    """Return a content security policy: only the page's own script runs, and nothing is fetched."""
    script = _environment().get_template("script.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
