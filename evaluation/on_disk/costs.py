"""What cells cost: seconds, tokens, GPU-hours, memory; a line for every cell that a sweep got through.

A further judge's cell has a line too, with its verdicts as prompts; what the judge does not tell is None.

Lines are only added: a cell that is measured again costs again, and what a killed sweep spent on whole cells
stays counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from erosion.evaluation.completeness.expected import Where
from erosion.evaluation.jsonl import append_lines, read_lines
from erosion.evaluation.machine import device
from erosion.evaluation.on_disk.provenance import gpu_hours
from erosion.evaluation.tally import Tally

FILE = "costs.jsonl"
SUMMED = ("seconds", "prompts", "prompt_tokens", "generated_tokens", "guard_tokens", "gpu_hours")


@dataclass(kw_only=True)
class Meter:
    """Runs while a cell is measured.

    Attributes:
        use_cpu: Whether an accelerator is left alone.
        tally: Its tokens.
    """

    use_cpu: bool = False
    tally: Tally = field(default_factory=Tally)
    _begun: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        import torch

        if self._accelerated:
            torch.accelerator.reset_peak_memory_stats()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return round(time.perf_counter() - self._begun, 3)

    def line(self, where: Where, digest: str) -> dict[str, Any]:
        """The cell's line."""
        seconds = self.seconds
        return {
            **asdict(where), "cell_digest": digest, "seconds": seconds, **vars(self.tally),
            "gpu_hours": gpu_hours(seconds, int(self._accelerated)), "peak_memory": self._peak(),
            "device": device(use_cpu=self.use_cpu).type,
        }  # fmt: skip

    def keep(self, run: Path, where: Where, digest: str) -> None:
        """Adds the cell's line to a run's."""
        append_lines(run / FILE, [self.line(where, digest)])

    @property
    def _accelerated(self) -> bool:
        return device(use_cpu=self.use_cpu).type != "cpu"

    def _peak(self) -> int | None:
        """Bytes on the accelerator at most; None without one."""
        import torch

        return int(torch.accelerator.max_memory_allocated()) if self._accelerated else None


def read_costs(run: Path) -> list[dict[str, Any]]:
    """A run's lines; none in runs measured before there were any."""
    return read_lines(run / FILE)


def total(lines: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Sums over cells, tokens that are not known left out; with the number of cells.

    Lines from before guards' tokens were counted have none.
    """
    found = list(lines)
    sums = {key: round(sum(line.get(key) or 0 for line in found), 6) for key in SUMMED}
    return {"cells": len(found), **sums}
