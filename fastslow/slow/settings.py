"""The numbers of the slow channel, checked once."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a lesson is taught."""

    rollouts: int = 8  # G: answers per problem, over all its prompts; one advantage group
    max_tokens: int = 8  # of one answer
    learning_rate: float = 5e-4
    warmup_steps: int = 4  # counted from the start of the run, not of the lesson
    clip_norm: float = 1.0  # of the gradient
    weight_decay: float = 0.0  # decoupled, towards the base model
    micro_rows: int = 64  # answers of one forward and backward pass: memory grows with it
    remat: bool = False  # recompute layers in the backward pass: less memory, a third more work
    step_cap: float | None = None  # nats/token, KL(after || before), of a step at most; 0: any
    drift_cap: float | None = None  # the same of a whole lesson, as estimated on `drift_rows`
    drift_budget: float | None = None  # the same since the base model, that policies may spend
    drift_rows: int = 16  # completions of the lesson that drift_cap is measured on
    drift_evaluations: int = 8  # at most, to find the largest step that keeps the cap
    probe_examples: int = 8  # of a lesson that schedulers which probe see sampled answers to
    max_loss: float = 1e3  # a step above this rejects the lesson as exploded
    max_grad_norm: float = 1e4  # before clipping; likewise

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        sizes = ("rollouts", "max_tokens", "learning_rate", "clip_norm", "micro_rows")
        limits = ("drift_rows", "drift_evaluations", "max_loss", "max_grad_norm")
        for name in (*sizes, "probe_examples", *limits):
            if getattr(self, name) <= 0:
                raise ValueError(f"slow.{name} must be positive, got {getattr(self, name)}")
        for name in ("warmup_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"slow.{name} must not be negative, got {getattr(self, name)}")
        for name in ("step_cap", "drift_cap", "drift_budget"):
            cap = getattr(self, name)
            if cap is not None and cap < 0:
                raise ValueError(f"slow.{name} must not be negative, got {cap}")
