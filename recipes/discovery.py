"""Parts found by their file's name: a source, suite, judge or defence is one file, and no list names it."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from erosion.recipes.parsing import mistake


@cache
def names(package: ModuleType) -> list[str]:
    """The parts in a package's folder, sorted, such as `pocket/harmful`.

    `base.py` is what they share, and so is a folder inside whose `__init__` says `HOLDS_PARTS = False`.
    """
    folder = Path(str(package.__file__)).parent
    files = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")]
    shared = {parent for parent in {file.parent for file in files} if not _holds_parts(package, parent)}
    parts = (file for file in files if file.parent not in shared)
    return sorted(part.as_posix() for part in parts if not part.name.startswith("_") and part.name != "base")


def _holds_parts(package: ModuleType, folder: Path) -> bool:
    name = ".".join([package.__name__, *folder.parts])
    return bool(getattr(importlib.import_module(name), "HOLDS_PARTS", True))


def find(package: ModuleType, name: str, where: str) -> ModuleType:
    """Imports the part called `name`.

    Raises:
        RecipeError: No file has that name.
    """
    known = names(package)
    if name not in known:
        raise mistake(where, name, ", ".join(known), known=known)
    return importlib.import_module(f"{package.__name__}.{name.replace('/', '.')}")
