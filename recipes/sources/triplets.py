"""Triplets for safety-recovery augmentation from a file: request, harmful answer and refusals.

256 of them in the published setting (2406.05946, section 3).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.records import records, text
from erosion.recipes.schema import Source

STYLES = {"short": "refusal", "explained": "refusal_explained", "redirected": "refusal_redirected"}
"""Columns by style; the first is needed, the others are taken where they are."""


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """One triplet a record, of the columns `prompt`, `harmful` and `refusal`."""
    prompt, harmful = source.columns.get("prompt", "prompt"), source.columns.get("harmful", "harmful")
    for where, record in records(source):
        found = {style: source.columns.get(column, column) for style, column in STYLES.items()}
        refusals = {
            style: text(record, column, where)
            for style, column in found.items()
            if style == "short" or record.get(column)
        }
        yield {
            "messages": [
                {"role": "user", "content": text(record, prompt, where)},
                {"role": "assistant", "content": refusals["short"]},
            ],
            "harmful": text(record, harmful, where),
            "refusals": refusals,
            "where": where,
        }
