"""Each diagnostic on a tiny finished run, against what is known of it otherwise."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

from fastslow import checkpoint, config, registry, session, types
from fastslow.diagnostics import (
    ablation,
    activations,
    contracts,
    fresh,
    held_out,
    intransigence,
    plasticity,
    quadrants,
    remembered,
    representation,
)
from fastslow.diagnostics import subject as subjects
from fastslow.lm import batch, decoder
from fastslow.report import overview, records
from tests.diagnostics import conftest

SHORT = plasticity.Plasticity(steps=3, every=2, problems=2, seeds=2, demonstrations=2)


def test_ablation_of_nothing_and_of_everything_are_corners_of_the_quadrants(subject):
    found = ablation.Ablation().measure(subject).values["tasks"]
    corners = overview.quadrants(records.read(subject.directory))
    for task in ("ants", "bees", "cats"):
        scores = found[task]["scores"]
        assert found[task]["examples"] == 6
        for weights in ("base", "trained"):
            assert scores[weights]["whole"] == corners[task][f"{weights}_evolved"]
            assert scores[weights]["seed"] == corners[task][f"{weights}_seed"]
            assert set(scores[weights]) == {*found[task]["prompts"]}
    assert any(c["trained_evolved"] > c["base_seed"] for c in corners.values())


def test_ablation_takes_the_items_it_is_told_to(subject):
    few = ablation.Ablation(examples=3, split="validation", variants=("instruction", "lessons"))
    finding = few.measure(subject)
    ants = finding.values["tasks"]["ants"]
    assert ants["examples"] == 3
    assert list(ants["scores"]["base"]) == ["instruction", "lessons", "seed"]
    assert math.isnan(ants["scores"]["base"]["lessons"])  # no proposer here writes any
    assert finding.notes == ("items behind each score: ants 3, bees 3, cats 3",)
    with pytest.raises(registry.UnknownNameError, match="did you mean 'lessons'"):
        ablation.Ablation(variants=("lesson",)).measure(subject)


def test_untouched_weights_are_scored_once(untouched):
    finding = ablation.Ablation(variants=("whole",)).measure(untouched)
    assert list(finding.values["tasks"]["ants"]["scores"]) == ["base"]
    assert "the weights never moved: there are no trained ones to score" in finding.notes


def test_quadrants_along_the_run_end_in_those_of_the_records(subject):
    values = quadrants.Quadrants().measure(subject).values
    assert [point["event"] for point in values["points"]] == [0, 2, 4]
    assert values["missing"] == []
    first, middle, last = (point["quadrants"] for point in values["points"])
    assert last == overview.quadrants(records.read(subject.directory))
    for row, point in zip(
        records.of_kind(subject.rows, "evaluation"), (first, middle, last), strict=True
    ):
        for task, score in row["scores"].items():
            assert point[task]["trained_evolved"] == score
    assert all(len(set(corners.values())) == 1 for corners in first.values())


def test_quadrants_say_which_checkpoints_are_gone(run, tmp_path):
    pruned = subjects.Subject(tmp_path, 5)
    for name in ("config.json", "records.jsonl"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    finding = quadrants.Quadrants().measure(pruned)
    assert finding.values == {"points": [], "missing": [0, 2, 4]}
    assert "events 0, 2, 4 are gone: run with --keep_checkpoints=0" in finding.notes[0]


@pytest.mark.parametrize(
    ("kept", "place"), [([3, 4], 3), ([2, 4], 2), ([2, 3], 3), ([1, 4], None), ([], None)]
)
def test_the_model_of_an_evaluation_is_in_the_checkpoint_before_or_after_it(kept, place):
    assert quadrants.place_of(2, kept) == place


def test_update_is_that_of_the_adapter(subject):
    found = representation.kernel_updates(subject)
    blocks = subject.state.model.slow.trainable["blocks"]
    assert [set(kernels) for kernels in found] == [set(blocks)] * 2
    scale = 16.0 / 4  # alpha over rank
    for layer, kernels in enumerate(found):
        for name, told in kernels.items():
            factors = {k: np.asarray(v[layer], np.float64) for k, v in blocks[name].items()}
            delta = scale * factors["a"] @ factors["b"]
            base = np.asarray(subject.parts.model.params["blocks"][name]["kernel"][layer])
            expected = np.linalg.norm(delta) / np.linalg.norm(base)
            assert told["relative_norm"] == pytest.approx(expected, rel=1e-4)
            exact = np.linalg.svd(delta, compute_uv=False)[:4]
            shares = exact / exact.sum()
            rank = math.exp(-np.sum(shares * np.log(shares)))
            assert told["rank"] == pytest.approx(rank, rel=0.02)


def test_untouched_weights_have_no_update_and_compute_what_the_base_does(untouched):
    for layer in representation.Representation().measure(untouched).values["layers"]:
        assert layer["update"] == {}
        assert layer["hidden_rank"]["trained"] == layer["hidden_rank"]["base"]
        assert layer["dormant"]["trained"] == layer["dormant"]["base"]


def test_trained_weights_compute_something_else(subject):
    values = representation.Representation(examples=2, threshold=0.9).measure(subject).values
    assert values["probe_set"]["texts"] == 6
    for layer in values["layers"]:
        assert layer["hidden_rank"]["trained"] != layer["hidden_rank"]["base"]
        assert 1 < layer["hidden_rank"]["base"] <= 64
        assert 0 < layer["dormant"]["base"] < 1


@pytest.mark.parametrize("examples", [0, -1])
def test_probe_set_has_examples(examples):
    with pytest.raises(config.ConfigError, match=r"representation\.examples must be positive"):
        representation.Representation(examples=examples)


def test_hidden_states_count_alike_whatever_their_length():
    activity = np.zeros(3)
    states = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    plain = activations.Layer(states, activity)
    sink = activations.Layer(states * [[1000.0], [1.0], [1.0], [5.0]], activity)
    assert representation.hidden_rank(plain) == pytest.approx(2)
    assert representation.hidden_rank(sink) == pytest.approx(2)


def test_activations_are_those_of_the_decoder(subject):
    shape = subject.parts.model.config
    variables = subject.parts.slow.variables(subject.state.model.slow)
    texts = [(1, 2, 3, 4, 5), (9, 8, 7)]
    layers = activations.look(shape, variables, texts)
    tokens = jnp.asarray(batch.pad_left(texts, 2, 5))
    rows = batch.plain_rows(tokens, jnp.asarray([5, 3]))
    final, _ = decoder.encode(shape, variables, None, rows)
    real = np.asarray(rows.sequences) != batch.PADDING
    np.testing.assert_allclose(layers[-1].hidden, np.asarray(final)[real], rtol=1e-4, atol=1e-4)
    assert layers[0].hidden.shape == (8, 64)
    assert layers[0].activity.shape == (128,)


def test_activity_is_the_input_of_the_last_ffn_product(subject):
    """Checked by hand on a text of one token, which attends to itself alone."""
    shape = subject.parts.model.config
    params = subject.parts.model.params
    one = activations.look(shape, {"params": params}, [(5,)])[0]
    blocks = {
        name: {k: np.asarray(v[0], np.float64) for k, v in module.items()}
        for name, module in params["blocks"].items()
    }

    def norm(x, scale):
        return x / np.sqrt(np.mean(x * x) + shape.norm_eps) * scale

    x = np.asarray(params["embed"]["embedding"][5], np.float64)
    value = norm(x, blocks["attn_norm"]["scale"]) @ blocks["v"]["kernel"]
    shared = np.repeat(value.reshape(shape.kv_heads, -1), shape.group, axis=0).ravel()
    x = x + shared @ blocks["o"]["kernel"]
    hidden = norm(x, blocks["ffn_norm"]["scale"])
    gate, up = (hidden @ blocks[name]["kernel"] for name in ("gate", "up"))
    units = gate / (1 + np.exp(-gate)) * up
    np.testing.assert_allclose(one.activity, np.abs(units), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        one.hidden[0], x + units @ blocks["down"]["kernel"], rtol=1e-3, atol=1e-3
    )


def test_untouched_weights_are_as_plastic_as_the_base(untouched):
    values = SHORT.measure(untouched).values
    assert values["task"] == "cats"
    forked, based = values["courses"]["checkpoint"], values["courses"]["base"]
    for one, other in zip(forked, based, strict=True):
        assert one["curve"] == [tuple(point) for point in other["curve"]]
        assert one["final"] == other["final"]
    assert [step for step, _ in forked[0]["curve"]] == [0, 2, 3]
    assert values["differences"]["area"]["mean"] == 0


def test_trained_weights_start_elsewhere_and_base_trainings_are_recalled(subject, untouched):
    SHORT.measure(untouched)
    finding = SHORT.measure(subject)
    assert "2 training(s) from the base were known already" in finding.notes
    courses = finding.values["courses"]
    final = [[course["final"] for course in courses[start]] for start in ("checkpoint", "base")]
    expected = np.mean(np.subtract(*final))
    assert finding.values["differences"]["final"]["mean"] == pytest.approx(expected)
    assert finding.cost.train_tokens == sum(c["cost"].train_tokens for c in courses["checkpoint"])
    state = subject.state.model.slow
    merged = fresh.merged(subject).params["blocks"]["q"]["kernel"]
    dense = subject.parts.slow.dense(state, "float32")["blocks"]["q"]["kernel"]
    np.testing.assert_array_equal(np.asarray(merged), np.asarray(dense))
    base = subject.parts.model.params["blocks"]["q"]["kernel"]
    assert (np.asarray(merged) != np.asarray(base)).any()


def test_area_is_the_mean_height_of_the_curve():
    assert fresh.area([(0, 0.0), (2, 1.0), (6, 0.5)]) == pytest.approx((1 + 3) / 6)
    assert fresh.area([(0, 0.3), (4, 0.3)]) == pytest.approx(0.3)


def test_differences_are_paired_and_of_checkpoint_minus_base():
    def course(final, *scores):
        return fresh.Course(list(enumerate(scores)), final, {}, types.Cost())

    found = plasticity.differences(
        [course(0.5, 0.0, 0.4), course(0.7, 0.2, 0.4)],
        [course(0.6, 0.0, 0.8), course(1.0, 0.2, 0.8)],
    )
    assert found["final"]["mean"] == pytest.approx(-0.2)
    assert found["final"]["standard_error"] == pytest.approx(0.1)  # of -0.1 and -0.3
    assert found["area"]["mean"] == pytest.approx(-0.2)
    assert found["final"]["size"] == 2


def test_plain_training_leaves_out_what_holds_on_to_the_past(data):
    slow = {"name": "lora", "rank": 4, "drift_cap": 0.5, "anchors": {"l2_sp": {}}}
    found = fresh.plain(conftest.settings(data, slow=slow))
    assert found.slow == config.Plugin("lora", {"rank": 4})
    assert found.fast == config.Plugin("none")


def test_held_out_task_is_one_that_was_not_taught(subject):
    own, sets = held_out.candidates(subject)
    assert own == ("cats",)
    assert sets[:2] == ("sentiment", "sarcasm")
    found = held_out.task(subject, "", 2, 3)
    assert (found.name, len(found.validation), len(found.test)) == ("cats", 2, 3)
    with pytest.raises(contracts.NotApplicableError, match="'bees' is taught by"):
        held_out.task(subject, "bees", 2, 3)
    with pytest.raises(registry.UnknownNameError, match="did you mean 'sarcasm'"):
        held_out.task(subject, "sarcsm", 2, 3)


def test_prompt_shows_every_answer_and_what_it_shows_is_not_trained_on(subject, tmp_path):
    found = held_out.task(subject, "cats", 2, 3)
    asked = held_out.asked(found, "", 4)
    assert sorted(demo.output for demo in asked.seed_prompt.demos) == ["0", "0", "1", "1"]
    shown = {demo.input for demo in asked.seed_prompt.demos}
    assert len(asked.train) == 8
    assert not shown & {example.input for example in asked.train}
    assert asked == held_out.asked(found, "", 4)
    (tmp_path / "mine.md").write_text("Say it.")
    given = held_out.asked(found, str(tmp_path / "mine.md"), 4)
    assert (given.seed_prompt, given.train) == (types.Prompt("Say it."), found.train)
    with pytest.raises(contracts.NotApplicableError, match=r"no\.md is no prompt"):
        held_out.asked(found, str(tmp_path / "no.md"), 4)


@pytest.mark.parametrize("demos", [12, 13])
def test_prompt_that_shows_everything_leaves_nothing_to_train_on(subject, demos):
    found = held_out.task(subject, "cats", 2, 3)
    with pytest.raises(contracts.NotApplicableError, match="12 training examples, too few to show"):
        held_out.asked(found, "", demos)


def test_run_without_a_slow_channel_has_no_plasticity(data, tmp_path):
    settings = conftest.settings(
        data, slow={"name": "none"}, scheduler={"name": "fast_only", "fast_budget": 8}
    )
    session.run(settings, tmp_path / "run", resume=False)
    assert len(checkpoint.events(tmp_path / "run")) == checkpoint.KEEP
    bare = subjects.Subject(tmp_path / "run", 5)
    with pytest.raises(contracts.NotApplicableError, match="no slow channel"):
        SHORT.measure(bare)
    values = representation.Representation().measure(bare).values
    assert all(layer["update"] == {} for layer in values["layers"])


def test_alone_teaches_the_lessons_of_one_task_and_evaluates_it(subject):
    lessons = [lesson for lesson in subject.lessons if lesson.task_name == "bees"]
    alone = intransigence.Alone(subject.tasks["bees"], lessons)
    taught, looked = alone.events()
    assert taught == lessons[0]
    assert taught.index == 3  # that of the run, from which the seeds of the lesson derive
    assert looked == types.EvaluationPoint(4, ("bees",))
    assert list(alone.tasks) == ["bees"]


def test_intransigence_is_reference_minus_what_was_learned(subject):
    first = intransigence.Intransigence().measure(subject)
    evaluations = records.of_kind(subject.rows, "evaluation")
    assert list(first.values["tasks"]) == ["ants", "bees"]  # cats were not taught
    for task, after in (("ants", 1), ("bees", 2)):
        told = first.values["tasks"][task]
        assert told["learned"] == evaluations[after]["scores"][task]
        assert told["intransigence"] == pytest.approx(told["reference"] - told["learned"])
        assert 0 <= told["reference"] <= 1
    assert first.values["tasks"]["ants"]["intransigence"] == 0  # so far the runs are the same
    again = intransigence.Intransigence().measure(subject)
    assert again.values == first.values
    assert again.notes == ("references that other runs have computed: ants, bees",)
    assert again.cost == types.Cost()


def test_references_are_shared_by_the_same_lessons_and_not_by_configurations(subject, monkeypatch):
    keys = []
    monkeypatch.setattr(
        remembered,
        "remembered",
        lambda kind, key, compute: keys.append(key) or ({"score": 0.5, "cost": {}}, True),
    )
    lessons = [lesson for lesson in subject.lessons if lesson.task_name == "bees"]
    _ = subject.built
    for changes in ({}, {"order_seed": 5}, {"seed": 4}):
        other = subjects.Subject(subject.directory, subject.position)
        other.__dict__.update(
            built=subject.built, settings=dataclasses.replace(subject.settings, **changes)
        )
        intransigence.reference(other, lessons)
    intransigence.reference(subject, [*lessons, *lessons])
    later = [dataclasses.replace(lesson, index=lesson.index + 2) for lesson in lessons]
    intransigence.reference(subject, later)
    same, reordered, reseeded, longer, elsewhere = keys
    assert same == reordered
    assert same != reseeded
    assert same != longer
    assert same != elsewhere


def test_untaught_run_has_nothing_to_be_compared(untouched):
    with pytest.raises(contracts.NotApplicableError, match="no lesson was evaluated by event 1"):
        intransigence.Intransigence().measure(untouched)


def test_remembered_is_computed_once_and_again_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path))
    calls = []

    def compute():
        calls.append(1)
        return {"score": float("nan"), "n": len(calls)}

    assert remembered.remembered("things", {"a": 1}, compute) == ({"score": None, "n": 1}, False)
    assert remembered.remembered("things", {"a": 1}, compute) == ({"score": None, "n": 1}, True)
    assert remembered.remembered("things", {"a": 2}, compute)[0]["n"] == 2
    for path in (tmp_path / "things").glob("*.json"):
        path.write_text(path.read_text()[:-9])
    assert remembered.remembered("things", {"a": 1}, compute) == ({"score": None, "n": 3}, False)
    monkeypatch.setattr(remembered.run_directory, "source_digest", lambda: "of other code")
    assert remembered.remembered("things", {"a": 1}, compute) == ({"score": None, "n": 4}, False)
