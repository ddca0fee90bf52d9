"""A study's table, its hypotheses and its files, made from what is on disk."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from erosion.evaluation.hypotheses.findings import told
from erosion.evaluation.report.completeness_lines import print_completeness
from erosion.evaluation.report.fair import fair_report
from erosion.evaluation.report.run_report import WIDEST
from erosion.evaluation.studies.table import Entry, condensed, entries, findings, published
from erosion.recipes.study import Study


def study_report(study: Study, folder: Path) -> list[str]:
    """Prints how complete every run is, the table and what became of the hypotheses.

    It writes `report/study.{csv,md}` and figures.

    Returns:
        One sentence for every number that is missing.
    """
    raw = entries(study, folder)
    found = condensed(study, raw)
    report = folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    rows, heads = _rows(study, found), _heads(study, found)
    print_completeness(folder / point.name for point in study.points())
    _print(study, heads, rows)
    said = told(findings(study, found))
    for sentence in said:
        print(sentence)
    files = [_csv(study, raw, report / "study.csv"), _markdown(study, heads, rows, said, report / "study.md")]
    for file in [*files, *fair_report(study, folder, report / "progress")]:
        print(f"{'figure' if file.suffix in ('.png', '.svg') else 'table'}: {file}")
    return [
        f"{', '.join(entry.levels.values())}: {entry.column} is missing"
        for entry in raw
        if entry.value is None
    ]


def _axes(study: Study) -> list[str]:
    return [axis for axis in study.axes if axis != study.average_over]


def _columns(found: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.column for entry in found))


def _heads(study: Study, found: Sequence[Entry]) -> list[str]:
    columns = _columns(found)
    beside = [name for name in columns if any(name in row for row in study.published.rows)]
    return [*_axes(study), *columns, *(f"published: {name}" for name in beside)]


def _rows(study: Study, found: Sequence[Entry]) -> list[list[str]]:
    columns = _columns(found)
    groups: dict[tuple[str, ...], dict[str, Entry]] = {}
    for entry in found:
        groups.setdefault(tuple(entry.levels.values()), {})[entry.column] = entry
    ordered = sorted(groups.items(), key=lambda pair: _place(study, pair[0]))
    beside = [name for name in columns if any(name in row for row in study.published.rows)]
    return [
        [
            *levels,
            *(_cell(own.get(name)) for name in columns),
            *(_published(study, own.get(name)) for name in beside),
        ]
        for levels, own in ordered
    ]


def _place(study: Study, levels: tuple[str, ...]) -> list[int]:
    """Rows in the order of the study's file; a level that is not known comes last."""
    pairs = ((list(study.axes[axis]), level) for axis, level in zip(_axes(study), levels, strict=True))
    return [known.index(level) if level in known else len(known) for known, level in pairs]


def _cell(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.value is None:
        return "missing"
    interval = "" if entry.low is None else f" [{_short(entry.low)}, {_short(entry.high)}]"
    return f"{_short(entry.value)}{interval}{f', {entry.unscored} unscored' if entry.unscored else ''}"


def _short(value: float | None) -> str:
    return (
        ""
        if value is None
        else f"{value:.3f}".replace("0.", ".", 1)
        if 0 < abs(value) < 1
        else f"{value:.3g}"
    )


def _published(study: Study, entry: Entry | None) -> str:
    value = None if entry is None else published(study, entry)
    return _short(value)


def _print(study: Study, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=study.title, title_justify="left", caption=_caption(study), caption_justify="left")
    for head in heads:
        grid.add_column(head, style="dim" if head.startswith("published") else None)
    for row in rows:
        grid.add_row(*row)
    Console(width=max(Console().width, WIDEST)).print(grid)


def _caption(study: Study) -> str:
    parts = [f"published: {study.published.source}"] if study.published.source else []
    if study.average_over:
        axis = study.average_over
        parts.append(f"means over {axis}, intervals over prompts and {axis} where rows have the number")
    if study.worst_over:
        parts.append(f"of every {study.worst_over} the one that is worst in {next(iter(study.columns))}")
    return "; ".join(["95 % intervals in brackets", *parts])


def _csv(study: Study, raw: Sequence[Entry], file: Path) -> Path:
    """Every run's numbers, nothing averaged, one a line."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            [*study.axes, "column", "value", "low", "high", "n", "unscored", "higher_is", "published"]
        )
        for entry in raw:
            numbers = (entry.value, entry.low, entry.high, entry.n, entry.unscored, entry.higher_is)
            writer.writerow([*entry.levels.values(), entry.column, *numbers, published(study, entry)])
    return file


def _markdown(
    study: Study, heads: Sequence[str], rows: Sequence[Sequence[str]], said: Sequence[str], file: Path
) -> Path:
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    hypotheses = "\n".join(said)
    text = f"# {study.title}\n\n{table}\n\n{_caption(study)}.\n\n## Hypotheses\n\n{hypotheses}\n"
    file.write_text(text, encoding="utf-8")
    return file
