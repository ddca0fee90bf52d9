"""JSON lines on disk, the truth of every measurement: whole lines only, whatever interrupts the writer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from erosion.recipes.parsing import RecipeError


def read_lines(file: Path) -> list[dict[str, Any]]:
    """All whole lines of a file; none when it is missing. A last line cut short by a kill is left out.

    Raises:
        RecipeError: A broken line that is not the last.
    """
    if not file.is_file():
        return []
    lines = file.read_bytes().split(b"\n")
    whole = [line for line in lines[:-1] if line.strip()]
    try:
        return [json.loads(line) for line in whole]
    except json.JSONDecodeError as error:
        raise RecipeError(f"{file}: a line that is not JSON: {error}") from error


def append_lines(file: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Appends records in one write that reaches the disk; a cut line left by a kill is removed first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = _as_text(records)
    with file.open("ab+") as stream:
        _drop_cut_line(stream)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def write_lines(file: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replaces a file as a whole: written beside it, then renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_bytes(_as_text(records))
    os.replace(beside, file)


def _as_text(records: Iterable[Mapping[str, Any]]) -> bytes:
    """A line each; half a pair of surrogates, which no encoding has, becomes a question mark."""
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    return "".join(lines).encode("utf-8", errors="replace")


def _drop_cut_line(stream: Any) -> None:
    size = stream.seek(0, os.SEEK_END)
    if not size:
        return
    stream.seek(max(0, size - 1))
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    stream.truncate(stream.read().rfind(b"\n") + 1)
    stream.seek(0, os.SEEK_END)
