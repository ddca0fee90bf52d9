"""What asking a further judge costs: a line for every cell it was asked of, and a phase of the call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from erosion.evaluation.completeness.expected import Where
from erosion.evaluation.jsonl import append_lines
from erosion.evaluation.judging.judge import Judge
from erosion.evaluation.on_disk.checkpoints import read_ladder
from erosion.evaluation.on_disk.costs import FILE, Meter, read_costs, total
from erosion.evaluation.on_disk.provenance import Call

OF_A_RUN = ("base_digest", "recipe_digest", "dataset_digest")
Tokens = tuple[int, int, int]


def call_of(run: Path) -> Call:
    """Enters a call over a run in its provenance, with the digests of what was trained."""
    rungs = read_ladder(run)[:1]
    return Call(run, {key: getattr(rung, key) for rung in rungs for key in OF_A_RUN})


@contextmanager
def judging(run: Path, call: Call | None = None) -> Iterator[None]:
    """Enters time and cost of judging as a phase; an accelerator's hours are those of judges that use it.

    Args:
        run: The run's folder.
        call: The call it is part of; one of its own when None.
    """
    entered, before = call or call_of(run), len(read_costs(run))
    with entered.phase("judging", accelerators=0):
        yield
    cost = total(read_costs(run)[before:])
    entered.spent("judging", cost, gpu_hours=cost["gpu_hours"])
    if call is None:
        entered.end()


@contextmanager
def metered(
    run: Path, where: Where, digest: str, judge: Judge, verdicts: Callable[[], int]
) -> Iterator[None]:
    """Keeps what a judge costs over one cell, also where it stops; nothing where nothing was asked.

    Args:
        run: The run's folder.
        where: The judge's cell.
        digest: The cell's.
        judge: The judge. An accelerator's hours count where it says by `use_cpu` that it may use one.
        verdicts: How many it has given until now.
    """
    meter, before, told = Meter(use_cpu=getattr(judge, "use_cpu", True)), verdicts(), _tokens(judge)
    try:
        yield
    finally:
        given, said = verdicts() - before, _tokens(judge)
        if given or said != told:
            append_lines(
                run / FILE, [{**meter.line(where, digest), "prompts": given, **_between(told, said)}]
            )


def _tokens(judge: Judge) -> Tokens | None:
    """Tokens read and written until now, and answers without a count; None of judges that tell none."""
    told: Tokens | None = getattr(judge, "tokens", None)
    return told


def _between(before: Tokens | None, after: Tokens | None) -> dict[str, int | None]:
    """Tokens of one cell; None where the judge does not tell them, or an answer came without a count."""
    if before is None or after is None or before[2] != after[2]:
        return {"prompt_tokens": None, "generated_tokens": None}
    return {"prompt_tokens": after[0] - before[0], "generated_tokens": after[1] - before[1]}
