"""One process at a time in a run's folder: two would train and measure over each other."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from erosion.recipes.parsing import RecipeError

FILE = ".lock"


@contextmanager
def working_in(run: Path) -> Iterator[None]:
    """Holds a run's folder; the system lets go of it when this process ends, however it ends.

    Raises:
        RecipeError: Another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecipeError(f"run: another process is at work in {run}; wait for it, or stop it") from error
        yield
