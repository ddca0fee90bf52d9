"""A release without paths: what is left of a page when no place of anyone's machine may stand in it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, TypeVar

_ROOT = r"(?:file://)?(?:(?<![\w.\]>/])/|~[\w.-]*/|\.\.[/\\]|[A-Za-z]:[\\/]|\\\\)"
_WORD = r"[^\s'\"<>|;,]"
PLACE = re.compile(
    rf"(?<=')(?={_ROOT})[^'\n]+(?=')|(?<=\")(?={_ROOT})[^\"\n]+(?=\")"
    rf"|{_ROOT}{_WORD}+(?: (?={_WORD}*[/\\]){_WORD}+)*"
)
"""A path from the root, from a home, from above, from a drive, or on another machine.

Between quotation marks it ends with them; elsewhere a blank belongs to it where the next word has a slash.
"""
Any_ = TypeVar("Any_")


def without_paths(value: Any_) -> Any_:
    """The same value with every path in its words replaced by `[path]`; relative ones below stay."""
    made: Any_ = _without(value)
    return made


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return PLACE.sub("[path]", value) if "/" in value or "\\" in value else value
    if isinstance(value, tuple):
        return tuple(map(_without, value))
    if isinstance(value, dict):
        return {_without(key): _without(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: _without(item) for name, item in fields.items()})
    return value
