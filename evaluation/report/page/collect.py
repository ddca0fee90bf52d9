"""The whole report in its order: what is said of several runs, apart from how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from erosion.evaluation.completeness.completeness import Completeness, completeness
from erosion.evaluation.on_disk.provenance import code
from erosion.evaluation.report.page.completeness_parts import completeness_parts
from erosion.evaluation.report.page.contents import Heading, Page, Part, Section, Text
from erosion.evaluation.report.page.costs_parts import cost_parts
from erosion.evaluation.report.page.curve_figures import every_curve, safety_figures, utility_figures
from erosion.evaluation.report.page.depth_figures import depth_parts
from erosion.evaluation.report.page.groups import Group
from erosion.evaluation.report.page.hypotheses import hypothesis_parts
from erosion.evaluation.report.page.judges_parts import judge_parts
from erosion.evaluation.report.page.measurements import measurement_grid
from erosion.evaluation.report.page.origins import origin_parts
from erosion.evaluation.report.page.paired_blocks import Block, blocks
from erosion.evaluation.report.page.paired_parts import paired_parts
from erosion.evaluation.report.page.runs import Run
from erosion.evaluation.report.page.samples import Stored, sample_parts
from erosion.evaluation.report.page.tradeoffs import tradeoff_parts
from erosion.recipes.parsing import RecipeError
from erosion.recipes.study import Study


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All that a report is made from, read once.

    Attributes:
        runs: In the order given.
        groups: The same runs, those that differ only in seed together.
        complete: How complete every run is, by its name.
        stored: The answers.
        studies: Studies whose folders were given.
        safe: Whether prompts and answers are left out.
    """

    runs: tuple[Run, ...]
    groups: tuple[Group, ...]
    complete: Mapping[str, Completeness | str]
    stored: Stored
    studies: tuple[tuple[Study, Path], ...] = ()
    safe: bool = False

    @cached_property
    def paired(self) -> tuple[Block, ...]:
        """What is compared prompt by prompt."""
        return tuple(blocks(self.groups))


def checked(runs: Sequence[Run]) -> dict[str, Completeness | str]:
    """How complete every run is; in words where its folder does not tell."""
    found: dict[str, Completeness | str] = {}
    for run in runs:
        try:
            found[run.name] = completeness(run.path)
        except RecipeError as error:
            found[run.name] = f"what is missing cannot be told: {error}"
    return found


def collect(given: Compared) -> Page:
    """Everything the page says, in its order."""
    names = [group.name for group in given.groups]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    runs = f"{len(given.runs)} run{'s' if len(given.runs) > 1 else ''}"
    return Page(
        title=shown,
        subtitle=f"Erosion of safety alignment under fine-tuning: {runs}. Written by erosion {code()}.",
        sections=tuple(_sections(given)),
        safe=given.safe,
    )


def _sections(given: Compared) -> list[Section]:
    groups, runs = given.groups, given.runs
    curves = [*safety_figures(groups), Heading(says="Any other curve"), every_curve(groups)]
    origins = [*origin_parts(runs, safe=given.safe), Heading(says="Costs"), *cost_parts(runs)]
    made: list[tuple[str, str, list[Part]]] = [
        ("completeness", "Completeness", [*_opening(given), *completeness_parts(given.complete)]),
        ("curves", "Erosion curves", curves),
        ("depth", "Depth of the forced start", depth_parts(groups)),
        ("utility", "Utility and over-refusal", [*utility_figures(groups), *tradeoff_parts(groups)]),
        ("judges", "Judges", judge_parts(groups)),
        ("paired", "Paired comparison", paired_parts(given.paired, len(groups))),
        ("origins", "Recipes, provenance, costs", origins),
        ("hypotheses", "Hypotheses", hypothesis_parts(given.studies, groups, given.complete)),
        ("measurements", "Measurements", [measurement_grid(runs)]),
        ("samples", "Answers", sample_parts(given.stored, safe=given.safe)),
    ]  # fmt: skip
    return [Section(name=name, title=title, parts=tuple(parts)) for name, title, parts in made]


def _opening(given: Compared) -> list[Part]:
    """The groups of more than one run, and what their seeds are enough for."""
    several = [group for group in given.groups if len(group.runs) > 1]
    return [Text(says=group.said) for group in several if group.said]
