import asyncio
import copy
import logging
import threading

import dspy
import pytest
from dspy import lm15
from dspy.utils import exceptions

from fastslow import errors, types
from fastslow.fast import dspy_bridge
from fastslow.fast import prompt as prompt_lib
from tests.fast import toy

DEMO = types.Demo("upper abc", "ABC")
PROMPT = types.Prompt("Transform the word.", (DEMO,))


def request(policy, text, **config):
    messages = (lm15.Message.user(text),)
    model = f"fastslow/{policy.version}"
    config = {"temperature": 0.0, "max_tokens": 4, **config}
    return lm15.Request(model=model, messages=messages, config=lm15.Config(**config))


def test_a_program_asks_exactly_what_the_prompt_would():
    policy = toy.Policy()
    with dspy_bridge.session(policy):
        answer = dspy_bridge.program(PROMPT)(input="upper xyz").output
    assert answer == "XYZ"
    assert policy.queries[0].messages == prompt_lib.messages(PROMPT, "upper xyz")


def test_bootstrap_few_shot_finds_demonstrations_that_work():
    task = toy.task()
    policy = toy.Policy()
    with dspy_bridge.session(policy, max_tokens=4):
        optimizer = dspy.BootstrapFewShot(
            metric=dspy_bridge.metric(task.scorer), max_bootstrapped_demos=3, max_labeled_demos=6
        )
        start = dspy_bridge.program(types.Prompt("Transform: upper, reverse or double."))
        trainset = [dspy_bridge.example(e) for e in task.train[:12]]
        compiled = optimizer.compile(start, trainset=trainset)
    prompt = dspy_bridge.prompt_of(compiled)
    truth = {e.input: e.target for e in task.train}
    assert len(prompt.demos) == 6
    assert all(truth[demo.input] == demo.output for demo in prompt.demos)
    stripped = prompt._replace(
        instruction="Transform."
    )  # now only the demonstrations tell the rules
    shown = {demo.input.split()[0] for demo in prompt.demos}
    queries = [types.Query(prompt_lib.messages(stripped, e.input)) for e in task.test]
    answers, _ = policy.complete(queries, temperature=0.0, max_tokens=4)
    rewards = [toy.score(a.text, e).value for a, e in zip(answers, task.test, strict=True)]
    assert rewards == [float(e.input.split()[0] in shown) for e in task.test]


def test_the_same_request_after_a_weight_update_is_answered_by_the_new_weights():
    old, new = toy.Policy("w0"), toy.Policy("w1", refuses=("upper",))
    program = dspy_bridge.program(PROMPT)
    answers = []
    for policy in (old, new, old):
        with dspy_bridge.session(policy):
            answers.append(program(input="upper xyz").output)
    assert answers == ["XYZ", "what?", "XYZ"]
    assert [len(old.queries), len(new.queries)] == [2, 1]  # nothing came from a cache


def test_a_request_for_other_weights_is_refused():
    lm = dspy_bridge.language_model(toy.Policy("w0"))
    with pytest.raises(exceptions.LMError, match=r"serves 'fastslow/w0', not 'fastslow/w1'"):
        lm.copy(model="fastslow/w1")("upper xyz")


def test_copies_share_the_policy_and_its_weights():
    engine = dspy_bridge.PolicyEngine(toy.Policy())
    assert copy.copy(engine) is copy.deepcopy(engine) is engine
    lm = dspy_bridge.language_model(toy.Policy())
    assert not lm.cache
    assert not copy.deepcopy(lm).cache


@pytest.mark.parametrize(
    "option", [{"top_p": 0.5}, {"top_k": 3}, {"stop": ("x",)}, {"frequency_penalty": 0.1}]
)
def test_options_the_policy_does_not_have_are_refused(option):
    policy = toy.Policy()
    with pytest.raises(lm15.UnsupportedFeatureError, match=next(iter(option))):
        dspy_bridge.PolicyEngine(policy).complete(request(policy, "upper a", **option))


