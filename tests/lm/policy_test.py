"""The policy: queries in, completions out, and a version that follows the weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from fastslow import types
from fastslow.lm import engine, policy
from tests.lm import small

MODEL = small.language_model(range(0, 61, 5))
ENGINE = engine.Engine(MODEL)


def query(system: str, user: str, seed: int) -> types.Query:
    return types.Query((types.Message("system", system), types.Message("user", user)), seed)


def make(variables) -> policy.LanguagePolicy:
    return policy.LanguagePolicy(MODEL, ENGINE, variables)


def test_complete_answers_in_order_as_the_engine_does():
    queries = [query("be brief", text, seed) for seed, text in enumerate(["abc", "d", "efgh", "d"])]
    completions, cost = make({"params": MODEL.params}).complete(
        queries, temperature=1.0, max_tokens=5
    )
    requests = [engine.Request(*MODEL.chat.encode(q.messages), seed=q.seed) for q in queries]
    expected, _ = ENGINE.generate({"params": MODEL.params}, requests, temperature=1.0, max_tokens=5)
    assert [c.tokens.tolist() for c in completions] == [c.tokens.tolist() for c in expected]
    assert [c.text for c in completions] == [c.text for c in expected]
    assert cost.prompt_tokens == len("be brief") + len("abcdefgh")  # equal questions once


def test_version_differs_whenever_a_parameter_differs():
    base = {"params": MODEL.params}
    adapted = {**base, "lora": small.lora()}
    nudged = jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].add(1e-6), small.lora())
    flat, structure = jax.tree.flatten(MODEL.params)
    one_changed = [
        {"params": structure.unflatten([*flat[:i], jnp.nextafter(leaf, jnp.inf), *flat[i + 1 :]])}
        for i, leaf in enumerate(flat)
    ]
    all_variables = [base, adapted, {**base, "lora": nudged}, *one_changed]
    versions = [make(variables).version for variables in all_variables]
    assert len(set(versions)) == len(versions) == 3 + len(flat)
    assert all(version.startswith("small@") for version in versions)


def test_version_is_of_content_not_of_objects():
    copied = jax.tree.map(np.array, small.lora())
    first = make({"params": MODEL.params, "lora": small.lora()})
    assert make({"params": MODEL.params, "lora": copied}).version == first.version
