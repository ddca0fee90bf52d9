"""Parts found by their file's name: a source, suite, judge or defence is one file, and no list names it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from erosion.recipes.parsing import mistake


def names(package: ModuleType) -> list[str]:
    """The parts in a package's folder, sorted, such as `pocket/harmful`; `base.py` is what they share."""
    folder = Path(str(package.__file__)).parent
    files = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py"))
    return sorted(file.as_posix() for file in files if not file.name.startswith("_") and file.name != "base")


def find(package: ModuleType, name: str, where: str) -> ModuleType:
    """Imports the part called `name`.

    Raises:
        RecipeError: No file has that name.
    """
    known = names(package)
    if name not in known:
        raise mistake(where, name, ", ".join(known), known=known)
    return importlib.import_module(f"{package.__name__}.{name.replace('/', '.')}")
