"""WildChat: the first exchange of people's conversations with a chat service (Zhao et al., 2405.01470).

Half of the benign conversations of ADA-LP's probe (2510.18081). English, nothing flagged as toxic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.parsing import RecipeError
from erosion.recipes.records import records, text
from erosion.recipes.schema import Source

DEFAULT_ID = "allenai/WildChat-1M"


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """One exchange a record; records in another language, flagged or with an empty turn are left out."""
    for where, record in records(source, default_id=DEFAULT_ID):
        if record.get("toxic") or record.get("language") != "English":
            continue
        turns = record.get("conversation")
        if not isinstance(turns, list) or len(turns) < 2:
            raise RecipeError(f"{where}: column 'conversation' is no list of at least two turns")
        if all(str(turn.get("content") or "").strip() for turn in turns[:2]):
            yield {
                "messages": [
                    {"role": "user", "content": text(turns[0], "content", where)},
                    {"role": "assistant", "content": text(turns[1], "content", where)},
                ],
                "where": where,
            }
