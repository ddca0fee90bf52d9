"""Which part of the embedded world a source speaks of: always written out, so that it is in every digest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from erosion.recipes import sources
from erosion.recipes.discovery import find, names

if TYPE_CHECKING:
    from erosion.recipes.schema import Mixture, Source


def with_splits(mixture: Mixture) -> Mixture:
    """The mixture with every source's own `SPLIT` written out where the recipe names none."""
    return dataclasses.replace(mixture, sources=tuple(map(_with_split, mixture.sources)))


def _with_split(source: Source) -> Source:
    if source.split is not None or source.name not in names(sources):
        return source
    own = getattr(find(sources, source.name, "dataset.sources"), "SPLIT", None)
    return dataclasses.replace(source, split=own)
