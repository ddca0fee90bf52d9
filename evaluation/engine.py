"""One resident base model; a ladder's rungs are swapped into it, and everything is batched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.defenses.any_depth.cache_names import cache_of, with_cache
from erosion.evaluation.models import LoadOptions, load_model
from erosion.recipes.chat import end_of_turn_ids
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from erosion.defenses.base import Generated, Guard
    from erosion.evaluation.on_disk.checkpoints import Checkpoint


class Engine:
    """Generates and scores under whichever rung was entered last.

    Args:
        base: Name of the base model, as recipes give it.
        tokenizer: The run's tokenizer.
        options: How to load the base.
    """

    def __init__(
        self, base: str, tokenizer: PreTrainedTokenizerBase, options: LoadOptions | None = None
    ) -> None:
        self.base, self.tokenizer, self.options = base, tokenizer, options or LoadOptions()
        self._model: Any = None
        self._adapter: str | None = None
        self._inside: Path | None = None
        self._start: Any = None
        own = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self._template_ends = end_of_turn_ids(tokenizer) if tokenizer.chat_template else own

    @property
    def model(self) -> PreTrainedModel:
        """The resident model; loaded once, when first needed."""
        if self._model is None:
            self._model = load_model(self.base, self.options)
        model: PreTrainedModel = self._model
        return model

    @property
    def end_ids(self) -> list[int]:
        """Every token that ends a turn: the model's own, the tokenizer's and the chat template's."""
        own = self.model.generation_config.eos_token_id
        return sorted({*self._template_ends, *(own if isinstance(own, list) else [own])} - {None})

    def enter(self, rung: Checkpoint) -> None:
        """Makes a rung the resident model's weights; the base is not loaded again."""
        if rung.is_adapter:
            self._swap_adapter(rung)
        else:
            _copy_weights(self.model, rung)

    @contextmanager
    def at_start(self) -> Iterator[PreTrainedModel]:
        """The model before training: this one with its adapter off; a second one after full fine-tuning."""
        if self._adapter is not None:
            with self._model.disable_adapter():
                yield self._model
            return
        if self._start is None:
            self._start = load_model(self.base, self.options)
        yield self._start

    def generate(self, guard: Guard, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> Generated:
        """Greedy continuations of one batch of prompts, whatever the model's own sampling defaults."""
        import torch

        ids, mask = _left_padded(prompts, self.tokenizer.pad_token_id or 0)
        device = self.model.device
        with torch.inference_mode():
            return guard.generate(
                self.model,
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                eos_token_id=self.end_ids,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                no_repeat_ngram_size=0,
                pad_token_id=self.tokenizer.pad_token_id,
            )

    def log_likelihoods(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], *, batch_size: int
    ) -> list[float]:
        """Log-probability (natural) of each continuation after its prompt, summed over its tokens."""
        import torch

        pairs = list(zip(prompts, continuations, strict=True))
        with torch.inference_mode():
            return [score for batch in _batches(pairs, batch_size) for score in self._scored(batch)]

    def shared_log_likelihoods(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], *, batch_size: int
    ) -> list[list[float]]:
        """Log-probability of every one of some continuations after every prompt, each prompt read once.

        Args:
            prompts: Token ids.
            continuations: Token ids, the same for all prompts, each at least one.
            batch_size: Prompts read together.

        Returns:
            For every prompt one number a continuation, natural logs, summed over its tokens.
        """
        import torch

        with torch.inference_mode():
            return [
                row for batch in _batches(prompts, batch_size) for row in self._branched(batch, continuations)
            ]

    def _branched(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        import torch

        model, device, count = self.model, self.model.device, len(continuations)
        ids, mask = (each.to(device) for each in _left_padded(prompts, self.tokenizer.pad_token_id or 0))
        places = (mask.cumsum(1) - 1).clamp(min=0)
        read = model(
            input_ids=ids, attention_mask=mask, position_ids=places, logits_to_keep=1, use_cache=True
        )
        longest = max(map(len, continuations))
        said = torch.tensor([[*c, *[0] * (longest - len(c))] for c in continuations], device=device)
        said = said.repeat(len(prompts), 1)
        logits = read.logits[:, -1:].repeat_interleave(count, 0)
        if longest > 1:
            (held := cache_of(read)).batch_repeat_interleave(count)
            steps = torch.arange(1, longest, device=device)
            seen = torch.cat([mask.repeat_interleave(count, 0), torch.ones_like(said[:, 1:])], 1)
            rest = model(
                input_ids=said[:, :-1], attention_mask=seen, **with_cache(model, held),
                position_ids=places[:, -1:].repeat_interleave(count, 0) + steps, use_cache=True,
            ).logits  # fmt: skip
            logits = torch.cat([logits, rest], 1)
        if not bool(logits.isfinite().all()):
            raise ValueError("the model's logits are not all numbers")
        found = logits.float().log_softmax(-1).gather(-1, said[..., None])[..., 0].cpu()
        lengths = torch.tensor([len(c) for c in continuations]).repeat(len(prompts))
        kept = torch.arange(longest) < lengths[:, None]
        sums: list[list[float]] = found.masked_fill(~kept, 0).sum(1).view(len(prompts), count).tolist()
        return sums

    def _scored(self, batch: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
        device = self.model.device
        ids, mask = _left_padded(
            [[*prompt, *rest] for prompt, rest in batch], self.tokenizer.pad_token_id or 0
        )
        longest = max(len(rest) for _, rest in batch)
        logits = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0).to(device),
            logits_to_keep=longest + 1,
            use_cache=False,
        ).logits[:, :-1]
        if not bool(logits.isfinite().all()):
            raise ValueError("the model's logits are not all numbers")
        log_probs = logits.float().log_softmax(-1).gather(-1, ids[:, -longest:, None].to(device))[..., 0]
        return [
            float(row[longest - len(rest) :].sum())
            for row, (_, rest) in zip(log_probs.cpu(), batch, strict=True)
        ]

    def _swap_adapter(self, rung: Checkpoint) -> None:
        from peft import PeftModel

        if self._inside == rung.folder:
            return
        name = "odd" if self._adapter == "even" else "even"
        if self._adapter is None:
            self._model = PeftModel.from_pretrained(self.model, rung.folder, adapter_name=name).eval()
        else:
            self._model.load_adapter(rung.folder, adapter_name=name)
            self._model.set_adapter(name)
            self._model.delete_adapter(self._adapter)
        self._adapter, self._inside = name, rung.folder


def _copy_weights(model: PreTrainedModel, rung: Checkpoint) -> None:
    """Overwrites a model's weights in place from a folder of safetensors."""
    from safetensors.torch import load_file

    own = model.state_dict()
    missing = set(own) - set(model.all_tied_weights_keys)
    for file in sorted(rung.folder.glob("*.safetensors")):
        for name, tensor in load_file(file).items():
            if name not in own or own[name].shape != tensor.shape:
                raise RecipeError(f"{file}: the weight {name} does not belong to the base model")
            own[name].copy_(tensor)
            missing.discard(name)
    if missing:
        raise RecipeError(
            f"{rung.folder}: {len(missing)} weights are missing, {sorted(missing)[0]} among them"
        )


def _left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
