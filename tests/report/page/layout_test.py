import json

import pytest

from fastslow.report import headlines, table
from fastslow.report.page import layout
from tests.report import reading

HOSTILE = "</script><b onclick=x>&amp; {{ 1 }} ]]> <!-- \u2028 \ud800"


def _page(**changes):
    shown = table.Table(HOSTILE, ("Name", "Value"), ((HOSTILE, "1"),), (HOSTILE, "2"))
    content = {"answers": {"columns": {"task": []}, "left_out": 0, "text": HOSTILE}}
    page = layout.Page(
        title=HOSTILE,
        state="",
        setup=HOSTILE,
        heads=[headlines.Headline(HOSTILE, HOSTILE, HOSTILE)],
        sentences=[HOSTILE, HOSTILE],
        warnings=[HOSTILE],
        sections=[
            layout.tables_section("results", "Results", [shown], [(HOSTILE, HOSTILE)]),
            layout.Section("answers", "Answers", "answers.html", content),
        ],
    )
    return layout.render(page._replace(**changes)).decode("utf-8")


def test_whatever_a_text_holds_stays_text():
    page = reading.Page(_page())
    assert "b" not in page.tags
    assert page.tables[0] == [["Name", "Value"], [_shown(HOSTILE), "1"], [_shown(HOSTILE), "2"]]
    assert json.loads(page.scripts[0])["text"] == HOSTILE  # to the character, also the surrogate


def _shown(text):
    """Return how HTML can say it: a lone surrogate is no character there."""
    return text.replace("\ud800", "\N{REPLACEMENT CHARACTER}")


def test_data_is_strict_json_that_cannot_leave_its_element():
    text = layout.in_script({"a": [HOSTILE, None, 1.5]})
    assert not set(text) & set("<>&")
    assert json.loads(text) == {"a": [HOSTILE, None, 1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        layout.in_script({"a": float("nan")})


def test_sections_are_linked_to_by_name():
    page = reading.Page(_page())
    assert [link for link in page.links if link != "data:,"] == ["#results", "#answers"]
    assert 'id="results" open' in _page()


def test_without_anything_to_say_nothing_is_shown():
    page = _page(heads=[], sentences=[], warnings=[], sections=[])
    assert "To be doubted" not in page
    assert "<ul" not in page
    assert layout.tables_section("results", "Results", []) is None
    assert layout.figures_section([], 500) is None
