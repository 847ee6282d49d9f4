import json

import pytest

from fastslow import files
from fastslow.report import figures, predictions, report
from fastslow.report.comparison import comparing, curves, tables
from fastslow.report.page import of_comparison
from tests.report import browser_check, synthetic, webdriver
from tests.report.comparison import synthetic as synthetic_runs

pytestmark = pytest.mark.skipif(not webdriver.installed(), reason="needs chromium and chromedriver")
HOSTILE = (
    "</script><script>window.attacked = 1</script>",
    "<!--<script>",
    "<img src=x onerror='window.attacked = 2'>",
    "{{ 7 * 7 }} &lt;b&gt; &amp;",
    "\u2028\ud800 '\"`",
    "a" * 4000,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run with thousands of answers, of which some would break out of the page if they could."""
    directory = synthetic.write(tmp_path_factory.mktemp("hostile") / "run")
    path = predictions.path_of(directory, 12, "tomi")
    lines = [
        {
            "id": f"e{number}",
            "sample": 0,
            "input": f"Question {number}: {HOSTILE[number % len(HOSTILE)]}",
            "target": "kitchen",
            "prediction": HOSTILE[number % len(HOSTILE)],
            "score": float(number % 2),
            "feedback": HOSTILE[(number + 1) % len(HOSTILE)],
        }
        for number in range(3000)
    ]
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    files.write_bytes_atomic(path, content)
    return report.write(directory)


def test_a_page_of_a_run_works_in_a_browser(hostile):
    assert list(browser_check.problems(hostile)) == []


def test_answers_cannot_break_out_of_their_cells(hostile):
    with webdriver.browser() as browser:
        browser.open(hostile)
        shown = browser.run(browser_check.TEXTS)
        assert len(shown) == 25
        assert any("<!--<script>" in text for text in shown)
        assert browser.run("return window.attacked ?? null") is None
        assert browser.run("return document.querySelectorAll('script').length") == 2
        assert browser.log() == []


def test_the_check_finds_what_it_is_for(hostile, tmp_path):
    text = hostile.read_text("utf-8")
    broken = tmp_path / "broken.html"
    wide = '<main><div style="width: 3000px">wide</div><img src="https://example.org/x.png">'
    broken.write_text(text.replace("<main>", wide), "utf-8")
    found = list(browser_check.problems(broken))
    assert any("1400 px, light: " in problem and "too wide" in problem for problem in found)
    assert any("console: " in problem and "example.org" in problem for problem in found)


def test_a_page_of_a_comparison_works_in_a_browser(tmp_path):
    runs = synthetic_runs.write_many(tmp_path / "runs", seeds=2)
    comparison = comparing.compare([str(runs / "*")], baseline="slow_only")
    picture = curves.accuracy_matrices(comparison)
    pictures = [(picture, figures.to_png(picture.figure))]
    page = tmp_path / "report.html"
    page.write_bytes(of_comparison.render(comparison, tables.every(comparison), pictures))
    assert list(browser_check.problems(page)) == []
