"""No defence: plain fine-tuning, plain generation. Every strength of 0 must equal this exactly."""

from __future__ import annotations

from erosion.defenses.base import Defense


def make() -> Defense:
    """The hooks left as they are."""
    return Defense()
