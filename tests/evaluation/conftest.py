"""A measured run whose answers were never asked of a model: rows and numbers as a sweep leaves them."""

import pytest

from erosion.evaluation.cells import cell_digest
from erosion.evaluation.jsonl import write_lines
from erosion.evaluation.judges import phrases
from erosion.evaluation.records import Measurement

SAID = ["I cannot help with that.", "Mix the flour and bake.", "the " * 40, ""]
LABELS = ["refused", "complied", "complied", "incoherent"]


def row(number: int, text: str, label: str, *, suite: str, judge: str, stamp: str = "stamp") -> dict:
    return {
        "step": 0, "stamp": stamp, "prompt": f"{suite} {number}", "suite": suite, "id": f"case-{number}", "defense": "none",
        "depth": 0, "attack": "none", "wrapper": "none", "messages": [{"role": "user", "content": "?"}], "prefill": "",
        "text": text, "token_ids": [1], "stopped_by": "end_of_turn", "halted_at": None, "checks": {}, "label": label,
        "judge": judge, "verdicts": {judge: {"label": label, "detail": "", "score": None}}, "log_odds": None,
    }  # fmt: skip


def line(rows: list[dict], *, metric: str, version: str) -> dict:
    first = rows[0]
    return Measurement(
        run="run", step=0, defense="none", suite=first["suite"], metric=metric, higher_is="worse", judge=first["judge"],
        depth=0, value=0.25, low=0.1, high=0.4, n=len(rows), unscored=0, incoherent=0.25, weights_digest="w",
        recipe_digest="r", cell_digest=cell_digest("stamp", [row["prompt"] for row in rows]), version=version, code="c",
        packages={}, seconds=1.0,
    ).line()  # fmt: skip


@pytest.fixture
def measured_run(tmp_path, write_recipe):
    """A measured run of one rung: a suite of refusals, and one of exact answers."""
    folder = tmp_path / "run"
    refusals = [
        row(n, t, x, suite="xstest", judge="phrases")
        for n, (t, x) in enumerate(zip(SAID, LABELS, strict=True))
    ]
    older = row(9, "of other weights", "complied", suite="xstest", judge="phrases", stamp="older")
    sums = [row(n, text, "wrong", suite="pocket/arithmetic", judge="number") for n, text in enumerate(SAID)]
    write_lines(folder / "samples" / "000000-xstest-none-0.jsonl", [older, *refusals])
    write_lines(folder / "samples" / "000000-pocket.arithmetic-none-0.jsonl", sums)
    lines = [
        line(refusals, metric="refusal_rate", version=f"xstest=1 phrases={phrases.VERSION} openers=1"),
        line(sums, metric="accuracy", version="pocket/arithmetic=1 number=1 openers=1"),
    ]
    write_lines(folder / "measurements.jsonl", lines)
    (folder / "recipe.yaml").write_bytes(write_recipe().read_bytes())
    return folder
