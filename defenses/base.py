"""What a defence can do: change data or objective, or guard generation. Each is one file beside this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

    from erosion.defenses.any_depth.checks import Check
    from erosion.recipes.chat import Row
    from erosion.recipes.schema import Recipe
    from erosion.recipes.sections import GuardOptions, TrainingDefense

StoppedBy = Literal["end_of_turn", "length", "criterion", "guard"]
"""`criterion`: a stop string or a stopping criterion of the user's."""
ProbeArm = Literal[
    "frozen", "frozen_matched", "refit", "adapter_off",
    "shuffled_labels", "last_token", "base_model", "random_weights", "text",
]  # fmt: skip
"""Fitted at step 0; with its threshold matched there; fitted at the rung; the adapter off in the span. The
controls: with labels dealt out anew; without Safety Tokens; on other models; on the text alone."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What a guard lets through.

    Attributes:
        new_ids: New token ids of every row, padding and end-of-turn left out.
        stopped_by: Why each row ended.
        sequences: Prompt and answer of every row as `model.generate` gives them, `[B, T]`.
        depths: Answer tokens at which each row was halted; None where it was not.
        checks: For every row the score of each check by depth; none where nothing was checked.
    """

    new_ids: list[list[int]]
    stopped_by: list[StoppedBy]
    sequences: torch.Tensor | None = field(default=None, compare=False)
    depths: list[int | None] = field(default_factory=list)
    checks: list[dict[int, float]] = field(default_factory=list)


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
        rows = [cut(row.tolist(), set(eos_token_id)) for row in sequences[:, input_ids.shape[1] :]]
        return Generated(
            new_ids=[ids for ids, _ in rows], stopped_by=[reason for _, reason in rows], sequences=sequences
        )


class Defense:
    """No defence at all; a real one overrides the hooks it needs.

    Attributes:
        probe_arm: What must be fitted for its guard; None where nothing is.
        halts_only: Its guard only halts rows, so it changes nothing where nothing is generated.
        version: Raised when a change would make its guard decide otherwise.
        honours: Names of the guard's options that mean something to it.
        trains: Names of the training options that mean something to it; None where it does not train.
        is_control: It says what a defence's numbers are worth: it is asked only where harmful and
            harmless text are told apart, and is not drawn.
    """

    probe_arm: ProbeArm | None = None
    halts_only: bool = False
    version: str = "1"
    honours: frozenset[str] = frozenset()
    trains: frozenset[str] | None = None
    is_control: bool = False

    def check_training(self, recipe: Recipe) -> None:
        """Checks what it needs of the rest of a recipe, before any model is loaded.

        Raises:
            RecipeError: It cannot train that way.
        """

    def augment(self, rows: list[Row], options: TrainingDefense, *, seed: int) -> list[Row]:
        """Changes the training conversations; every draw comes from the seed."""
        return rows

    def trainer_class(self, options: TrainingDefense) -> type[SFTTrainer]:
        """The trainer, and with it the training objective."""
        from trl import SFTTrainer

        trainer: type[SFTTrainer] = SFTTrainer
        return trainer

    def guard(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        options: GuardOptions | None = None,
        fitted: Check | None = None,
    ) -> Guard:
        """What stands between the model and its user at inference.

        Args:
            model: The model.
            tokenizer: Its tokenizer.
            options: What differs from the published form.
            fitted: What `probe_arm` asks for.
        """
        from erosion.defenses.any_depth.guards import halting
        from erosion.recipes.sections import GuardOptions

        options = options or GuardOptions(name="")
        check = self.check(model, tokenizer, options, fitted)
        return Guard() if check is None else halting(check, tokenizer, options.interval)

    def span_ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """Tokens that its guard puts after an unfinished answer at every check, the longest it may put."""
        from erosion.defenses.any_depth.safety_tokens import safety_span

        return max(safety_span(tokenizer, "rethink"), safety_span(tokenizer, "probe"), key=len)

    def check(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        options: GuardOptions,
        fitted: Check | None,
    ) -> Check | None:
        """What its guard asks of an unfinished answer; None where it guards nothing."""
        return None


def cut(ids: list[int], stops: set[int]) -> tuple[list[int], StoppedBy]:
    """A row's tokens before the first that ends a turn, and why the row ended."""
    for position, token in enumerate(ids):
        if token in stops:
            return ids[:position], "end_of_turn"
    return ids, "length"
