"""What made a run: command, code, packages, machine, time and cost; written beside the numbers.

A call is entered when it begins and again whenever a phase begins, goes on or ends: what was killed shows how
far it came.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import erosion
from erosion.evaluation.machine import device
from erosion.recipes.parsing import RecipeError
from erosion.recipes.secrets_left_out import command_without_secrets

FILE = "provenance.json"
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "tokenizers")
"""Versions that stand beside every number."""
FURTHER = ("numpy", "scipy", "scikit-learn", "lm_eval", "deepspeed", "wandb")
"""Versions that stand in a run's provenance too, where they are installed."""


@cache
def code() -> str:
    """This package's version; from a checkout also the git commit, and `+changes` when it has been edited."""
    state = git()
    if state is None:
        return erosion.__version__
    return f"{erosion.__version__}@{state['commit']}{'+changes' if state['dirty'] else ''}"


@cache
def git() -> dict[str, str | bool] | None:
    """The checkout's commit, and whether tracked files have been edited since; None outside a checkout."""
    here = Path(str(erosion.__file__)).parent
    if not (here / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return {"commit": commit, "dirty": bool(_git(here, "status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return None


@cache
def packages() -> dict[str, str]:
    """Versions of the libraries underneath."""
    return {name: version(name) for name in PACKAGES}


class Call:
    """One call over a run, as `provenance.json` tells of it.

    Args:
        run: The run's folder.
        digests: What it was about.
        writes: Whether this process writes: the first one does.
    """

    def __init__(self, run: Path, digests: Mapping[str, str], *, writes: bool = True) -> None:
        self._file, self._phases, self._writes = run / FILE, dict[str, Any](), writes
        self._begun = time.perf_counter()
        self._entry = {**_about(), **digests, "phases": self._phases}
        self._number = len(_calls(self._file))
        self._write()

    @contextmanager
    def phase(self, name: str, *, accelerators: int) -> Iterator[None]:
        """Times a part of the call, such as `training`; one that fails keeps its beginning and no end."""
        begun = time.perf_counter()
        phase: dict[str, Any] = {"started": _now(), "seconds": None, "gpu_hours": None}
        self._phases[name] = phase
        self._write()
        yield
        seconds = round(time.perf_counter() - begun, 3)
        phase |= {"seconds": seconds, "gpu_hours": gpu_hours(seconds, accelerators)}
        self._write()

    def reached(self, name: str, step: int) -> None:
        """Notes the last step that a phase has gone through."""
        if name in self._phases:
            self._phases[name]["reached"] = step
            self._write()

    def took(self, name: str, seconds: float) -> None:
        """Notes a phase that was over before the call could be entered, such as reading the data."""
        self._phases[name] = {"seconds": round(seconds, 3)}
        self._write()

    def spent(self, name: str, cost: Mapping[str, Any], *, gpu_hours: float | None = None) -> None:
        """Notes what a phase cost; accelerators' hours where they were not in use all along."""
        self._phases[name]["cost"] = dict(cost)
        if gpu_hours is not None:
            self._phases[name]["gpu_hours"] = gpu_hours
        self._write()

    def end(self) -> None:
        """Notes the end."""
        self._entry |= {"ended": _now(), "seconds": round(time.perf_counter() - self._begun, 3)}
        self._write()

    def _write(self) -> None:
        if not self._writes:
            return
        calls = _calls(self._file)
        calls[self._number : self._number + 1] = [self._entry]
        beside = self._file.with_suffix(".tmp")
        beside.write_text(json.dumps(calls, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, self._file)


def processes() -> int:
    """How many work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def gpu_hours(seconds: float, accelerators: int) -> float:
    """Hours of accelerators in use; 0 on a machine without one."""
    return round(seconds * accelerators / 3600, 6)


def _about() -> dict[str, Any]:
    import torch

    return {
        "command": [Path(sys.argv[0]).name, *command_without_secrets(sys.argv[1:])],
        "started": _now(),
        "ended": None,
        "code": code(),
        "git": git(),
        "packages": {**packages(), **_further()},
        "python": platform.python_version(),
        "device": f"{device()}, {torch.get_num_threads()} threads",
        "accelerator": _accelerator(),
        "processes": processes(),
    }


def _accelerator() -> str | None:
    """The accelerator's own name; None without one."""
    import torch

    where = device()
    return (
        torch.cuda.get_device_name() if where.type == "cuda" else None if where.type == "cpu" else where.type
    )


@cache
def _further() -> dict[str, str]:
    found = dict[str, str]()
    for name in FURTHER:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _calls(file: Path) -> list[dict[str, Any]]:
    try:
        calls: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    except json.JSONDecodeError as error:
        raise RecipeError(f"{file}: not JSON, so nothing can be added to it: {error}") from error
    return calls


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
