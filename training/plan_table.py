"""A plan in the terminal: what is measured, or a study's runs, and what all of it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from erosion.training.planning import RunPlan
from erosion.training.timing import Speed, timed_as

if TYPE_CHECKING:
    from rich.table import Table

UNKNOWN = "?"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def work_table(run: RunPlan) -> Table:
    """One run: a line for every suite, defence, wrapper and depth, summed over its rungs."""
    grid = _table(
        f"{run.name}: {run.rungs} rungs, {len(run.work)} cells each", ("suite", "defence", "wrapper")
    )
    for name in ("depth", "prompts a rung", "prompts", "tokens read", "new tokens at most"):
        grid.add_column(name, justify="right", no_wrap=True)
    for each in run.work:
        counts = (each.prompts, each.read, each.written)
        asked, read, written = (_count(None if n is None else n * run.rungs) for n in counts)
        where = (each.suite, each.defense, each.wrapper, str(each.depth))
        grid.add_row(*where, _count(each.prompts), asked, read, written)
    for judge in run.judging:
        counts = (judge.verdicts, judge.read, judge.written)
        asked, read, written = (_count(count * run.rungs) for count in counts)
        where = ("all answers", f"judged by {judge.judge}", "", "")
        grid.add_row(*where, _count(judge.verdicts), asked, read, written)
    if run.probe:
        grid.add_row("probe", "once", "", "", "", "", _count(run.probe), "0")
    return grid


def runs_table(runs: Sequence[RunPlan]) -> Table:
    """A study: a line for every run."""
    grid = _table(f"{len(runs)} runs", ("run",))
    for name in ("rungs", "cells a rung", "prompts", "tokens read", "new tokens at most", "training tokens"):
        grid.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        numbers = (run.rungs, len(run.work), run.prompts, run.read, run.written, run.training.tokens)
        grid.add_row(run.name, *map(_count, numbers))
    return grid


def sentences(runs: Sequence[RunPlan], speeds: Mapping[str, Speed]) -> Iterator[str]:
    """What all runs take together: measuring, training, disk and time, and what the time rests on.

    Args:
        runs: The runs.
        speeds: Of their models, by `timed_as`; those that were not timed are missing.
    """
    cells, prompts = sum(run.rungs * len(run.work) for run in runs), sum(run.prompts for run in runs)
    read, written = sum(run.read for run in runs), sum(run.written for run in runs)
    steps, tokens = sum(run.training.steps for run in runs), sum(run.training.tokens for run in runs)
    yield f"runs: {len(runs)}; rungs: {sum(run.rungs for run in runs)}; cells: {_count(cells)}"
    yield f"measuring: {_count(prompts)} prompts, {_count(read)} tokens read, {_count(written)} new at most"
    for why in _unknown(runs):
        yield f"  without {why}"
    yield from _judging(runs)
    yield f"training: {_count(steps)} steps, {_count(tokens)} tokens in one process"
    yield from _disk(runs)
    yield from _time(runs, speeds)


def _unknown(runs: Sequence[RunPlan]) -> list[str]:
    """Why something could not be counted, each reason once."""
    return list(dict.fromkeys(work.unknown for run in runs for work in run.work if work.unknown))


def _judging(runs: Sequence[RunPlan]) -> Iterator[str]:
    """A line for every judge, over all runs."""
    for label in _judges(runs):
        asked = [(run.rungs, each) for run in runs for each in run.judging if each.judge == label]
        verdicts, read, written = (
            _count(sum(rungs * getattr(each, name) for rungs, each in asked))
            for name in ("verdicts", "read", "written")
        )
        priced = [rungs * each.dollars for rungs, each in asked if each.dollars is not None]
        dollars = f", at most ${sum(priced):,.2f}" if priced else ""
        caps = [each.cap for _, each in asked if each.cap is not None]
        cap = f" and no more than ${max(caps):g} a call" if caps else ""
        notes = "".join(f" ({note})" for note in dict.fromkeys(each.note for _, each in asked) if note)
        told = f"{verdicts} verdicts, {read} tokens read, {written} written at most"
        yield f"judging by {label}: {told}{dollars}{cap}{notes}"


def _judges(runs: Sequence[RunPlan], reader: str | None = None) -> list[str]:
    named = (each for run in runs for each in run.judging)
    return list(dict.fromkeys(each.judge for each in named if reader in (None, each.reader)))


def _disk(runs: Sequence[RunPlan]) -> Iterator[str]:
    one = f" ({_bytes(runs[0].disk.rung)} each)" if len(runs) == 1 else ""
    stay, answers = sum(r.disk.rungs for r in runs), sum(r.disk.answers for r in runs)
    most = max(r.disk.most for r in runs)
    yield (
        f"disk: {_bytes(stay)} of rungs{one}, about {_bytes(answers)} of answers; "
        f"at most {_bytes(most)} in one run while it trains"
    )


def _time(runs: Sequence[RunPlan], speeds: Mapping[str, Speed]) -> Iterator[str]:
    timed = [(run, speeds[timed_as(run.recipe)]) for run in runs if timed_as(run.recipe) in speeds]
    others = list(dict.fromkeys(run.recipe.model for run in runs if timed_as(run.recipe) not in speeds))
    if timed:
        beside = ["start-up", "figures", *(f"judging by {label}" for label in _judges(runs, "own"))]
        beside += ["what was not counted"] * bool(_unknown(runs))
        seconds = sum(speed.seconds(run) for run, speed in timed)
        yield (
            f"time: about {_duration(seconds)} in one process, {_basis(timed)}; {' and '.join(beside)} "
            "come on top"
        )
    if others:
        names = ", ".join(others)
        why = f"since {names} was not timed on this machine; --timing loads and times it"
        yield f"time{f' of {len(runs) - len(timed)} more runs' if timed else ''}: unknown, {why}"


def _basis(timed: Sequence[tuple[RunPlan, Speed]]) -> str:
    """What an estimate rests on: the numbers of one model, or how far those of several are apart."""
    used = list(dict.fromkeys(speed for _, speed in timed))
    steps = [speed.train * run.training.tokens / max(1, run.training.steps) for run, speed in timed]
    several = f" of {len(used)} models" if len(used) > 1 else ""
    return (
        f"estimated from {sum(speed.took for speed in used):.0f} s of timing{several}: "
        f"{_rates([speed.read for speed in used])} tokens read and {_rates([speed.write for speed in used])} "
        f"written a second, {_span(f'{min(steps):.2f}', f'{max(steps):.2f}')} s a training step"
    )


def _rates(seconds: Sequence[float]) -> str:
    """From the slowest to the fastest."""
    return _span(*(f"{1 / each:,.0f}" if each else UNKNOWN for each in (max(seconds), min(seconds))))


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _bytes(count: float) -> str:
    for unit in UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {UNITS[-1]}"


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _table(title: str, names: Sequence[str]) -> Table:
    from rich.table import Table

    grid = Table(title=title, title_justify="left")
    for name in names:
        grid.add_column(name, no_wrap=True)
    return grid
