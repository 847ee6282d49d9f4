import csv
import io
import re
import shutil
import subprocess

import pytest

from fastslow.report import formats, table

WORDS = ("sub_task_1", "50% & more", "C#_{x}", "a\\b^~$y$", "[0, 1]", "* − ± × ∞ → ↑ ↓ ‖ – … <|>")


def test_latex_has_the_rules_of_booktabs_and_a_row_per_line():
    shown = table.Table(
        "Costs_&_scores", ("Method", "Runs"), (("a", "1"), ("b", "2")), ("all", "3")
    )
    assert formats.to_latex(shown) == "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\caption{Costs\_\&\_scores}",
            r"\medskip",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            r"\begin{tabular}{@{}lr@{}}",
            r"\toprule",
            r"Method & Runs \\",
            r"\midrule",
            r"a & 1 \\",
            r"b & 2 \\",
            r"\midrule",
            r"all & 3 \\",
            r"\bottomrule",
            r"\end{tabular}%",
            "}",
            r"\end{table}",
            "",
        ]
    )


def test_latex_keeps_every_character_what_it_is():
    cells = ("50% of $x_1$ & {y}", "−0.5 ± 0.1", "KL(a ‖ b)\nup ↑", "a\\b~c^d<e>|#")
    row = formats.to_latex(table.Table("t", ("h",) * 4, (cells,))).split("\n")[9]
    assert row == (
        r"50\% of \$x\_1\$ \& \{y\} & $-$0.5 $\pm$ 0.1 & KL(a $\Vert$ b) up $\uparrow$ & "
        r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\textless{}e\textgreater{}"
        r"\textbar{}\# \\"
    )


@pytest.mark.parametrize("word", ["[0, 1]", "*"])
def test_the_start_of_a_row_is_no_option_of_the_line_before(word):
    rows = (("a",), (word,))
    assert f"\n{{}}{word} \\\\\n" in formats.to_latex(table.Table("t", ("h",), rows))


def test_the_lines_of_a_heading_stand_above_each_other_in_latex():
    text = formats.to_latex(table.Table("t", ("A_b", "Two\nlines ↑"), ()))
    assert "A\\_b & \\shortstack[r]{Two\\\\lines $\\uparrow$} \\\\\n" in text


def test_latex_has_no_bare_special_character():
    text = formats.to_latex(table.Table(WORDS[0], WORDS, (WORDS, WORDS[::-1]), WORDS))
    rows = [line.removesuffix(r" \\") for line in text.split("\n") if line.endswith(r" \\")]
    assert [row.count(" & ") + 1 for row in rows] == [len(WORDS)] * 4
    for row in rows:
        assert not re.search(r"(?<!\\)[#%_~]|(?<!\\)&(?! )", row)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles_and_is_no_wider_than_the_page(tmp_path):
    few = table.Table(WORDS[1], WORDS[:3], (WORDS[:3], WORDS[3:]), WORDS[3:])
    many = table.Table(WORDS[0], ("Two\nlines_%",) * 24, (WORDS * 4, WORDS[::-1] * 4))
    document = [
        r"\documentclass{article}",
        formats.PACKAGES,
        r"\begin{document}",
        *map(formats.to_latex, (few, many)),
        r"\end{document}",
    ]
    (tmp_path / "tables.tex").write_text("\n".join(document), "ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "tables.pdf").exists()
    assert "Overfull" not in done.stdout


def test_latex_of_a_table_is_plain_ascii():
    words = "– − ± × ∞ → ↑ ↓ ‖ …"
    text = formats.to_latex(table.Table(words, (words,), ((words,),)))
    assert re.fullmatch(r"[\x00-\x7f]*", text)


def test_csv_reads_back_with_full_numbers_and_all_columns():
    rows = [{"a": 0.1 + 0.2, "b": 'x,"y"\nz'}, {"a": float("nan"), "c": True}]
    first, second = csv.DictReader(io.StringIO(formats.to_csv(rows)))
    assert float(first["a"]) == 0.1 + 0.2
    assert (first["b"], first["c"]) == ('x,"y"\nz', "")
    assert (second["a"], second["b"], second["c"]) == ("nan", "", "True")
