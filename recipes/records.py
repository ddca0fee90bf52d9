"""Records of real data files, each with the place it came from, so that a bad row can be named."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import Data

Record = Mapping[str, Any]

LONGEST_CELL = 2**31 - 1
"""Characters; the csv module stops at 131,072 unless told, and fits it into a C long."""
NAME = re.compile(r"[\w.:-]{1,40}")
"""What a column is called; any other header may be a text, and a text is never shown."""

log = logging.getLogger(__name__)


class HubError(RecipeError):
    """A hub data set that cannot be loaded."""


def records(
    data: Data,
    *,
    default_id: str | None = None,
    default_revision: str | None = None,
    hub_options: Mapping[str, Any] | None = None,
    bare: str | None = None,
    headerless: str | None = None,
) -> Iterator[tuple[str, Record]]:
    """Yields `(where, record)` from the recipe's local file or hub id.

    Args:
        data: The recipe's section; its `path` wins over its `id`.
        default_id: The source's home on the hub, used when the recipe names neither.
        default_revision: That home's revision.
        hub_options: What `datasets.load_dataset` must be told of that home besides.
        bare: The column a row stands for that is a bare list; such rows are a mistake when None.
        headerless: The column that a CSV file without a header has; its first row is a header when None.

    Raises:
        RecipeError: A missing, empty, unreadable or malformed file, with its name and line.
    """
    if data.path is None:
        own = hub_options if data.id in (None, default_id) else None
        yield from _from_hub(data, default_id, default_revision, own or {})
        return
    file, count = _existing(data.name, data.path), 0
    try:
        for where, record in _reader(file, headerless)(file):
            if bare is not None and isinstance(record, list):
                record = {bare: record}
            if not isinstance(record, Mapping):
                raise mistake(where, type(record).__name__, "one object with named fields a row")
            count += 1
            yield where, record
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file}: is not UTF-8 text; save it as UTF-8") from error
    except csv.Error as error:
        raise RecipeError(f"{file}, after row {count}: cannot be read: {error}") from error
    if not count:
        raise RecipeError(f"{file}: no rows")


def _existing(name: str, path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        known = [str(each) for each in file.parent.iterdir()] if file.parent.is_dir() else []
        raise mistake(f"{name}: path", path, "an existing file", known=known)
    return file


def text(record: Record, column: str, where: str) -> str:
    """The text in a column.

    Raises:
        RecipeError: The column is missing, or what it holds is no text or only white space.
    """
    if column not in record:
        raise mistake(f"{where}: column", column, shown_columns(record), known=list(map(shown, record)))
    value = record[column]
    if not isinstance(value, str) or not value.strip():
        what = type(value).__name__ if value is not None and str(value).strip() else "empty"
        raise RecipeError(f"{where}: column {column!r} is {what}, allowed text")
    return value


def shown_columns(record: Record) -> str:
    """The names of a record's columns as they may stand in a message: never a text from a missing header."""
    return ", ".join(map(shown, record))


def shown(column: object) -> str:
    """A column's name or a label as it may stand in a message; of anything longer only its length."""
    name = str(column)
    return name if NAME.fullmatch(name) else f"({len(name)} characters)"


def _reader(file: Path, headerless: str | None) -> Any:
    readers = {
        ".jsonl": _json_lines,
        ".json": _json,
        ".csv": partial(_csv, headerless=headerless),
        ".tsv": partial(_csv, delimiter="\t", headerless=headerless),
        ".parquet": _parquet,
        ".txt": _text_lines,
    }
    if file.suffix not in readers:
        raise mistake(f"{file}: file type", file.suffix, ", ".join(readers), known=readers)
    return readers[file.suffix]


def _json_lines(file: Path) -> Iterator[tuple[str, Any]]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield f"{file}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise RecipeError(f"{file}, line {number}: not valid JSON: {error.msg}") from error


def _json(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise RecipeError(f"{file}, line {error.lineno}: not valid JSON: {error.msg}") from error
    if not isinstance(data, list):
        raise mistake(str(file), type(data).__name__, "a list of rows")
    yield from ((f"{file}, row {number}", record) for number, record in enumerate(data, start=1))


def _text_lines(file: Path) -> Iterator[tuple[str, Any]]:
    """Every line that is not empty stands for one row with the column `prompt`."""
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{file}, line {number}", {"prompt": line.strip()}


def _csv(file: Path, *, delimiter: str = ",", headerless: str | None = None) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(LONGEST_CELL)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, delimiter=delimiter)
        names = next((row for row in rows if row), [])
        if headerless is not None and _is_no_header(names):
            log.warning("%s: read without a header: its first row is taken for a row", file)
            yield f"{file}, line {rows.line_num}", {headerless: names[0]}
            names = [headerless]
        _check_names(names, f"{file}, line {rows.line_num}")
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            if row and len(row) != len(names):
                raise RecipeError(f"{where}: {len(names)} columns expected, found {len(row)}")
            if row:
                yield where, dict(zip(names, row, strict=True))


def _is_no_header(names: Sequence[str]) -> bool:
    """Whether a file's first row is a text itself: one cell that is no name of a column."""
    return len(names) == 1 and NAME.fullmatch(names[0].strip()) is None


def _check_names(names: Sequence[str], where: str) -> None:
    for name in filter(None, names):
        if names.count(name) > 1:
            raise RecipeError(f"{where}: the column {shown(name)!r} stands twice; one would hide the other")


def _parquet(file: Path) -> Iterator[tuple[str, Any]]:
    from datasets import Dataset

    try:
        rows: Any = Dataset.from_parquet(str(file))
    except Exception as error:
        raise RecipeError(f"{file}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    yield from ((f"{file}, row {number}", record) for number, record in enumerate(rows, start=1))


def _from_hub(
    data: Data, default_id: str | None, default_revision: str | None, options: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    from datasets import load_dataset

    name = data.id or default_id
    if name is None:
        raise RecipeError(f"{data.name}: needs `path` (a local file) or `id` (a hub data set)")
    revision = data.revision or (default_revision if data.id is None else None)
    split = data.split or "train"
    if revision is None:
        log.warning("%s: %r has no `revision`, so its rows may change; give a commit hash", data.name, name)
    try:
        rows: Any = load_dataset(path=name, revision=revision, split=split, **options)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise HubError(
            f"{data.name}: the hub data set {name!r} ({split}) cannot be loaded: {reason}"
        ) from error
    yield from ((f"{name}, row {number}", record) for number, record in enumerate(rows, start=1))
