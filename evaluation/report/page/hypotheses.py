"""What was expected before the first run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from erosion import recipes
from erosion.evaluation.completeness.completeness import Completeness
from erosion.evaluation.hypotheses.findings import VERDICTS, Finding
from erosion.evaluation.hypotheses.of_runs import run_findings
from erosion.evaluation.report.page.contents import Cell, Part, Table, Text, Tone
from erosion.evaluation.report.page.groups import Group
from erosion.evaluation.report.page.runs import is_run
from erosion.evaluation.studies.table import condensed, entries, findings
from erosion.recipes.parsing import RecipeError
from erosion.recipes.study import Study, load_study

TONES: dict[bool | None, Tone] = {True: "good", False: "bad", None: "missing"}


def studies_of(given: Sequence[Path], named: Path | None) -> list[tuple[Study, Path]]:
    """The studies whose folders were given, with the folders.

    Args:
        given: What was asked to be compared.
        named: A study's file; where None, one of ours with the folder's name.

    Raises:
        RecipeError: A named study that cannot be read, or whose runs are in no given folder.
    """
    folders = [path for path in given if not is_run(path)]
    if named is None:
        return [(study, folder) for folder in folders for study in _ours(folder)]
    study = load_study(named)
    holding = [folder for folder in folders if _holds(study, folder)]
    if not holding:
        raise RecipeError(f"--study: {named} names runs that are in none of {', '.join(map(str, given))}")
    return [(study, folder) for folder in holding]


def hypothesis_parts(
    studies: Sequence[tuple[Study, Path]], groups: Sequence[Group], complete: Mapping[str, Completeness | str]
) -> list[Part]:
    """A table for every study and every run that states hypotheses; before those of seeds one over all."""
    parts: list[Part] = [
        _table(study.title, findings(study, condensed(study, entries(study, folder))))
        for study, folder in studies
        if study.hypotheses
    ]
    for group in groups:
        found = {run.name: run_findings(run.path, complete[run.name]) for run in group.runs}
        if len(group.runs) > 1 and any(found.values()):
            parts.append(_over_seeds(group, found))
        folded = len(group.runs) > 1
        parts += [_table(name, own, folded=folded) for name, own in found.items() if own]
    says = (
        "No recipe of these runs has a section of hypotheses, and no study's folder was given: those in a "
        "file's comments are for readers. Give a study's folder, and its file with --study where it is not "
        "one of ours."
    )
    return parts or [Text(says=says)]


def _ours(folder: Path) -> Iterator[Study]:
    file = Path(str(recipes.__file__)).parent / "studies" / f"{folder.resolve().name}.yaml"
    if file.is_file() and _holds(study := load_study(file), folder):
        yield study


def _holds(study: Study, folder: Path) -> bool:
    return any(is_run(folder / point.name) for point in study.points())


def _over_seeds(group: Group, found: Mapping[str, Sequence[Finding]]) -> Table:
    """In how many of a group's seeds each hypothesis held; one that only some state is counted in these."""
    says = dict.fromkeys(each.says for own in found.values() for each in own)
    rows = []
    for place, sentence in enumerate(says, start=1):
        held = {run: each.held for run, own in found.items() for each in own if each.says == sentence}
        count = sum(verdict is True for verdict in held.values())
        others = [f"{VERDICTS[verdict]} in {run}" for run, verdict in held.items() if verdict is not True]
        worst = False if False in held.values() else None if None in held.values() else True
        rows.append(
            (
                Cell(says=str(place), order=place),
                Cell(says=sentence),
                Cell(says=f"held in {count} of {len(held)} seeds", tone=TONES[worst]),
                Cell(says="; ".join(others)),
            )
        )
    heads = ("no.", "hypothesis", "outcome", "in which seeds not")
    return Table(caption=f"{group.name}: in how many seeds each held", heads=heads, rows=tuple(rows))


def _table(caption: str, made: Sequence[Finding], *, folded: bool = False) -> Table:
    rows = tuple(
        (
            Cell(says=str(place), order=place),
            Cell(says=each.says),
            Cell(says=VERDICTS[each.held], tone=TONES[each.held]),
            Cell(says=each.detail),
        )
        for place, each in enumerate(made, start=1)
    )
    heads = ("no.", "hypothesis", "outcome", "in how many comparisons")
    return Table(caption=caption, heads=heads, rows=rows, folded=folded)
