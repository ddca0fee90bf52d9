"""Safety against the attack's progress, and the worst case over a grid of attackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.progress import SUITE


@dataclass(frozen=True, kw_only=True)
class FairCurve:
    """One run's safety beside how far its attack had come, rung by rung.

    Attributes:
        label: The run's name in a figure.
        steps: Optimizer steps, ascending.
        safety: Share refused, 0 to 1.
        loss: The attack's loss on what it trains on, in nats a token.
        moved: KL to step 0 on the same tokens, in nats a token.
    """

    label: str
    steps: tuple[int, ...]
    safety: tuple[float, ...]
    loss: tuple[float, ...]
    moved: tuple[float, ...]


def fair_curve(label: str, safety: ErosionCurve, made: Sequence[ErosionCurve]) -> FairCurve | None:
    """Joins a safety curve with its run's progress at the rungs that have both; None where none has."""
    axes = {curve.metric: curve for curve in made if curve.suite == SUITE}
    if not {"attack_loss", "kl_moved"} <= axes.keys():
        return None
    loss, moved = (_by_step(axes[name]) for name in ("attack_loss", "kl_moved"))
    held = {s: v for s, v in _by_step(safety).items() if s in loss and s in moved}
    if not held:
        return None
    return FairCurve(
        label=label, steps=tuple(held), safety=tuple(held.values()), loss=tuple(loss[step] for step in held),
        moved=tuple(moved[step] for step in held),
    )  # fmt: skip


def worst_case(attackers: Sequence[FairCurve], losses: Sequence[float]) -> list[float | None]:
    """For every level of attack loss the least safety any attacker leaves once its loss is that low.

    Args:
        attackers: One run each, of the same defence under attackers that differ (in learning rate, say).
        losses: Levels of loss in nats a token.

    Returns:
        None where no attacker reached the level: that is not safety.
    """
    return [_worst_at(attackers, level) for level in losses]


def _worst_at(attackers: Sequence[FairCurve], level: float) -> float | None:
    reached = [
        safety
        for run in attackers
        for safety, loss in zip(run.safety, run.loss, strict=True)
        if loss <= level
    ]
    return min(reached, default=None)


def _by_step(curve: ErosionCurve) -> dict[int, float]:
    return dict(zip(curve.steps, curve.values, strict=True))
