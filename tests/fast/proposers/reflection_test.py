"""The reflection LM against a real server on 127.0.0.1, through dspy.LM."""

import random
import threading

import pytest

from fastslow import types
from fastslow.fast.proposers import contracts, reflection
from tests.fast import chat_server, toy

PARENT = types.Prompt("Transform the word.", lessons=("Mind the rule.",))
EXAMPLE = toy.examples(1, 0)[0]
ANSWERS = [contracts.Graded(EXAMPLE, " dunno", toy.score("dunno", EXAMPLE))]
CONTEXT = contracts.Context((), (), contracts.Limits(4, 3, 500))


@pytest.fixture
def server():
    with chat_server.serve() as running:
        yield running


def ask(url, seed=0, **options):
    propose = reflection.build("openai/tiny", api_base=url, **{"timeout": 10.0, **options})
    return propose(PARENT, ANSWERS, CONTEXT, random.Random(seed))


def test_the_block_of_the_answer_becomes_the_instruction(server):
    server.answers = ["Here you are:\n```text\nFollow the rule.\nNothing else.\n```\nDone."]
    proposal = ask(server.url)
    assert proposal.prompt == PARENT._replace(instruction="Follow the rule.\nNothing else.")
    assert proposal.cost.reflection_calls == 1
    assert proposal.cost.reflection_prompt_tokens == server.usage["prompt_tokens"]
    assert proposal.cost.reflection_completion_tokens == server.usage["completion_tokens"]
    assert not proposal.failed


def test_the_question_holds_instruction_answers_feedback_and_seed(server):
    ask(server.url, seed=1, temperature=0.7, max_tokens=99)
    ask(server.url, seed=2)
    first, second = server.requests
    question = first["messages"][0]["content"]
    for text in (PARENT.instruction, EXAMPLE.input, "dunno", ANSWERS[0].score.feedback):
        assert text in question
    assert first["model"] == "tiny"
    assert (first["temperature"], first["max_completion_tokens"]) == (0.7, 99)
    assert first["seed"] != second["seed"]


def test_the_key_comes_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    ask(server.url, api_key_variable="SOME_KEY")
    assert server.requests[0]["key"] == "Bearer secret"


def test_the_users_own_template_is_used(server, tmp_path):
    path = tmp_path / "mine.md"
    path.write_text("Improve: $instruction ($trials) in $max_chars")
    ask(server.url, template=str(path))
    assert server.requests[0]["messages"][0]["content"].startswith("Improve: Transform the word.")


@pytest.mark.parametrize(
    "answer",
    [
        "No block at all.",
        "```\nnever closed",
        "```\na\n```\n```\nb\n```",
        "```\n \n```",
        "",
        "``````",
    ],
)
def test_garbage_is_refused(server, answer):
    server.answers = [answer]
    proposal = ask(server.url)
    assert (proposal.prompt, proposal.failed) == (None, True)
    assert proposal.cost.reflection_calls == 1


def test_tokens_that_a_server_does_not_count_are_none(server):
    server.usage = None
    cost = ask(server.url).cost
    assert (cost.reflection_calls, cost.reflection_prompt_tokens) == (1, 0)
    assert cost.reflection_completion_tokens == 0


def test_a_cut_answer_is_refused(server):
    server.finish_reason = "length"
    proposal = ask(server.url)
    assert (proposal.prompt, proposal.reason) == (None, "the answer was cut at max_tokens")


@pytest.mark.parametrize(
    ("status", "raw", "reason"),
    [
        (500, b'{"error": {"message": "boom"}}', "boom"),
        (401, b'{"error": {"message": "bad key"}}', "bad key"),
        (200, b"<html>", "not JSON"),
        (200, b"{}", "fenced block"),
    ],
)
def test_an_error_of_the_server_is_the_reason(server, status, raw, reason):
    server.status, server.raw = status, raw
    proposal = ask(server.url)
    assert (proposal.prompt, proposal.failed, proposal.cost.reflection_calls) == (None, True, 1)
    assert reason in proposal.reason


def test_a_server_that_does_not_answer_is_given_up(server):
    server.hold = threading.Event()
    proposal = ask(server.url, timeout=0.3)
    server.hold.set()
    assert proposal.failed
    assert "timed out" in proposal.reason
    assert 0.2 < proposal.cost.seconds < 5.0


def test_no_server_at_all_is_a_reason():
    with chat_server.serve() as stopped:
        url = stopped.url
    proposal = ask(url)
    assert proposal.failed
    assert "connect" in proposal.reason


@pytest.mark.parametrize(
    ("api_base", "key", "access"),
    [
        (None, None, {}),  # DSPy finds the provider's own
        (None, "k", {"api_key": "k"}),
        ("http://here", None, {"api_base": "http://here", "api_key": "none"}),
        ("http://here", "k", {"api_base": "http://here", "api_key": "k"}),
    ],
)
def test_a_key_is_made_up_only_for_a_server_of_ones_own(api_base, key, access):
    assert reflection._access(api_base, key) == access
