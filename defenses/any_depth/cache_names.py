"""What a model calls its cache: transformers renamed it, and an old name may be passed over in silence."""

from __future__ import annotations

import inspect
from typing import Any

NAMES = ("cache", "past_key_values", "cache_params")
"""The newest first: transformers 5.24 and later, earlier, and models with a running state before that."""


def with_cache(model: Any, held: Any) -> dict[str, Any]:
    """A cache under the name by which a model, or its decoder alone, takes it; adapters included.

    Raises:
        ValueError: The model takes none.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes = inspect.signature(base.forward).parameters
    found = next((name for name in NAMES if name in takes), None)
    if found is None:
        raise ValueError(f"model: a {type(base).__name__} takes no cache; its inputs are {', '.join(takes)}")
    return {found: held}


def cache_of(output: Any) -> Any:
    """The cache in what a model gave."""
    return next(found for name in NAMES if (found := getattr(output, name, None)) is not None)
