import json

import pytest

from fastslow import types
from fastslow.fast import population
from fastslow.fast import prompt as prompt_lib
from tests.fast import prompt_test


def a_population():
    prompts = [p for text in prompt_test.NASTY for p in prompt_test.every_place(text)]
    members = tuple(
        population.Member(p, {"a": 0.1 + 0.2, "b": 1 / 3 * n}) for n, p in enumerate(prompts)
    )
    return population.Population(members, "w7", 3, ("one", "two"))


def test_state_round_trips_through_json_text():
    state = population.FastState({"one": a_population(), "": a_population()})
    text = json.dumps(population.to_json(state))
    assert population.from_json(json.loads(text)) == state


def test_written_files_hold_prompts_and_scores(tmp_path):
    written = a_population()
    target = tmp_path / "3" / "one"
    population.write_population(target, written)
    for number, member in enumerate(written.members):
        markdown = (target / f"{number}.md").read_bytes().decode()
        assert prompt_lib.from_markdown(markdown) == member.prompt
    scores = json.loads((target / "scores.json").read_text())
    assert (scores["weights"], scores["lesson"], scores["tasks"]) == ("w7", 3, ["one", "two"])
    assert scores["prompts"][1]["file"] == "1.md"
    assert scores["prompts"][1]["scores"] == written.members[1].scores
    assert scores["prompts"][1]["mean"] == pytest.approx((0.3 + 1 / 3) / 2)
    assert [p.name for p in target.parent.iterdir()] == ["one"]


def test_a_folder_written_again_holds_only_the_new_files(tmp_path):
    population.write_population(tmp_path / "p", a_population())
    one = a_population()._replace(members=a_population().members[:1])
    population.write_population(tmp_path / "p", one)
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["0.md", "scores.json"]


def test_lone_surrogates_do_not_stop_the_files(tmp_path):
    odd = population.Population(
        (population.Member(types.Prompt("\ud800"), {"a": 1.0}),), "w", 0, ()
    )
    population.write_population(tmp_path / "p", odd)
    markdown = (tmp_path / "p" / "0.md").read_bytes().decode("utf-8", "surrogatepass")
    assert prompt_lib.from_markdown(markdown).instruction == "\ud800"
