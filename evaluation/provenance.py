"""What made a run: command, code, packages, machine; written beside the numbers."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import erosion
from erosion.evaluation.machine import device

FILE = "provenance.json"
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "tokenizers")


@cache
def code() -> str:
    """This package's version; from a checkout also the git commit, and `+changes` when it has been edited."""
    here = Path(str(erosion.__file__)).parent
    if not (here / ".git").exists():
        return erosion.__version__
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return (
            f"{erosion.__version__}@{commit}"
            f"{'+changes' if _git(here, 'status', '--porcelain', '-uno') else ''}"
        )
    except (OSError, subprocess.CalledProcessError):
        return erosion.__version__


@cache
def packages() -> dict[str, str]:
    """Versions of the libraries underneath."""
    return {name: version(name) for name in PACKAGES}


def write_provenance(run: Path, digests: Mapping[str, str]) -> None:
    """Adds this call to the run's `provenance.json`; earlier calls stay."""
    import torch

    file = run / FILE
    calls: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    calls.append(
        {
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "code": code(),
            "packages": packages(),
            "python": platform.python_version(),
            "device": f"{device()}, {torch.get_num_threads()} threads",
            "processes": int(os.environ.get("WORLD_SIZE", "1")),
            **digests,
        }
    )
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps(calls, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, file)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