def test_seeds_are_passed_on_and_repeats_without_seed_differ():
    def seeds_of(configs):
        policy = toy.Policy()
        engine = dspy_bridge.PolicyEngine(policy)
        for config in configs:
            engine.complete(request(policy, "upper a", **config))
        return [query.seed for query in policy.queries]

    assert seeds_of([{"seed": 7}, {"seed": 7}]) == [7, 7]
    repeated = seeds_of([{}] * 4)
    assert len(set(repeated)) == 4
    assert seeds_of([{}] * 4) == repeated


def test_different_questions_without_seed_get_seeds_of_their_own():
    def seeds_of(texts):
        policy = toy.Policy()
        engine = dspy_bridge.PolicyEngine(policy)
        for text in texts:
            engine.complete(request(policy, text))
        return {query.messages[-1].content: query.seed for query in policy.queries}

    asked = seeds_of(["upper a", "upper b", "upper c"])
    assert len(set(asked.values())) == 3
    assert seeds_of(["upper c", "upper a", "upper b"]) == asked  # whatever thread comes first


class SlowPolicy(toy.Policy):
    """Waits, in its first call, until the test has put more requests in line."""

    def __init__(self):
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def complete(self, queries, *, temperature, max_tokens):
        self.entered.set()
        assert self.go_on.wait(timeout=10)
        return super().complete(queries, temperature=temperature, max_tokens=max_tokens)


def ask_together(policy, engine, ask, words):
    """Ask for each word in a thread; all but the first wait while that one is answered."""
    threads = [threading.Thread(target=ask, args=(word,), daemon=True) for word in words]
    threads[0].start()
    assert policy.entered.wait(timeout=10)
    for thread in threads[1:]:
        thread.start()
    while len(engine._waiting) < len(words) - 1:
        threading.Event().wait(0.001)
    policy.go_on.set()
    for thread in threads:
        thread.join(timeout=10)


def test_requests_of_many_threads_become_one_batch_and_get_their_own_answers():
    policy = SlowPolicy()
    engine = dspy_bridge.PolicyEngine(policy)
    words = ["a", *(f"b{n}".translate(str.maketrans("0123456789", "klmnopqrst")) for n in range(8))]
    answers = {}

    def ask(word):
        text = f"upper, of the kind: {word}"
        response = engine.complete(
            lm15.Request(
                model=engine.model,
                system="upper",
                messages=(lm15.Message.user(f"upper {word}"),),
                config=lm15.Config(temperature=0.0, max_tokens=4),
            )
        )
        answers[word] = (text, response.message.text)

    ask_together(policy, engine, ask, words)
    assert policy.batches == [1, 8]
    assert {word: text for word, (_, text) in answers.items()} == {w: w.upper() for w in words}
    assert engine.cost.prompt_tokens == 90


def test_an_error_of_the_model_reaches_every_caller():
    class Broken(toy.Policy):
        def complete(self, queries, *, temperature, max_tokens):
            raise MemoryError("no room")

    policy = Broken()
    with pytest.raises(MemoryError, match="no room"):
        dspy_bridge.PolicyEngine(policy).complete(request(policy, "upper a"))


