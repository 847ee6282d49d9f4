"""A complete stream of one's own, as the README shows it."""

from fastslow.streams import schedule, tasks


@schedule.scheduled
def sums(largest: int = 20):
    """Add, then subtract, numbers up to `largest`."""
    pairs = [(a, b) for a in range(largest + 1) for b in range(largest + 1)]
    add = tasks.examples((f"{a} + {b} =", f"{a + b}") for a, b in pairs)
    subtract = tasks.examples((f"{a} - {b} =", f"{a - b}") for a, b in pairs)
    return [
        tasks.make("add", add, "Answer with a number."),
        tasks.make("subtract", subtract, "Answer with a number."),
    ]
