"""A streamer under a guard: tokens that wait for their check, and a refusal in place of what was halted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.generation.streamers import BaseStreamer


class HeldStreamer(BaseStreamer):  # type: ignore[misc]
    """Hands tokens on, at once or after their check; its reader always sees an end.

    Args:
        streamer: The user's.
        hold_back: Wait for the check.
        refusal: Token ids to say at the end, none where the row was not halted.
    """

    def __init__(self, streamer: Any, hold_back: bool, refusal: Callable[[], Sequence[int]]) -> None:
        self._streamer, self._hold_back, self._refusal = streamer, hold_back, refusal
        self._held: list[torch.Tensor] = []
        self._prompted = False

    def put(self, value: torch.Tensor) -> None:
        """Takes the prompt, then one token at a time."""
        if self._hold_back and self._prompted:
            self._held.append(value)
        else:
            self._streamer.put(value)
        self._prompted = True

    def release(self) -> None:
        """Hands on what has passed its check; what was halted is dropped."""
        for value in [] if self._refusal() else self._held:
            self._streamer.put(value)
        self._held = []

    def end(self) -> None:
        """Says what is left, or the refusal, and ends."""
        self.release()
        for token in self._refusal():
            self._streamer.put(torch.tensor([token]))
        self._streamer.end()
