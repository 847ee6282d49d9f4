"""The slow channel's numbers."""

import pytest

from fastslow.slow import settings


@pytest.mark.parametrize(
    "bad",
    [
        {"rollouts": 0},
        {"learning_rate": 0.0},
        {"micro_rows": -1},
        {"weight_decay": -0.1},
        {"drift_cap": -0.1},
        {"max_grad_norm": 0.0},
    ],
)
def test_values_out_of_range_are_named(bad):
    with pytest.raises(ValueError, match=f"slow.{next(iter(bad))}"):
        settings.Settings(**bad)
