"""Training losses on their way to the tracker."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from erosion.evaluation.tracking import Tracker


class TrackLosses(TrainerCallback):  # type: ignore[misc]
    """Hands every logged training figure to the tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Logs on the first process only."""
        if state.is_world_process_zero and logs:
            self.tracker.log({f"train/{key}": value for key, value in logs.items()}, step=state.global_step)
