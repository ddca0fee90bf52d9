"""What a defence can do: change data or objective, or guard generation. Each is one file beside this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

    from erosion.recipes.chat import Row

StoppedBy = Literal["end_of_turn", "length", "guard"]


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What a guard lets through.

    Attributes:
        new_ids: New token ids of every row, padding and end-of-turn left out.
        stopped_by: Why each row ended.
    """

    new_ids: list[list[int]]
    stopped_by: list[StoppedBy]


class Guard:
    """Plain generation; a guard overrides `generate` and may halt rows."""

    def generate(
        self,
        model: PreTrainedModel,
        *,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        eos_token_id: list[int],
        **options: Any,
    ) -> Generated:
        """Continues every row.

        Args:
            model: Any transformers model that generates, PEFT-wrapped or not.
            input_ids: `[B, T]`, padded on the left.
            attention_mask: `[B, T]`, 0 on padding.
            eos_token_id: Every token that ends a turn.
            options: Handed to `model.generate`.
        """
        sequences = model.generate(
            input_ids=input_ids, attention_mask=attention_mask, eos_token_id=eos_token_id, **options
        )
        rows = [_cut(row.tolist(), set(eos_token_id)) for row in sequences[:, input_ids.shape[1] :]]
        return Generated(new_ids=[ids for ids, _ in rows], stopped_by=[reason for _, reason in rows])


class Defense:
    """No defence at all; a real one overrides the hooks it needs."""

    def augment(self, rows: list[Row]) -> list[Row]:
        """Changes the training conversations."""
        return rows

    def trainer_class(self) -> type[SFTTrainer]:
        """The trainer, and with it the training objective."""
        from trl import SFTTrainer

        trainer: type[SFTTrainer] = SFTTrainer
        return trainer

    def guard(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Guard:
        """What stands between the model and its user at inference."""
        return Guard()


def _cut(ids: list[int], stops: set[int]) -> tuple[list[int], StoppedBy]:
    for position, token in enumerate(ids):
        if token in stops:
            return ids[:position], "end_of_turn"
    return ids, "length"
