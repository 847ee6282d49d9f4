"""Every scalar metric of one accuracy matrix in one mapping, for tables and reports."""

from __future__ import annotations

from collections.abc import Mapping

from fastslow.metrics import forgetting, matrix, plasticity, transfer


def summarise(
    scores: matrix.AccuracyMatrix, reference: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the metrics by name, each averaged over the tasks for which it is defined.

    Intransigence is among them where `reference` scores are given. NaN = defined for no task.
    """
    metrics = {
        "average_accuracy": matrix.average_accuracy(scores),
        "forgetting": matrix.mean(forgetting.forgetting(scores)),
        "backward_transfer": matrix.mean(transfer.backward_transfer(scores)),
        "forward_transfer": matrix.mean(transfer.forward_transfer(scores)),
        "learning_accuracy": matrix.mean(plasticity.learning_accuracy(scores)),
    }
    if reference is not None:
        metrics["intransigence"] = matrix.mean(plasticity.intransigence(scores, reference))
    return metrics