class Failing(SlowPolicy):
    """Raises `error` for every batch but the first."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def complete(self, queries, *, temperature, max_tokens):
        answered = super().complete(queries, temperature=temperature, max_tokens=max_tokens)
        if len(self.batches) > 1:
            raise self.error
        return answered


@pytest.mark.parametrize(
    ("error", "batches"),
    [(MemoryError("no room"), 3), (KeyboardInterrupt(), 2)],  # an interrupt ends it all
)
def test_an_error_of_a_batch_reaches_all_its_callers_and_is_not_provoked_again(error, batches):
    policy = Failing(error)
    engine = dspy_bridge.PolicyEngine(policy)
    outcomes = {}

    def ask(word):
        temperature = 1.0 if word == "d" else 0.0  # answered apart from the others
        try:
            asked = request(policy, f"upper {word}", temperature=temperature)
            outcomes[word] = engine.complete(asked).message.text
        except BaseException as raised:
            outcomes[word] = raised

    ask_together(policy, engine, ask, "abcd")
    assert outcomes == {"a": "dunno", **dict.fromkeys("bcd", error)}
    assert len(policy.batches) == batches


def test_a_request_that_is_too_long_fails_alone_and_as_dspy_knows_it():
    class Narrow(SlowPolicy):
        def complete(self, queries, *, temperature, max_tokens):
            answered = super().complete(queries, temperature=temperature, max_tokens=max_tokens)
            if any("long" in query.messages[-1].content for query in queries):
                raise errors.ContextError("request 0 needs 9 prompt + 4 completion tokens")
            return answered

    policy = Narrow()
    engine = dspy_bridge.PolicyEngine(policy)
    outcomes = {}

    def ask(word):
        try:
            outcomes[word] = engine.complete(request(policy, f"upper {word}")).message.text
        except lm15.ContextLengthError as error:
            outcomes[word] = str(error)

    ask_together(policy, engine, ask, ("a", "b", "long", "c"))
    told = outcomes.pop("long")
    assert told.startswith("request 0 needs 9 prompt")
    assert outcomes == dict.fromkeys("abc", "dunno")


def test_a_program_can_be_awaited():
    policy = toy.Policy()
    with dspy_bridge.session(policy):
        found = asyncio.run(dspy_bridge.program(types.Prompt("upper")).acall(input="upper a"))
    assert found.output == "A"


def test_an_answer_that_was_cut_is_marked_as_everywhere():
    class Cut(toy.Policy):
        def complete(self, queries, *, temperature, max_tokens):
            answered, cost = super().complete(
                queries, temperature=temperature, max_tokens=max_tokens
            )
            return [completion._replace(finished=False) for completion in answered], cost

    policy = Cut()
    response = dspy_bridge.PolicyEngine(policy).complete(request(policy, "upper a"))
    assert (response.message.text, response.finish_reason) == (
        "dunno\N{HORIZONTAL ELLIPSIS}",
        "length",
    )


def test_metric_gives_feedback_where_gepa_asks_for_it():
    measure = dspy_bridge.metric(toy.score)
    gold = dspy_bridge.example(types.Example("1", "upper a", "A"))
    wrong = dspy.Prediction(output="a")
    assert measure(gold, dspy.Prediction(output="A")) == 1.0
    told = measure(gold, wrong, None, "self", None)
    assert (told.score, told.feedback) == (0.0, "rule upper was not followed")


def test_plain_adapter_handles_several_typed_fields():
    adapter = dspy_bridge.PlainAdapter()
    signature = dspy.Signature("text, lang -> label, stars: int", "Rate.")
    demos = [{"text": "t", "lang": "en", "label": "x", "stars": 2}, {"text": "incomplete"}]
    assert adapter.format(signature, demos, {"text": "q", "lang": "de"}) == [
        {"role": "system", "content": "Rate."},
        {"role": "user", "content": "text: t\nlang: en"},
        {"role": "assistant", "content": "label: x\nstars: 2"},
        {"role": "user", "content": "text: q\nlang: de"},
    ]
    parsed = adapter.parse(signature, "label: two\nlines\nstars: 5")
    assert parsed == {"label": "two\nlines", "stars": 5}
    for bad in ("label: x", "label: x\nstars: many"):
        with pytest.raises(exceptions.AdapterParseError):
            adapter.parse(signature, bad)


def test_an_empty_answer_is_an_answer():
    class Silent(toy.Policy):
        def _answer(self, messages):
            return ""

    with dspy_bridge.session(Silent()):
        assert dspy_bridge.program(PROMPT)(input="upper a").output == ""


def test_quiet_hides_progress_and_session_restores_what_it_changed(capfd):
    logger = logging.getLogger("dspy")
    before = (logger.level, dspy.settings.lm, dspy.settings.adapter)
    with dspy_bridge.session(toy.Policy()), dspy_bridge.quiet():
        evaluate = dspy.Evaluate(
            devset=[dspy_bridge.example(e) for e in toy.examples(6, 0)],
            metric=dspy_bridge.metric(toy.score),
            num_threads=2,
            display_progress=True,
        )
        evaluate(dspy_bridge.program(PROMPT))
    assert (logger.level, dspy.settings.lm, dspy.settings.adapter) == before
    assert capfd.readouterr() == ("", "")
