"""A study: many recipes that differ along named axes, what is told of them, and what was expected."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from erosion.recipes.hypotheses import Claim, Hypothesis, as_levels, check_right, with_claims
from erosion.recipes.parsing import RecipeError, build, mistake, read_yaml


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number of every run.

    Attributes:
        suite: The suite, `lm_eval/gsm8k` for a task of lm-eval, or `trained_on` for the attack's progress.
        metric: Its metric; of a task as lm-eval calls it, `exact_match,flexible-extract`.
        judge: Whose verdicts; the suite's first judge when None.
        depth: Answer tokens placed as prefill.
        defense: The guard's label.
        wrapped: Under what the run's attack brings along (its recipe's first wrapper), where it brings
            something.
        wrapper: Under this one.
        at: The rung: `last`, `first`, a step, or `area`, the curve's mean height over log(1 + step).
    """

    suite: str
    metric: str
    judge: str | None = None
    depth: int = 0
    defense: str = "none"
    wrapped: bool = False
    wrapper: str | None = None
    at: int | Literal["last", "first", "area"] = "last"


@dataclass(frozen=True, kw_only=True)
class Level:
    """One value of an axis.

    Attributes:
        recipe: The recipe of the runs at this level, relative to the study's file.
        set: Keys it changes, dotted as on the command line.
        start: The study's start these runs train from.
        columns: Columns that only these runs have, or have otherwise.
    """

    recipe: str | None = None
    set: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    columns: dict[str, Column] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Numbers of a publication, shown beside ours and never mixed with them.

    Attributes:
        source: Paper, table and model.
        rows: Levels by axis, with numbers by column.
    """

    source: str = ""
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run of a study.

    Attributes:
        levels: Its level on every axis.
        recipe: Its recipe.
        changes: Keys changed in it.
        start: What it trains from; the recipe's own model when None.
        columns: What is told of it.
    """

    levels: dict[str, str]
    recipe: Path
    changes: dict[str, Any]
    start: str | None
    columns: dict[str, Column]

    @property
    def name(self) -> str:
        """Its folder's name."""
        return "-".join(re.sub(r"[^\w.]+", "_", level) for level in self.levels.values())

    @property
    def overrides(self) -> list[str]:
        """Its changes as on the command line."""
        return as_overrides(self.changes)


@dataclass(frozen=True, kw_only=True)
class Study:
    """Many runs and one table.

    Attributes:
        path: The file it came from.
        title: Of the table.
        recipe: The recipe of every run whose levels name none.
        set: Keys changed in every run.
        starts: Recipes trained first, by name; other runs train from their last rung.
        axes: Levels by name, by axis; a run for each combination.
        columns: What is told of every run.
        average_over: An axis (seeds) that is averaged. An interval needs at least five; it crosses prompts
            and seeds wherever rows have the number.
        worst_over: An axis (learning rates) of which the level counts that is worst in the first column.
        hypotheses: Written before the first run.
        published: Of a publication.
    """

    path: Path
    title: str
    recipe: str | None = None
    set: dict[str, Any] = field(default_factory=dict)
    starts: dict[str, Level] = field(default_factory=dict)
    axes: dict[str, dict[str, Level]]
    columns: dict[str, Column]
    average_over: str | None = None
    worst_over: str | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    published: Published = Published()

    @property
    def folder(self) -> Path:
        """Where its runs go, unless told otherwise."""
        return Path("runs") / self.path.stem

    def points(self) -> list[Point]:
        """Every run, those of one start together so that its model stays loaded."""
        made = list(_points(self))
        return sorted(made, key=lambda point: point.start or "")


def load_study(path: Path | str) -> Study:
    """Reads a study's file.

    Raises:
        RecipeError: One sentence that names file, key, what was given and what is allowed.
    """
    path = Path(path)
    data = read_yaml(path)
    for key in ("starts", "columns"):
        data[key] = _named(data.get(key) or {}, Level if key == "starts" else Column, f"{path}: {key}")
    axes = data.get("axes")
    if not isinstance(axes, Mapping) or not axes:
        raise mistake(f"{path}: axes", axes, "at least one axis with its levels")
    data["axes"] = {axis: _named(given, Level, f"{path}: axes.{axis}") for axis, given in axes.items()}
    if "hypotheses" in data:
        data["hypotheses"] = with_claims(data["hypotheses"])
    study = build(Study, {**data, "path": str(path)}, str(path))
    _check(study := _with_path(study, path))
    return study


