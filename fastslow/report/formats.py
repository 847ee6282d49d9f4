"""Tables as files for other programs: CSV and LaTeX (package booktabs)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastslow.report import table

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "#": r"\#",
        "$": r"\$",
        "%": r"\%",
        "&": r"\&",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "\N{MINUS SIGN}": "$-$",
        "\N{PLUS-MINUS SIGN}": r"$\pm$",
        "\N{MULTIPLICATION SIGN}": r"$\times$",
        "\N{INFINITY}": r"$\infty$",
        "\N{RIGHTWARDS ARROW}": r"$\to$",
        "\N{UPWARDS ARROW}": r"$\uparrow$",
        "\N{DOWNWARDS ARROW}": r"$\downarrow$",
        "\N{DOUBLE VERTICAL LINE}": r"$\Vert$",
        "\N{EN DASH}": "--",
        "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    }
)


def to_latex(shown: table.Table) -> str:
    """Return a table environment; needs the package booktabs. Numbers stand to the right."""
    columns = "".join("l" if n < shown.texts else "r" for n in range(len(shown.header)))
    body = [_line(row) for row in shown.rows]
    footer = [r"\midrule", _line(shown.footer)] if shown.footer else []
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(shown.title)}}}",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _line(shown.header),
        r"\midrule",
        *body,
        *footer,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return flat rows as CSV with a header; numbers in full, NaN as "nan"."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(cell: str) -> str:
    escaped = " ".join(cell.split()).translate(_LATEX)
    # a bracket that opens a row would be read as the option of the \\ before it
    return f"{{}}{escaped}" if escaped.startswith("[") else escaped
