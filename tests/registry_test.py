import pytest

from fastslow import registry


def shout(word: str, *, times: int = 1) -> str:
    """Repeat a word loudly.

    More text.
    """
    return word.upper() * times


def echo(**options: object) -> dict[str, object]:
    """Return everything."""
    return options


WORDS: registry.Registry = registry.Registry(
    "word", {"shout": shout, "echo": echo}, context=("word",)
)


def test_unknown_name_suggests_the_nearest_and_lists_the_rest():
    with pytest.raises(registry.UnknownNameError) as caught:
        WORDS.get("shuot")
    assert str(caught.value) == "unknown word 'shuot'; did you mean 'shout'? Known: echo, shout."


def test_build_passes_options_and_only_the_wanted_context():
    assert WORDS.build("shout", {"times": 2}, word="a", unused=1) == "AA"
    assert WORDS.build("echo", {"a": 1}, b=2) == {"a": 1, "b": 2}


def test_unknown_option_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'times'"):
        WORDS.build("shout", {"time": 2}, word="a")


def test_an_option_without_a_default_is_asked_for():
    with pytest.raises(registry.OptionError, match="word 'shout' needs the option 'word'"):
        WORDS.build("shout", {"times": 2})


def test_an_option_of_another_type_is_refused_before_the_factory_is_called():
    message = "option 'times' of word 'shout' must be int, got 'two'"
    with pytest.raises(registry.OptionError, match=message):
        WORDS.build("shout", {"times": "two"}, word="a")


def test_context_is_not_an_option():
    with pytest.raises(registry.UnknownNameError, match="option of word 'shout' 'word'"):
        WORDS.build("shout", {"word": "b"}, word="a")


def test_options_lists_what_a_user_may_set():
    assert WORDS.options("shout") == {"times"}
    assert WORDS.options("echo") is None


def test_import_path_finds_the_users_own_factory():
    assert WORDS.build("tests.registry_test:shout", {}, word="b") == "B"


def test_what_cannot_be_called_is_no_factory():
    message = r"'math:pi' is 3\.14.*, which makes no word"
    with pytest.raises(registry.UnknownNameError, match=message):
        WORDS.build("math:pi")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:x", "no module named 'no_such_module'"),
        ("fastslow.no_such:x", "no module named 'fastslow.no_such'"),
        ("fastslow.seeds:derve", "did you mean 'derive'"),
    ],
)
def test_import_path_errors_say_what_is_missing(path, message):
    with pytest.raises(registry.UnknownNameError, match=message):
        registry.import_attribute(path)


def test_describe_gives_the_first_docstring_line():
    described = {"shout": "Repeat a word loudly.", "echo": "Return everything."}
    assert dict(WORDS.describe()) == described


def test_a_factory_that_makes_something_else_is_told_what_to_make():
    words: registry.Registry = registry.Registry("word", {"echo": echo}, makes=str)
    with pytest.raises(registry.PluginError, match=r"'echo' made \{\}, which is no word.* str"):
        words.build("echo")


def test_ones_own_plug_in_with_a_dot_for_its_colon_is_told_so():
    with pytest.raises(registry.UnknownNameError, match=r"One's own is named mine\.words:shout\."):
        WORDS.get("mine.words.shout")


def test_an_error_in_ones_own_module_keeps_its_traceback_and_says_what_for(tmp_path, monkeypatch):
    (tmp_path / "half_written.py").write_text("def shout(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SyntaxError) as caught:
        WORDS.get("half_written:shout")
    (note,) = caught.value.__notes__
    assert note == "This happened while importing 'half_written' for 'half_written:shout'."


def broken() -> str:
    """Fail as a factory of one's own may."""
    first, _ = [1]
    return str(first)


def test_a_factory_of_ones_own_that_fails_is_named_with_its_line():
    line = broken.__code__.co_firstlineno + 2
    message = rf"'{__name__}:broken' raised ValueError: not enough .*registry_test.py:{line}\)"
    with pytest.raises(registry.PluginError, match=message):
        WORDS.build(f"{__name__}:broken")


@pytest.mark.parametrize("path", ["./my_streams.py:sums", "my/streams:sums", ".streams:sums"])
def test_a_path_is_no_module_and_the_nearest_name_is_suggested(path):
    with pytest.raises(
        registry.UnknownNameError, match=r"is no module's name .*did you mean"
    ) as told:
        registry.import_attribute(path)
    assert ":sums'" in str(told.value)
    assert "/" not in str(told.value).partition("did you mean")[2]


def test_defaults_are_those_of_the_factory():
    factories = {"a": lambda needed, rank=8, name=None: None}
    assert registry.Registry("thing", factories).defaults("a") == {"rank": 8, "name": None}
    given = registry.Registry("thing", factories, context=("rank",))
    assert given.defaults("a") == {"name": None}


def test_a_module_that_lacks_another_one_is_not_called_missing(tmp_path, monkeypatch):
    """Even where the other's name begins its own."""
    (tmp_path / "my_streams.py").write_text("import my_str\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="'my_str'"):
        registry.import_attribute("my_streams:sums")


def test_only_what_can_be_a_module_is_offered_as_one():
    hint = r"One's own is named my\.words:loud\."
    with pytest.raises(registry.UnknownNameError, match=hint):
        WORDS.get("my.words.loud")
    for name in ("Qwen/Qwen2.5-0.5B", "~/x.gguf"):
        with pytest.raises(registry.UnknownNameError) as refused:
            WORDS.get(name)
        assert "One's own" not in str(refused.value)