def as_overrides(changes: Mapping[str, Any]) -> list[str]:
    """Changed keys as command-line arguments."""
    return [word for key, value in changes.items() for word in (f"--{key}", json.dumps(value))]


def _with_path(study: Study, path: Path) -> Study:
    return Study(**{**vars(study), "path": path})


def _named(given: object, cls: type[Any], where: str) -> dict[str, Any]:
    """Sections by name; an empty one may be left empty."""
    if not isinstance(given, Mapping):
        raise mistake(where, given, "sections by name")
    made = {}
    for name, section in given.items():
        own = dict(section or {})
        if cls is Level and "columns" in own:
            own["columns"] = _named(own["columns"], Column, f"{where}.{name}.columns")
        made[str(name)] = build(cls, own, f"{where}.{name}")
    return made


def _points(study: Study) -> Iterator[Point]:
    for chosen in itertools.product(*(levels.items() for levels in study.axes.values())):
        levels = dict(zip(study.axes, (name for name, _ in chosen), strict=True))
        parts = [level for _, level in chosen]
        changes: dict[str, Any] = dict(study.set)
        columns = dict(study.columns)
        for part in parts:
            changes |= part.set
            columns |= part.columns
        named = [name for name in (part.recipe for part in parts) if name] or [study.recipe or ""]
        if not named[0] or len(named) > 1:
            raise mistake(f"{study.path}: the run {', '.join(levels.values())}", named, "exactly one recipe")
        start = next((part.start for part in parts if part.start), None)
        yield Point(
            levels=levels, recipe=study.path.parent / named[0], changes=changes, start=start, columns=columns
        )


def _check(study: Study) -> None:
    """Checks every name that refers to another part of the file."""
    points = list(_points(study))
    columns = {name for point in points for name in point.columns}
    for axis in (study.average_over, study.worst_over):
        if axis is not None and axis not in study.axes:
            raise mistake(f"{study.path}: axis", axis, ", ".join(study.axes), known=study.axes)
    for point in points:
        if point.start is not None and point.start not in study.starts:
            raise mistake(f"{study.path}: start", point.start, ", ".join(study.starts), known=study.starts)
    for index, hypothesis in enumerate(study.hypotheses):
        for claim in hypothesis.claims:
            _check_claim(study, claim, f"{study.path}: hypotheses[{index}]", columns)
    for index, row in enumerate(study.published.rows):
        levels = {axis: level for axis, level in row.items() if axis not in columns}
        _check_selection(
            study, {**levels, "column": next(iter(columns))}, f"published.rows[{index}]", columns
        )
    if len({point.name for point in points}) < len(points):
        raise RecipeError(f"{study.path}: axes: two runs would have the same folder")


def _check_claim(study: Study, claim: Claim, where: str, columns: set[str]) -> None:
    check_right(claim, f"{where}.right", "levels and a column")
    _check_selection(study, claim.left, f"{where}.left", columns)
    if isinstance(claim.right, Mapping):
        _check_selection(study, {**claim.left, **claim.right}, f"{where}.right", columns)


def _check_selection(study: Study, given: Mapping[str, Any], where: str, columns: set[str]) -> None:
    column, condensed = given.get("column"), (study.average_over, study.worst_over)
    if column not in columns:
        raise mistake(f"{where}.column", column, ", ".join(sorted(columns)), known=columns)
    for axis, level in given.items():
        if axis == "column":
            continue
        known = [name for name in study.axes if name not in condensed]
        if axis not in known:
            raise mistake(where, axis, ", ".join(known), known=known)
        for each in as_levels(level):
            if each not in study.axes[axis]:
                raise mistake(f"{where}.{axis}", each, ", ".join(study.axes[axis]), known=study.axes[axis])
