"""Names of models: the embedded ones, local folders and hub ids."""

from __future__ import annotations

import json
from pathlib import Path

from erosion.recipes.parsing import RecipeError

EMBEDDED = {"pocket": "chat", "pocket-base": "base", "pocket-random": "blueprint"}
_WEIGHTS = Path(__file__).parent / "pocket" / "weights"


def resolve(name: str) -> str:
    """The folder or hub id to load: embedded names become folders, everything else stays as it is.

    Raises:
        RecipeError: A path to a folder that does not exist or holds no model.
    """
    if name in EMBEDDED:
        return str(_WEIGHTS / EMBEDDED[name])
    folder = Path(name).expanduser()
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1
    if looks_local and not folder.is_dir():
        raise RecipeError(f"model_name_or_path: given {name!r}, and there is no such folder")
    if folder.is_dir() and not any(
        (folder / file).is_file() for file in ("config.json", "adapter_config.json")
    ):
        raise RecipeError(f"model_name_or_path: given {name!r}, a folder without config.json")
    return str(folder) if folder.is_dir() else name


def speaks_pocket(name: str) -> bool:
    """Whether a model was made from the embedded one, and so knows its language."""
    file = Path(resolve(name)) / "config.json"
    return file.is_file() and "pocket_language" in json.loads(file.read_text(encoding="utf-8"))


def is_untrained(folder: str) -> bool:
    """Whether a local folder holds a configuration without weights."""
    path = Path(folder)
    return path.is_dir() and not any(path.glob("*.safetensors")) and not any(path.glob("*.bin"))
