import hashlib
import pathlib

import pytest

from fastslow import registry
from fastslow.fast import templates
from fastslow.fast.proposers import feedback


def test_every_file_of_the_package_is_listed_and_hashed():
    folder = pathlib.Path(__file__).parents[2] / "prompts"
    expected = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.md")}
    assert templates.hashes() == expected
    assert {"reflection", "reflexion", "feedback", "trial"} <= set(templates.names())


def test_a_users_file_is_hashed_by_its_path(tmp_path):
    own = tmp_path / "mine.md"
    own.write_text("Take care of $feedback")
    before = templates.hashes([str(own)])
    assert before[str(own)] == hashlib.sha256(own.read_bytes()).hexdigest()
    assert {*before} == {*templates.names(), str(own)}


def test_fill_replaces_every_key_and_keeps_dollars_of_values():
    assert templates.fill("feedback", feedback="costs $5") == "Take care: costs $5."


def test_fill_names_a_missing_key():
    with pytest.raises(ValueError, match=r"uses \$feedback; known: \$other"):
        templates.fill("feedback", other="x")


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'reflection'"):
        templates.text("reflektion")


def test_a_path_is_the_users_own_file(tmp_path):
    path = tmp_path / "mine.md"
    path.write_text("Mine: $feedback.\n")
    assert templates.text(str(path)) == "Mine: $feedback.\n"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("costs $5", r"Invalid placeholder.*known: \$feedback, and \$\$ is a dollar sign"),
        ("$feeback", r"uses \$feeback; known: \$feedback"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_before_it_is_needed(
    tmp_path, written, message
):
    (tmp_path / "own.md").write_text(written)
    with pytest.raises(ValueError, match=message):
        feedback.build(str(tmp_path / "own.md"))
