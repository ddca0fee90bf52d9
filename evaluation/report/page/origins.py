"""What made the runs: where recipes, code, packages, device and commands differ, and what is the same."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.report.page.contents import Cell, Heading, Part, Table, Text
from erosion.evaluation.report.page.runs import Run
from erosion.evaluation.report.page.wording import MISSING
from erosion.recipes.parsing import parse_value, read_yaml
from erosion.recipes.secrets_left_out import LEFT_OUT, command_without_secrets, with_values, without_secrets

NOT_COMPARED = frozenset({"output_dir", "run_name", "hypotheses"})
"""Keys of a recipe that say where a run lies, or what was expected of it, which has its own section."""
WORDED = frozenset({"system", "user", "trigger", "refusal", "follow_up"})
"""Keys whose values are said to or by a model, even where they are one word."""
Facts = dict[str, str]


def origin_parts(runs: Sequence[Run], *, safe: bool) -> list[Part]:
    """What differs between runs, in recipe and provenance, and what is the same once; no secrets.

    Args:
        runs: Two or more; of one run everything is the same.
        safe: Puts hashes in place of sentences: recipes and commands may hold system prompts and personas.
    """
    recipes = {run.name: dict(_recipe(run, safe=safe)) for run in runs}
    calls = {run.name: _provenance(run, safe=safe) for run in runs}
    without = [run.name for run in runs if not run.calls]
    said = [Text(says=f"Without provenance: {', '.join(without)}.", tone="notice")] if without else []
    return [
        Heading(says="Recipes"), *_compared(recipes, "recipes"),
        Heading(says="Provenance"), *said, *_compared(calls, "provenance"),
    ]  # fmt: skip


def _compared(facts: Mapping[str, Facts], what: str) -> list[Part]:
    keys = dict.fromkeys(key for own in facts.values() for key in own)
    apart = [key for key in keys if len({own.get(key) for own in facts.values()}) > 1]
    same = [key for key in keys if key not in apart]
    one = next(iter(facts.values()))
    none = Text(says=f"No two runs differ in {what}.")
    parts: list[Part] = [_differences(facts, apart, what) if apart else none]
    if same:
        rows = tuple((Cell(says=key), Cell(says=one[key])) for key in same)
        caption = f"The same in every run: {what}"
        parts.append(Table(caption=caption, heads=("what", "value"), rows=rows, folded=True))
    return parts


def _differences(facts: Mapping[str, Facts], keys: Sequence[str], what: str) -> Table:
    rows = []
    for key in keys:
        holders: dict[str, list[str]] = {}
        for run, own in facts.items():
            holders.setdefault(own.get(key, "not set"), []).append(run)
        rows += [
            (Cell(says=key), Cell(says=value), Cell(says=", ".join(runs))) for value, runs in holders.items()
        ]
    heads = ("what", "value", "runs")
    return Table(caption=f"Where runs differ: {what}", heads=heads, rows=tuple(rows), sortable=True)


def _recipe(run: Run, *, safe: bool) -> Iterator[tuple[str, str]]:
    file = run.path / RECIPE_FILE
    if not file.is_file():
        yield RECIPE_FILE, MISSING
        return
    for key, value in flattened(without_secrets(read_yaml(file))):
        if key not in NOT_COMPARED:
            yield key, _hashed(value) if safe and _is_said(key.rpartition(".")[2], value) else _written(value)


def flattened(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Nested sections as dotted keys; a list is one value."""
    if not isinstance(value, Mapping):
        yield where, value
        return
    for key, item in value.items():
        yield from flattened(item, f"{where}.{key}" if where else str(key))


def _provenance(run: Run, *, safe: bool) -> Facts:
    """By key the distinct values of all calls, as first seen."""
    found: dict[str, dict[str, None]] = {}
    for call in run.calls:
        for key, value in flattened(call):
            text = _command(value, safe=safe) if key == "command" else _written(without_secrets(value, key))
            found.setdefault(key, {})[text] = None
    return {key: "; ".join(values) for key, values in found.items()}


def _command(words: Sequence[str], *, safe: bool) -> str:
    shown = command_without_secrets(words)
    return shlex.join(with_values(shown, _word) if safe else shown)


def _word(name: str, value: str) -> str:
    """A command's value, hashed where it holds sentences; a list of numbers does not."""
    read = parse_value(value) if value[:1] in ("[", "{") else value
    return _hashed(value) if _is_said(name, read) else value


def _is_said(name: str, value: Any) -> bool:
    return value != LEFT_OUT and (name in WORDED or _is_prose(value))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_prose(value: Any) -> bool:
    """Whether a value holds words a person or model wrote: a string with a blank, or a key of such words."""
    if isinstance(value, str):
        return any(letter.isspace() for letter in value.strip())
    if isinstance(value, Mapping):
        return any(_is_prose(item) or (key in WORDED and item) for key, item in value.items())
    return isinstance(value, list) and any(_is_prose(item) for item in value)


def _hashed(value: Any) -> str:
    return f"SHA-256 {hashlib.sha256(_written(value).encode()).hexdigest()}"
