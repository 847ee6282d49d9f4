"""What every proposer must hold to, whatever it does: one suite over all of PROPOSERS."""

import inspect
import random

import pytest

from fastslow import types
from fastslow.fast import prompt as prompt_lib
from fastslow.fast import proposers, validity
from fastslow.fast.proposers import contracts
from tests.fast import chat_server, toy

POOL = toy.examples(18, 1)
ANCHORS = toy.examples(12, 2)
LIMITS = contracts.Limits(max_demos=3, max_lessons=2, max_chars=400)
DEMOS = tuple(prompt_lib.demo(e) for e in POOL[:3])
PARENTS = (
    toy.SEED,
    types.Prompt("Transform the word. Say nothing else.", DEMOS),
    types.Prompt("Transform.", DEMOS[:1], ("Mind the rule.", "Be short.")),
    types.Prompt("Transform.", demos=(), lessons=("Mind the rule.",)),
)
PARTNERS = (*PARENTS, types.Prompt("Change the word.", tuple(map(prompt_lib.demo, POOL[5:8]))))


@pytest.fixture(scope="module")
def server():
    with chat_server.serve() as running:
        running.answers = ["```\nFollow the rule named first.\n```"]
        yield running


@pytest.fixture(params=sorted(proposers.PROPOSERS))
def propose(request, server):
    options = {
        "reflection": {"model": "openai/tiny", "api_base": server.url, "timeout": 10.0},
    }
    return proposers.PROPOSERS.build(request.param, options.get(request.param))


def answers(failing):
    return [
        contracts.Graded(e, "dunno", toy.score("dunno", e))
        if number < failing
        else contracts.Graded(e, e.target, toy.score(e.target, e))
        for number, e in enumerate(POOL[8:14])
    ]


def proposals(propose, seeds=range(8)):
    context = contracts.Context(POOL, PARTNERS, LIMITS)
    for parent in PARENTS:
        for failing in (1, 6):
            for seed in seeds:
                yield parent, propose(parent, answers(failing), context, random.Random(seed))


def test_is_deterministic_under_a_seed(propose):
    def untimed(pair):
        return pair[1]._replace(cost=pair[1].cost._replace(seconds=0.0))

    first = [untimed(pair) for pair in proposals(propose, range(3))]
    assert first == [untimed(pair) for pair in proposals(propose, range(3))]


def test_changes_the_parent_or_gives_a_reason(propose):
    found = list(proposals(propose))
    assert all(proposal.reason for _, proposal in found)
    assert all(proposal.prompt != parent for parent, proposal in found)
    assert any(proposal.prompt is not None for _, proposal in found)


def test_shows_no_anchor_example_and_respects_the_caps(propose):
    for _, proposal in proposals(propose):
        if proposal.prompt is not None:
            assert validity.objection(proposal.prompt, LIMITS, ANCHORS) is None


def test_demonstrations_keep_their_true_answers(propose):
    truth = {e.input: e.target for e in POOL}
    for _, proposal in proposals(propose):
        for demo in proposal.prompt.demos if proposal.prompt else ():
            assert demo.output == truth[demo.input]


def test_copes_with_nothing_to_work_with(propose):
    nothing = contracts.Limits(max_demos=0, max_lessons=0, max_chars=1)
    context = contracts.Context((), (), nothing)
    proposal = propose(types.Prompt(), [], context, random.Random(0))
    assert proposal.reason
    assert proposal.prompt != types.Prompt()


@pytest.mark.parametrize("name", sorted(proposers.PROPOSERS))
def test_documents_itself_and_its_module(name):
    factory = proposers.PROPOSERS.get(name)
    line = inspect.getdoc(factory).partition("\n")[0]
    assert len(line) > 20
    assert line.endswith(".")
    assert inspect.getmodule(factory).__doc__


@pytest.mark.parametrize("given", [None, types.Prompt("Other."), contracts.Proposal("Other.", "")])
def test_what_is_no_proposal_is_refused_by_name(given):
    mine = proposers.Weighted("mine", lambda *_: given, 1.0)
    context = contracts.Context(POOL, PARTNERS, LIMITS)
    with pytest.raises(proposers.ProposalError, match=r"proposer 'mine' gave .*it must give"):
        proposers.ask(mine, PARENTS[0], answers(1), context, random.Random(0))
