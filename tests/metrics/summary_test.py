import numpy as np
import pytest

from fastslow.metrics import summary
from tests.metrics import worked


def test_every_scalar_of_the_worked_example():
    assert summary.summarise(worked.three_tasks(), {"a": 0.9, "b": 0.9, "c": 0.9}) == (
        pytest.approx(
            {
                "average_accuracy": 2.2 / 3,
                "forgetting": 0.25,
                "backward_transfer": -0.25,
                "forward_transfer": 0.1,
                "learning_accuracy": 0.9,
                "intransigence": 0.0,
            }
        )
    )


def test_one_row_has_an_accuracy_and_nothing_else():
    metrics = summary.summarise(worked.build([[0.5, 0.7]], [""]))
    assert metrics.pop("average_accuracy") == pytest.approx(0.6)
    assert np.isnan(list(metrics.values())).all()
    assert "intransigence" not in metrics
