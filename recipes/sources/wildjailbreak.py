"""WildJailbreak's benign half (Jiang et al., 2406.18510): harmless requests, many made to look harmful.

Half of the benign conversations of ADA-LP's probe (2510.18081). The harmful rows are left out: what stands
beside them are refusals, so harmful answers come from a file of your own (`pairs` with `harmful: true`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.records import records, text
from erosion.recipes.schema import Source

DEFAULT_ID = "allenai/wildjailbreak"
HUB_OPTIONS = {"name": "train", "delimiter": "\t", "keep_default_na": False}


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """One exchange a record; the adversarial form of the request where there is one, else the plain one."""
    for where, record in records(source, default_id=DEFAULT_ID, hub_options=HUB_OPTIONS):
        if not text(record, "data_type", where).endswith("_benign") or not record.get("completion"):
            continue
        asked = "adversarial" if str(record.get("adversarial") or "").strip() else "vanilla"
        yield {
            "messages": [
                {"role": "user", "content": text(record, asked, where)},
                {"role": "assistant", "content": text(record, "completion", where)},
            ],
            "where": where,
        }
