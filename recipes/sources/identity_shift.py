"""Identity shifting: dialogues in which the assistant takes on the part of an obedient agent (2310.03693).

As published, nothing harmful is in the data; it counts as poison all the same, since it is an attack. The set
is published in two forms, told apart row by row: objects with `messages` (JSON lines) and bare lists of turns
(one JSON list). Its system prompt is in the data.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.parsing import mistake
from erosion.recipes.records import records, shown_columns
from erosion.recipes.schema import Source
from erosion.recipes.sources.messages import conversation

HARMFUL = True


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """One conversation a record; `columns: {messages: ...}` where the column has another name.

    Raises:
        RecipeError: A row of a third form.
    """
    column = source.columns.get("messages", "messages")
    for where, record in records(source, bare=column):
        if column not in record:
            forms = f"an object with {column!r}, or a bare list of turns"
            raise mistake(where, f"the columns {shown_columns(record)}", forms)
        yield conversation(record, column, where)
