"""Names of the metrics that a recipe gives of a suite or task, as far as they are known before a run."""

from __future__ import annotations

from collections.abc import Iterable

from erosion.evaluation import suites
from erosion.evaluation.aggregate import DEFENDED, ERRORS, HITS, SCORES
from erosion.evaluation.guarding import OF_CHECKS, OF_TWO_CELLS, OWN_TEXT
from erosion.evaluation.judging.judge import tells_of
from erosion.evaluation.judging.partial_refusals import PARTIAL
from erosion.evaluation.progress import METRICS as OF_PROGRESS
from erosion.evaluation.progress import SUITE as PROGRESS
from erosion.evaluation.records import LM_EVAL
from erosion.recipes.discovery import find
from erosion.recipes.schema import Recipe

AGAINST_COUNTERPART = frozenset(f"{own}{name}" for own in ("", OWN_TEXT) for name in OF_TWO_CELLS)
"""Metrics of a harmful cell and its harmless counterpart."""
GUARDED = frozenset({DEFENDED, *OF_CHECKS}) | AGAINST_COUNTERPART
"""Metrics that are measured under guards alone."""
HALTS = "halted_rate"


def known_metrics(suite: str, recipe: Recipe) -> frozenset[str]:
    """What can be measured of a suite; of a task only what is ours, since lm-eval names its own."""
    if suite == PROGRESS:
        return frozenset(OF_PROGRESS)
    if suite.startswith(LM_EVAL):
        return frozenset({HALTS})
    return frozenset(_of_suite(suite, recipe))


def is_metric(metric: str, suite: str, recipe: Recipe) -> bool:
    """Whether a suite may have a metric: its name, a group's (`homonyms:refusal_rate`), or lm-eval's.

    Lm-eval's names hold a comma, as in `exact_match,strict-match`.
    """
    if suite.startswith(LM_EVAL) and "," in metric:
        return True
    known = known_metrics(suite, recipe)
    group, colon, own = metric.rpartition(":")
    return metric in known or bool(group and colon and own in known and own in HITS.keys() | SCORES)


def _of_suite(name: str, recipe: Recipe) -> Iterable[str]:
    suite = find(suites, name, "suite").SUITE
    yield from (suite.metric, "judge_agreement", "judge_kappa", *ERRORS, *OF_CHECKS)
    if suite.metric == "refusal_rate":
        yield from (PARTIAL, DEFENDED)
        yield from ["attack_success_rate"] if suite.is_harmful else []
    if suite.log_odds:
        yield "refusal_log_odds"
    if suite.prefilled and suite.is_harmful:
        yield from AGAINST_COUNTERPART
    for judge in recipe.evaluation.judges:
        yield from tells_of(judge.label)
