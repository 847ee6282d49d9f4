"""The grammar of grids, value by value."""

import pytest

from fastslow import config
from fastslow.sweep import grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("slow_only,fast_only", ("slow_only", "fast_only")),
        ("0:5", (0, 1, 2, 3, 4)),
        ("0:6:2,9", (0, 2, 4, 9)),
        ("2:-1:-1", (2, 1, 0)),
        ("1e-4, 5e-4", (1e-4, 5e-4)),
        ("('a','b'),('c',)", (("a", "b"), ("c",))),
        ("['a', 'b'], []", (["a", "b"], [])),
        ("True,None", (True, None)),
        ("my.module:factory", ("my.module:factory",)),
        ("'reasoning_gym:A,B',evals_short", ("reasoning_gym:A,B", "evals_short")),
        ("{'name': 'sft'}", ({"name": "sft"},)),
        ("'a;b=c'", ("a;b=c",)),
        ("data/it's.d", None),  # an apostrophe opens a quote
        ("-3", (-3,)),
        ('"0:5"', ("0:5",)),
        ("1:2:3:4", ("1:2:3:4",)),
        ("smollm2-135m-instruct", ("smollm2-135m-instruct",)),
    ],
)
def test_values(text, values):
    if values is None:
        with pytest.raises(grid.GridError, match="' is missing at the end"):
            grid.parse(f"key={text}")
        return
    (axis,) = grid.parse(f"key={text}")
    assert axis == ("key", values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


def test_points_are_the_product_with_the_last_axis_fastest():
    axes = grid.parse(" scheduler = slow_only,fast_only ; seed=0:2; ")
    assert [tuple(point.items()) for point in grid.points(axes)] == [
        (("scheduler", "slow_only"), ("seed", 0)),
        (("scheduler", "slow_only"), ("seed", 1)),
        (("scheduler", "fast_only"), ("seed", 0)),
        (("scheduler", "fast_only"), ("seed", 1)),
    ]


def test_an_empty_grid_is_one_point():
    assert grid.points(grid.parse("")) == [{}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "'seed' is not key=value"),
        ("=3", "'=3' is not key=value"),
        ("seed=", "a value is missing in 'seed='"),
        ("seed=1,,2", "a value is missing in 'seed=1,,2'"),
        ("seed=3:3", "the range '3:3' in 'seed=3:3' is empty"),
        ("seed=0:3:0", "the range '0:3:0' in 'seed=0:3:0' is empty"),
        ("seed=0;seed=1", "'seed' is given twice"),
        ("tasks=('a','b'", r"\) is missing at the end"),
        ("tasks=(a,b)", r"cannot read '\(a,b\)' as a Python value"),
        ("x=__import__('os').getcwd()", None),
    ],
)
def test_what_cannot_be_read_is_quoted(text, message):
    if message is None:  # no code is run: it is text
        assert grid.parse(text) == (("x", ("__import__('os').getcwd()",)),)
        return
    with pytest.raises(grid.GridError, match=message) as error:
        grid.parse(text)
    assert isinstance(error.value, config.ConfigError)
