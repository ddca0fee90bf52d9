"""`erosion prefer A B`: whose answers to the same prompts a model behind an endpoint prefers."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erosion.evaluation.endpoint.address import check_address
from erosion.evaluation.endpoint.asking import asking
from erosion.evaluation.judges.api import HONOURS
from erosion.evaluation.judging.judge import check_options
from erosion.evaluation.preference.asked import ask_pairs
from erosion.evaluation.preference.numbers import Preferred, preferred
from erosion.evaluation.preference.pairs import Pairs
from erosion.evaluation.preference.question import VERSION
from erosion.evaluation.preference.sides import Cell
from erosion.recipes.judge_options import JudgeOptions
from erosion.recipes.parsing import mistake


@dataclass(frozen=True, kw_only=True)
class Preference:
    """What a comparison gave.

    Attributes:
        found: The numbers; None where no pair could be scored.
        spent: Requests, tokens and dollars of this call.
        missing: One sentence for all that is not there.
    """

    found: Preferred | None
    spent: str
    missing: list[str]


def prefer(compared: Pairs, cell: Cell, options: JudgeOptions, *, out: Path) -> Preference:
    """Asks for what is missing and writes the numbers.

    Args:
        compared: The pairs.
        cell: Which answers of a run they are.
        options: The endpoint and its model.
        out: A CSV file of the numbers; beside it `OUT.opinions.jsonl` keeps what was said, from which a call
            that was stopped goes on.

    Raises:
        RecipeError: Another ending than `.csv`, or an address or model that cannot be used.
    """
    if out.suffix != ".csv":
        raise mistake("--out: file type", out.suffix, ".csv")
    check_options(options, HONOURS - {"rubric"}, "prefer")
    check_address(options, "prefer")
    asked, version = asking(options), f"{VERSION}:{options.model}"
    beside = out.with_name(f"{out.name}.opinions.jsonl")
    opinions, stopped = ask_pairs(compared.pairs, asked, beside, version=version)
    found, missing = preferred(compared.pairs, opinions), [stopped] if stopped else []
    if found is None:
        missing.append(f"no pair of {len(compared.pairs)} could be scored")
    else:
        first, second = compared.names
        of = {"first": first, "second": second, **vars(cell), "version": version}
        _write({**of, **vars(found), "one_side_only": compared.alone}, out)
    return Preference(found=found, spent=asked.costs.sentence, missing=missing)


def said(compared: Pairs, found: Preferred) -> str:
    """The numbers in words."""
    ends = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    left_out = f"{found.unscored} unscored, {found.missing} not asked, {compared.alone} on one side only"
    return (
        f"{compared.names[0]} over {compared.names[1]}: win rate {found.win_rate:.2f}{ends}, n = {found.n}\n"
        f"{found.won} won, {found.tied} tied, {found.lost} lost; {left_out}\n"
        f"verdicts that changed with the order: {found.swayed:.0%}"
    )


def _write(line: dict[str, Any], out: Path) -> None:
    """One line of CSV: beside the file, then renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(line), lineterminator="\n")
        writer.writeheader()
        writer.writerow(line)
    os.replace(beside, out)
