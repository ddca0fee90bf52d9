"""Whether a recipe measures what a study's column or a hypothesis names: every name, before training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erosion.evaluation.judging.whose_verdicts import own_judges
from erosion.evaluation.metric_names import GUARDED, is_metric, known_metrics
from erosion.evaluation.named_suite import suite_of
from erosion.evaluation.progress import SUITE as PROGRESS
from erosion.evaluation.records import LM_EVAL
from erosion.recipes.hypotheses import OF_CELLS, steps_named
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import Recipe
from erosion.recipes.study import Column

OF_MEASURING = ("guard", "openers", "tokens", "lm_eval")
"""Who gives a number without judging answers."""
CUT_SHORT = "a run cut short leaves its hypotheses out with --hypotheses []"


def check_column(column: Column, recipe: Recipe, where: str) -> None:
    """Checks that a recipe measures a study's column.

    Raises:
        RecipeError: A name that the recipe does not have.
    """
    own = {key: getattr(column, key) for key in ("suite", "metric", "judge", "depth", "defense", "wrapper")}
    check_names({key: value for key, value in own.items() if value is not None}, recipe, where)
    allowed = ["first", "last", "area", *recipe.ladder]
    if column.at not in allowed:
        raise _unknown(f"{where}.at", column.at, allowed)


def check_hypotheses(recipe: Recipe) -> None:
    """Checks that a recipe measures all that its hypotheses name.

    Raises:
        RecipeError: A name that the recipe does not have.
    """
    try:
        for index, hypothesis in enumerate(recipe.hypotheses):
            for place, claim in enumerate(hypothesis.claims):
                where = f"{recipe.path}: hypotheses[{index}].claims[{place}]"
                _check_selection(claim.left, recipe, f"{where}.left")
                if isinstance(claim.right, Mapping):
                    _check_selection({**claim.left, **claim.right}, recipe, f"{where}.right")
    except RecipeError as error:
        raise RecipeError(f"{error}; {CUT_SHORT}") from error


def check_names(named: Mapping[str, Any], recipe: Recipe, where: str) -> None:
    """Checks names by key, one or a list each: suite, metric, judge, depth, defense and wrapper.

    Raises:
        RecipeError: One that the recipe does not have, a metric that a suite cannot have, or one of guards
            where there is none.
    """
    for key, allowed in _allowed(named, recipe).items():
        for value in _listed(named.get(key, [])):
            if (_without_version(value) if key == "judge" else value) not in allowed:
                raise _unknown(f"{where}.{key}", value, allowed)
    for metric in _listed(named.get("metric", [])):
        for suite in _listed(named.get("suite", [])):
            _check_metric(str(metric), str(suite), recipe, f"{where}.metric")
        if metric in GUARDED and "none" in _listed(named.get("defense", [])):
            guards = [options.label for options in recipe.evaluation.defenses if options.label != "none"]
            allowed_ones = f"{', '.join(guards) or 'no defence'}: {metric} is measured under guards alone"
            raise mistake(f"{where}.defense", "none", allowed_ones)


def _check_selection(selection: Mapping[str, Any], recipe: Recipe, where: str) -> None:
    check_names(selection, recipe, where)
    if "step" not in selection:
        return
    steps = steps_named(selection["step"], recipe.ladder)
    if not steps:
        raise mistake(f"{where}.step", selection["step"], f"a range with a rung of {list(recipe.ladder)}")
    for step in steps:
        if isinstance(step, bool) or step not in recipe.ladder:
            raise _unknown(f"{where}.step", step, [*recipe.ladder, "up to N", "from N"])


def _allowed(named: Mapping[str, Any], recipe: Recipe) -> dict[str, list[object]]:
    given = recipe.evaluation
    tasks = [f"{LM_EVAL}{task.shown}" for task in given.tasks]
    names = [*(data.name for data in given.suites), *tasks, PROGRESS]
    wanted = _listed(named.get("suite", names))
    forced = any(suite_of(data).prefilled for data in given.suites if data.name in wanted)
    known: dict[str, list[object]] = {
        "suite": [*names],
        "depth": [0, *(given.depths if forced else ())],
        "defense": ["none", *(options.label for options in given.defenses)],
        "wrapper": ["none", *(wrapper.name for wrapper in given.wrappers)],
    }
    known["judge"] = [judge for suite in names if suite in wanted for judge in _judges(suite, recipe)]
    return {key: list(dict.fromkeys(values)) for key, values in known.items()}


def _judges(suite: str, recipe: Recipe) -> Iterator[str]:
    """Whose numbers a suite may have: its own judges' and further ones', of two of them, and no judge's."""
    if own := own_judges(suite):
        later = [judge.label for judge in recipe.evaluation.judges]
        alone = [judge for judge in own if "~" not in judge]
        yield from (*own, *later)
        yield from (f"{a}~{b}" for a, b in itertools.permutations([*alone, *later], 2))
    yield from OF_MEASURING


def _check_metric(metric: str, suite: str, recipe: Recipe, where: str) -> None:
    if metric in OF_CELLS or is_metric(metric, suite, recipe):
        return
    known = sorted(known_metrics(suite, recipe))
    named = "lm-eval's own names, as in exact_match,strict-match, or " if suite.startswith(LM_EVAL) else ""
    raise mistake(where, metric, f"of {suite} {named}{', '.join(known)}", known=known)


def _without_version(judge: object) -> str:
    return "~".join(part.partition("@")[0] for part in str(judge).split("~"))


def _listed(given: object) -> Sequence[Any]:
    return given if isinstance(given, list | tuple) else [given]


def _unknown(where: str, given: object, allowed: Sequence[object]) -> RecipeError:
    names = [str(each) for each in allowed]
    return mistake(where, given, ", ".join(names), known=names)
