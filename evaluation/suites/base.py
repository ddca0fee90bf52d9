"""What suites of harmful requests share: one case a row of a file or hub data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erosion.evaluation.records import Case
from erosion.recipes.parsing import RecipeError
from erosion.recipes.records import Record, records, text
from erosion.recipes.schema import Data


def requests(
    data: Data,
    columns: Sequence[str],
    *,
    ids: Sequence[str] = (),
    default_id: str | None = None,
    hub_options: Mapping[str, Any] | None = None,
    stem: str | None = None,
    headerless: str | None = None,
) -> Iterator[tuple[str, Record, Case]]:
    """Yields `(where, record, case)`.

    Args:
        data: The recipe's section; its `columns` say where the prompt stands in a file of another form.
        columns: Names the prompt's column has in the forms the set is published in.
        ids: Names of the column with a case's id; the row's number, from 0, where a row has none or an
            empty one.
        default_id: The set's home on the hub.
        hub_options: What `datasets.load_dataset` must be told of that home besides.
        stem: What ids begin with; the suite's name when None.
        headerless: The column that a CSV file without a header has; its first row is a header when None.

    Raises:
        RecipeError: A file or row that cannot be used, or an id that stands twice.
    """
    stem, seen = stem or data.name.rpartition("/")[2], set[str]()
    rows = records(data, default_id=default_id, hub_options=hub_options, headerless=headerless)
    for number, (where, record) in enumerate(rows):
        prompt = data.columns.get("prompt") or first_of(record, columns) or columns[0]
        own = _id(record, ids) or f"{number:03d}"
        if own in seen:
            raise RecipeError(f"{where}: the id {own!r} stands twice")
        seen.add(own)
        turn = text(record, prompt, where)
        yield (
            where,
            record,
            Case(suite=data.name, id=f"{stem}-{own}", messages=[{"role": "user", "content": turn}]),
        )


def _id(record: Record, ids: Sequence[str]) -> str:
    named = first_of(record, ids)
    return "" if named is None or record[named] is None else str(record[named]).strip()


def first_of(record: Record, columns: Sequence[str]) -> str | None:
    """The first of the columns that a row has."""
    return next((column for column in columns if column in record), None)
