"""One cell at one rung: answers, verdicts and rows, batch by batch, each batch on disk before the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from erosion.defenses.base import Guard
from erosion.evaluation import judges as judge_files
from erosion.evaluation.cells import Cell, Prompt
from erosion.evaluation.engine import Engine
from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.openers import header_log_odds
from erosion.evaluation.records import Completion
from erosion.recipes.discovery import find

Row = dict[str, Any]


def sample_file(run: Path, step: int, cell: Cell) -> Path:
    """Where a cell's rows are kept."""
    return (
        run
        / "samples"
        / f"step-{step:06d}"
        / f"{cell.name.replace('/', '.')}-{cell.defense}-{cell.depth}.jsonl"
    )


def answer_cell(
    engine: Engine,
    guard: Guard,
    cell: Cell,
    file: Path,
    stamp: Row,
    *,
    batch_size: int,
    advance: Callable[[int], None],
) -> list[Row]:
    """Answers and judges what is not yet on disk, and returns all rows of the cell.

    Args:
        engine: With the rung entered.
        guard: What stands between model and user.
        cell: What to measure.
        file: Its sample file; rows of another stamp in it are replaced.
        stamp: `step` and `cell`, the digest that ties a row to weights, prompts, decoding and judges.
        batch_size: Prompts answered together.
        advance: Told how many prompts are done.
    """
    kept = [row for row in read_lines(file) if row.get("cell") == stamp["cell"]]
    if file.is_file() and len(kept) != len(read_lines(file)):
        write_lines(file, kept)
    done = {row["id"] for row in kept}
    advance(len(done))
    waiting = [prompt for prompt in cell.prompts if prompt.case.id not in done]
    for start in range(0, len(waiting), batch_size):
        batch = waiting[start : start + batch_size]
        append_lines(file, [{**stamp, **row} for row in _answered(engine, guard, cell, batch, batch_size)])
        advance(len(batch))
    return read_lines(file)


def _answered(
    engine: Engine, guard: Guard, cell: Cell, batch: Sequence[Prompt], batch_size: int
) -> list[Row]:
    chosen = bool(batch[0].choices)
    completions = _chosen(engine, batch, batch_size) if chosen else _generated(engine, guard, cell, batch)
    odds: Sequence[float | None] = [None] * len(batch)
    if cell.openers is not None:
        odds = header_log_odds(engine, [prompt.ids for prompt in batch], cell.openers, batch_size=batch_size)
    return [_row(cell, completion, value) for completion, value in zip(completions, odds, strict=True)]


def _generated(engine: Engine, guard: Guard, cell: Cell, batch: Sequence[Prompt]) -> list[Completion]:
    out = engine.generate(guard, [prompt.ids for prompt in batch], max_new_tokens=cell.max_new_tokens)
    texts = [str(engine.tokenizer.decode(ids, skip_special_tokens=True)) for ids in out.new_ids]
    return [
        Completion(case=prompt.case, text=text, token_ids=ids, stopped_by=reason)
        for prompt, text, ids, reason in zip(batch, texts, out.new_ids, out.stopped_by, strict=True)
    ]


def _chosen(engine: Engine, batch: Sequence[Prompt], batch_size: int) -> list[Completion]:
    pairs = [(prompt.ids, choice) for prompt in batch for choice in prompt.choices]
    scores = iter(engine.log_likelihoods([p for p, _ in pairs], [c for _, c in pairs], batch_size=batch_size))
    completions = []
    for prompt in batch:
        own = [next(scores) for _ in prompt.choices]
        best = own.index(max(own))
        completions.append(
            Completion(
                case=prompt.case,
                text=prompt.case.choices[best],
                token_ids=list(prompt.choices[best]),
                stopped_by="length",
            )
        )
    return completions


def _row(cell: Cell, completion: Completion, log_odds: float | None) -> Row:
    verdicts = [find(judge_files, judge, "judge").judge(completion) for judge in cell.suite.judges]
    case = completion.case
    return {
        "suite": cell.name, "id": case.id, "defense": cell.defense, "depth": case.depth,
        "attack": case.attack, "messages": case.messages, "prefill": case.prefill,
        "text": completion.text, "stopped_by": completion.stopped_by,
        "label": verdicts[0].label, "judge": verdicts[0].judge,
        "verdicts": {
            verdict.judge: {"label": verdict.label, "detail": verdict.detail} for verdict in verdicts
        },
        "log_odds": log_odds,
    }  # fmt: skip
