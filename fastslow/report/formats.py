"""Tables as files for other programs: CSV and LaTeX (packages booktabs and graphicx)."""

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


PACKAGES = r"\usepackage{booktabs,graphicx}"  # what a document needs
_FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def to_latex(shown: table.Table) -> str:
    """Return a table environment, no wider than the text; needs PACKAGES.

    Numbers stand to the right, and a heading keeps its lines.
    """
    columns = ["l" if n < shown.texts else "r" for n in range(len(shown.header))]
    heads = [_stacked(*pair) for pair in zip(shown.header, columns, strict=True)]
    body = [_line(row) for row in shown.rows]
    footer = [r"\midrule", _line(shown.footer)] if shown.footer else []
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(shown.title)}}}",
        r"\medskip",
        _FITTED,
        rf"\begin{{tabular}}{{@{{}}{''.join(columns)}@{{}}}}",
        r"\toprule",
        _joined(heads),
        r"\midrule",
        *body,
        *footer,
        r"\bottomrule",
        r"\end{tabular}%",
        "}",
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
    return _joined(map(_escaped, cells))


def _joined(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _stacked(head: str, side: str) -> str:
    """Return a heading whose lines stand above each other."""
    lines = r"\\".join(map(_escaped, head.split("\n")))
    return rf"\shortstack[{side}]{{{lines}}}" if "\n" in head else lines


def _escaped(cell: str) -> str:
    escaped = " ".join(cell.split()).translate(_LATEX)
    # what opens a row would be read as the option of the \\ or the rule before it
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped
