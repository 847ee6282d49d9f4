import csv
import io
import re

from fastslow.report import formats, table


def test_latex_has_the_rules_of_booktabs_and_a_row_per_line():
    shown = table.Table(
        "Costs_&_scores", ("Method", "Runs"), (("a", "1"), ("b", "2")), ("all", "3")
    )
    assert formats.to_latex(shown) == "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\caption{Costs\_\&\_scores}",
            r"\begin{tabular}{@{}lr@{}}",
            r"\toprule",
            r"Method & Runs \\",
            r"\midrule",
            r"a & 1 \\",
            r"b & 2 \\",
            r"\midrule",
            r"all & 3 \\",
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def test_latex_keeps_every_character_what_it_is():
    cells = ("50% of $x_1$ & {y}", "−0.5 ± 0.1", "KL(a ‖ b)\nup ↑", "a\\b~c^d<e>|#")
    row = formats.to_latex(table.Table("t", ("h",) * 4, (cells,))).split("\n")[7]
    assert row == (
        r"50\% of \$x\_1\$ \& \{y\} & $-$0.5 $\pm$ 0.1 & KL(a $\Vert$ b) up $\uparrow$ & "
        r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\textless{}e\textgreater{}"
        r"\textbar{}\# \\"
    )


def test_a_bracket_at_the_start_of_a_row_is_no_option_of_the_line_before():
    rows = (("a",), ("[0, 1]",))
    assert "\n{}[0, 1] \\\\\n" in formats.to_latex(table.Table("t", ("h",), rows))


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
