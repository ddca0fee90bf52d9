"""The ladder: checkpoints at exactly the named optimizer steps, entered in the manifest after their files."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate.utils import gather_object
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from erosion.evaluation.jsonl import append_lines, write_lines
from erosion.evaluation.machine import wait_for_all
from erosion.evaluation.on_disk.checkpoints import MANIFEST, Checkpoint, read_ladder, weights_digest

if TYPE_CHECKING:
    import torch


STATES = (
    "optimizer*", "scheduler.pt", "scaler.pt", "rng_state*", "global_step*", "latest", "zero_to_fp32.py"
)  # fmt: skip
"""What the Trainer, FSDP and DeepSpeed leave beside the weights to go on from."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What every rung of a run shares: digests of base model, recipe and dataset."""

    base_digest: str
    recipe_digest: str
    dataset_digest: str


class Ladder(TrainerCallback):  # type: ignore[misc]
    """Saves at the ladder's steps and writes `ladder.jsonl`.

    Args:
        run: The run's folder.
        steps: Optimizer steps, 0 included.
        provenance: Digests entered with every rung.
        keep_states: Keep optimizer, schedule and random states at every rung, as `save_only_model: false` in
            a recipe asks; else only weights stay, and at the newest rung what training can go on from.
        reached: Told of every rung that was entered.
    """

    def __init__(
        self,
        run: Path,
        steps: tuple[int, ...],
        provenance: Provenance,
        *,
        keep_states: bool = False,
        reached: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.run, self.steps, self.provenance = run, frozenset(steps), provenance
        self.keep_states, self.reached = keep_states, reached
        self.save_start: Callable[[], None] | None = None

    @contextmanager
    def attached(self, trainer: Trainer) -> Iterator[None]:
        """Joins a trainer for as long as it trains; step 0 needs its saving, which no callback is given."""
        self.save_start = lambda: trainer._save_checkpoint(trainer.model, trial=None)
        trainer.add_callback(self)
        yield
        trainer.remove_callback(self)
        self.save_start = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Saves step 0, unless the run goes on from a later rung."""
        assert self.save_start is not None, "train inside attached()"
        if state.global_step == 0:
            self.save_start()
            self._enter(state, kwargs["model"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Asks for a save, and the loss it goes with, at a rung and nowhere else; stops after the last."""
        control.should_save = state.global_step in self.steps
        control.should_log = control.should_log or control.should_save
        control.should_training_stop = control.should_training_stop or state.global_step >= max(self.steps)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Enters the rung once every process has written its files."""
        self._enter(state, kwargs["model"])

    def _enter(self, state: TrainerState, model: torch.nn.Module) -> None:
        if not all_numbers(model):
            raise TrainingDiverged(
                f"the weights are not all numbers at step {state.global_step}; lower learning_rate"
            )
        wait_for_all()
        if not state.is_world_process_zero:
            return
        path = f"checkpoint-{state.global_step}"
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        digests = vars(self.provenance)
        rung = Checkpoint(
            run=self.run,
            step=state.global_step,
            path=path,
            weights_digest=weights_digest(self.run / path, self.provenance.base_digest),
            training_loss=losses[-1] if losses else None,
            **digests,
        )
        append_lines(self.run / MANIFEST, [rung.line()])
        if not self.keep_states:
            drop_states(self.run, but=rung.folder)
        self.reached(rung.step)


def drop_states(run: Path, *, but: Path | None = None) -> None:
    """Removes what only going on with training needs from every rung's folder but one; weights stay."""
    for folder in run.glob("checkpoint-*"):
        for file in (file for pattern in STATES for file in folder.glob(pattern) if folder != but):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


def all_numbers(model: torch.nn.Module) -> bool:
    """Whether no weight that trains is infinite or no number, on any process.

    A process of ZeRO-3 (`ds_tensor`) or FSDP (`to_local`) sees only its own part of a weight.
    """
    parts = (getattr(weight, "ds_tensor", weight) for weight in model.parameters() if weight.requires_grad)
    owned = (part.to_local() if hasattr(part, "to_local") else part for part in parts)
    return all(gather_object([all(bool(part.isfinite().all()) for part in owned)]))


def watched(trainer_class: type[Trainer]) -> type[Trainer]:
    """A trainer that stops at the first loss that is not a number, naming the step and the learning rate."""

    class Watched(trainer_class):  # type: ignore[misc]
        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss: torch.Tensor = super().training_step(*args, **kwargs)
            if not math.isfinite(loss.item()):
                rate = self.lr_scheduler.get_last_lr()[0]
                raise TrainingDiverged(
                    f"the loss is {loss.item()} at step {self.state.global_step + 1} "
                    f"with learning_rate {rate:g}; lower learning_rate, or set max_grad_norm or warmup_steps"
                )
            return loss

    Watched.__name__ = trainer_class.__name__
    return Watched


def tidy(run: Path) -> None:
    """Leaves only intact rungs: removes folders that never reached the manifest or no longer match it.

    A rung that was removed after measuring stays in the manifest. Where no rung is left training begins anew,
    perhaps from other weights; what is kept of the old ones goes.
    """
    rungs = [rung for rung in read_ladder(run) if rung.removed or rung.is_intact()]
    for folder in run.glob("checkpoint-*"):
        if folder.name not in {rung.path for rung in rungs if not rung.removed}:
            shutil.rmtree(folder)
    write_lines(run / MANIFEST, [rung.line() for rung in rungs])
    if not rungs:
        for file in run.glob("reference_logps-*.safetensors"):
            file.unlink()


def resume_point(run: Path, steps: tuple[int, ...]) -> Checkpoint | None:
    """The last rung up to which no named step is missing; None to start from the beginning.

    A rung between the first and the last can only be gone on from if it still has its optimizer state: the
    newest one has.
    """
    rungs = {rung.step: rung for rung in read_ladder(run)}
    reached = [rungs[step] for step in takewhile(rungs.__contains__, sorted(steps))]
    if len(reached) == len(steps):
        return reached[-1]
    return next((rung for rung in reversed(reached) if _holds_optimizer(rung.folder)), None)


def _holds_optimizer(folder: Path) -> bool:
    """Whether the Trainer or DeepSpeed left its optimizer there; `save_only_model` leaves none."""
    return any(folder.glob("optimizer*")) or any(folder.glob("global_step*"))
