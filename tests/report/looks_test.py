import itertools

import pytest

from fastslow.report import figures, looks


def test_a_scheduler_looks_the_same_in_any_company():
    alone = {name: looks.assign([name])[name] for name in looks._KEPT}
    for count in range(1, 5):
        for names in itertools.permutations(alone, count):
            found = looks.assign([*names, "something else", "slow.learning_rate=0.001"])
            assert all(found[name] == alone[name] for name in names)


def test_unknown_methods_look_the_same_whatever_their_order_and_apart_from_each_other():
    names = [f"learning_rate={rate}" for rate in (1e-5, 1e-4, 1e-3, 1e-2, 0.1)]
    wanted = looks.assign(names)
    assert all(looks.assign(order) == wanted for order in itertools.permutations(names))
    assert len({look.colour for look in wanted.values()}) == len(names)


def test_up_to_twenty_methods_are_told_apart_without_colour():
    found = looks.assign(f"method {number}" for number in range(20)).values()
    assert len({(look.marker, str(look.line)) for look in found}) == 20
    for name in ("marker", "line", "colour"):
        first = [getattr(look, name) for look in looks.LOOKS]
        assert len(set(map(str, first))) == len(looks.LOOKS)


@pytest.mark.parametrize("labels", [[], ["one"]])
def test_few_methods_are_no_special_case(labels):
    assert list(looks.assign(labels)) == labels


def test_the_colours_are_those_for_any_colour_vision():
    okabe_ito = ("BLACK", "ORANGE", "SKY", "GREEN", "BLUE", "VERMILION", "PURPLE")
    known = {getattr(figures, name) for name in (*okabe_ito, "WINE")}
    assert {look.colour for look in looks.LOOKS} <= known


def test_no_method_looks_like_a_reference_line_or_a_shaded_lesson():
    assert figures.GREY not in {look.colour for look in looks.LOOKS}
