"""ADA-LP's probe from collected states: one regression a block, the best block, a matched threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from erosion.defenses.any_depth.collecting import States

FEWEST_NEGATIVES = 2000


def fit(train: States, validation: States, settings: ProbeSettings) -> LinearProbe:
    """One logistic regression a block on the training states; validation chooses the block.

    Args:
        train: Of the training conversations.
        validation: Of others, read at the same places.
        settings: What the probe belongs to; block and metrics are filled in.

    Raises:
        RecipeError: States of one class only.
    """
    probes = [_of_layer(train, layer, settings) for layer in train.reading.layers]
    scored = [(balanced_accuracy(probe, validation), probe) for probe in probes]
    accuracy, best = max(scored, key=lambda each: each[0])
    metrics = {
        "validation_balanced_accuracy": accuracy,
        "by_layer": {str(p.settings.layer): value for value, p in scored},
        "by_layer_and_depth": {str(p.settings.layer): accuracy_by_depth(p, validation) for p in probes},
        "training_rows": len(train.rows(best.settings.layer)[1]),
    }
    return replace(best, settings=replace(best.settings, metrics=metrics))


def regression() -> LogisticRegression:
    """As published (2510.18081, section 4): no scaling, classes weighted alike."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=1.0, solver="lbfgs", max_iter=1000, tol=1e-4, class_weight="balanced", random_state=42
    )


def balanced_accuracy(probe: LinearProbe, states: States) -> float:
    """Mean of both classes' accuracies at the probe's threshold, over every row of its block."""
    from sklearn.metrics import balanced_accuracy_score

    rows, labels = states.rows(probe.settings.layer)
    return float(balanced_accuracy_score(labels, probe.probabilities(rows) >= probe.threshold))


def accuracy_by_depth(probe: LinearProbe, states: States) -> dict[str, float]:
    """Balanced accuracy at every depth at which there are states of both classes."""
    from sklearn.metrics import balanced_accuracy_score

    says = probe.probabilities(states.of_layer(probe.settings.layer))
    labels, found = torch.tensor(states.labels), {}
    for column, depth in enumerate(states.reading.depths):
        there = ~says[:, column].isnan()
        if 0 < int(labels[there].sum()) < int(there.sum()):
            halts = says[there, column] >= probe.threshold
            found[str(depth)] = float(balanced_accuracy_score(labels[there], halts))
    return found


def matched(probe: LinearProbe, benign: torch.Tensor, rate: float, *, lowest: float = 0.0) -> LinearProbe:
    """The probe with the lowest threshold that flags at most `rate` of benign checks at every depth.

    Args:
        probe: The probe.
        benign: Its probabilities on benign calibration answers, `[answers, depths]`; NaN is left out.
        rate: Share of checks flagged, above 0 and below 1.
        lowest: The threshold is never below this.

    Raises:
        RecipeError: Fewer than 2,000 checks, too few for a rate of 1 %, or no such rate.
    """
    checks = int((~benign.isnan()).sum())
    if checks < FEWEST_NEGATIVES:
        raise RecipeError(f"calibration: given {checks} benign checks, allowed at least {FEWEST_NEGATIVES}")
    if not 0 < rate < 1:
        raise RecipeError(f"rate: given {rate}, allowed above 0 and below 1")
    threshold = max([lowest, *(_just_above(column, rate) for column in benign.T)])
    halts = benign.double() >= threshold
    metrics = probe.settings.metrics | {
        "calibration_checks": checks,
        "calibration_flagged_per_check": float(halts.sum()) / checks,
        "calibration_flagged_per_response": float(halts.any(1).sum() / (~benign.isnan()).any(1).sum()),
    }
    found = probe.at_threshold(threshold)
    return replace(found, settings=replace(found.settings, metrics=metrics))


def _just_above(scores: torch.Tensor, rate: float) -> float:
    """The lowest threshold that at most `rate` of the scores reach; 0 where there are none."""
    values = scores[~scores.isnan()].sort(descending=True).values
    if not len(values):
        return 0.0
    last = float(values[int(rate * len(values))])
    if last >= 1:
        raise RecipeError(
            f"calibration: more than {rate:.2%} of benign checks score 1, so no threshold lets them pass"
        )
    return math.nextafter(last, 1.0)


def _of_layer(states: States, layer: int, settings: ProbeSettings) -> LinearProbe:
    rows, labels = states.rows(layer)
    if not 0 < int(labels.sum()) < len(labels):
        raise RecipeError(
            "corpus: every conversation has the same label; a probe needs harmful and benign ones"
        )
    fitted = regression().fit(rows.numpy(), labels.numpy())
    return LinearProbe(
        weight=torch.tensor(fitted.coef_[0], dtype=torch.float32),
        bias=float(fitted.intercept_[0]),
        settings=replace(settings, layer=layer),
    )
