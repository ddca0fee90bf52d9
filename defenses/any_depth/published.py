"""Reads a published `.joblib` probe through an allow-list, since a pickle may run anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.recipes.parsing import RecipeError

ALLOWED = {
    ("sklearn.linear_model._logistic", "LogisticRegression"), ("numpy", "dtype"), ("numpy", "ndarray"),
    ("numpy._core.multiarray", "scalar"), ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"), ("builtins", "dict"),
}  # fmt: skip


class ForbiddenClass(RecipeError):
    """A file that names something a probe does not need."""


def import_probe(file: Path, settings: ProbeSettings) -> LinearProbe:
    """A probe of ours from a file the published code wrote.

    Args:
        file: A `.joblib` file with one `LogisticRegression`, not compressed.
        settings: What it belongs to; the file does not say.

    Raises:
        ForbiddenClass: It names a class or function that is not on the list; that one is told.
        RecipeError: It holds something else than one fitted binary regression of this hidden size.
    """
    found = _read(file)
    weights = getattr(found, "coef_", None)
    if weights is None or weights.shape != (1, settings.hidden_size):
        shape = None if weights is None else tuple(weights.shape)
        raise RecipeError(
            f"{file}: given a {type(found).__name__} with coefficients of shape {shape}, "
            f"allowed one LogisticRegression with (1, {settings.hidden_size})"
        )
    weight = torch.tensor(weights[0], dtype=torch.float32)
    return LinearProbe(weight=weight, bias=float(found.intercept_[0]), settings=settings)


def _read(file: Path) -> Any:
    with file.open("rb") as stream:
        if stream.peek(1)[:1] != b"\x80":
            raise RecipeError(f"{file}: given no plain joblib pickle, allowed one saved without compression")
        try:
            return _Listed(str(file), stream, ensure_native_byte_order=False).load()
        except ForbiddenClass:
            raise
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise RecipeError(f"{file}: not a joblib file: {error}") from error


class _Listed(NumpyUnpickler):  # type: ignore[misc]
    def find_class(self, module: str, name: str) -> Any:
        """Only what is on the list; arrays only of numbers."""
        if (module, name) not in ALLOWED:
            raise ForbiddenClass(f"{self.filename}: names {module}.{name}, which a probe does not need")
        return _Numbers if name == "NumpyArrayWrapper" else super().find_class(module, name)


class _Numbers(NumpyArrayWrapper):  # type: ignore[misc]
    def read_array(self, unpickler: Any, *args: Any) -> Any:
        """Refuses arrays of objects: those are pickles inside the pickle."""
        if self.dtype.hasobject:
            raise ForbiddenClass(
                f"{unpickler.filename}: holds an array of objects, which a probe does not need"
            )
        return super().read_array(unpickler, *args)
