"""The aligned model's log-probabilities of every label, computed before the first step and kept on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTTrainer

ROW = "row"
"""The column with a row's number in the data set."""


def with_rows(dataset: Dataset) -> Dataset:
    """The data set with its rows numbered."""
    return dataset.add_column(ROW, list(range(len(dataset))))


class References:
    """Log-probabilities of the labels under the weights training starts from.

    Every process computes all of them, in the same order: that is right under ZeRO-3 too, whose forward
    passes need every process, and it happens once.

    Args:
        trainer: With its data set and collator in place.
    """

    def __init__(self, trainer: SFTTrainer) -> None:
        self._trainer = trainer
        self._rows: dict[int, torch.Tensor] = {}

    def of(self, model: Any, rows: torch.Tensor, width: int) -> torch.Tensor:
        """Those of some rows, `[B, width]`, zeros on padding; computed or read when first asked for.

        Args:
            model: The model as it trains now, wrapped or not.
            rows: Row numbers, `[B]`.
            width: Label positions, one fewer than tokens.

        Raises:
            RecipeError: Training has begun and the file is gone, so they can no longer be computed.
        """
        if not self._rows:
            self._rows = self._read() or self._computed(model)
        found = torch.zeros(len(rows), width)
        for place, row in enumerate(rows.tolist()):
            kept = self._rows[row][:width]
            found[place, : len(kept)] = kept
        return found

    @property
    def _file(self) -> Path:
        sha = hashlib.sha256()
        for row in self._trainer.train_dataset:
            sha.update(repr((row["input_ids"], row["labels"])).encode())
        return Path(self._trainer.args.output_dir) / f"reference_logps-{sha.hexdigest()[:16]}.safetensors"

    def _read(self) -> dict[int, torch.Tensor]:
        from safetensors.torch import load_file

        if not self._file.is_file():
            return {}
        held = load_file(self._file)
        parts = held["logps"].split(held["lengths"].tolist())
        return dict(zip(held["rows"].tolist(), parts, strict=True))

    def _computed(self, model: Any) -> dict[int, torch.Tensor]:
        if self._trainer.state.global_step:
            raise RecipeError(
                f"{self._file}: the reference log-probabilities are gone, and after step "
                f"{self._trainer.state.global_step} they cannot be made again; train from the start"
            )
        training, size = model.training, self._trainer.args.per_device_train_batch_size
        dataset, found = self._trainer.train_dataset, dict[int, torch.Tensor]()
        model.eval()
        for start in range(0, len(dataset), size):
            rows = [dataset[place] for place in range(start, min(start + size, len(dataset)))]
            found |= self._of_batch(model, rows)
        model.train(training)
        self._save(found)
        return found

    @torch.no_grad()
    def _of_batch(self, model: Any, rows: list[dict[str, Any]]) -> dict[int, torch.Tensor]:
        batch = self._trainer._prepare_inputs(self._trainer.data_collator(rows))
        batch.pop(ROW)
        logps = model(**batch, fused_lm_head=True).log_probs.float().cpu()
        pairs = zip(logps, rows, strict=True)
        return {own[ROW]: row[: len(own["input_ids"]) - 1].clone() for row, own in pairs}

    def _save(self, found: dict[int, torch.Tensor]) -> None:
        from safetensors.torch import save_file

        if not self._trainer.is_world_process_zero():
            return
        file = self._file
        file.parent.mkdir(parents=True, exist_ok=True)
        held = {
            "rows": torch.tensor(list(found)),
            "lengths": torch.tensor([len(row) for row in found.values()]),
            "logps": torch.cat(list(found.values())),
        }
        save_file(held, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
