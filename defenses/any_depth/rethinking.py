"""ADA-RK: put the assistant's header again on a fork and read a short greedy lookahead (2510.18081, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.fork import Branches, decoder_of, measurable
from erosion.recipes.sections import LOOKAHEAD

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Lookahead:
    """How a lookahead is read.

    Attributes:
        phrases: Lower case; a text that holds one is a refusal and needs no more tokens.
        end_ids: Tokens that end a turn.
        tokens: The longest lookahead; 20 as published.
    """

    phrases: tuple[str, ...]
    end_ids: frozenset[int]
    tokens: int = LOOKAHEAD

    def text(self, tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
        """What was said before the turn ended."""
        return str(tokenizer.decode(list(takewhile(lambda token: token not in self.end_ids, ids))))

    def refuses(self, text: str) -> bool:
        """Whether a text holds one of the phrases, anywhere and in any case."""
        lower = text.lower()
        return any(phrase in lower for phrase in self.phrases)

    def decided(self, tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> bool:
        """Whether no further token can change the decision."""
        return not self.end_ids.isdisjoint(ids) or self.refuses(self.text(tokenizer, ids))


@torch.inference_mode()
def lookaheads(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    span_ids: Sequence[int],
    depths: Sequence[int],
    how: Lookahead,
) -> list[list[str | None]]:
    """What the model says after the span, greedily, at every conversation and depth at once.

    Args:
        model: A decoder-only transformers model, PEFT-wrapped or not.
        tokenizer: Its tokenizer.
        prompts: Token ids of B prompts, each ending with the assistant header.
        answers: Token ids of their answers.
        span_ids: The Safety Tokens of `rethink`.
        depths: D numbers of answer tokens.
        how: How the lookahead is read. Decoding ends when every one is decided.

    Returns:
        B lists of D texts; None where a depth is not measurable.
    """
    branches = Branches(model, _last_hidden(model), prompts, answers, depths)
    fits = measurable(model, prompts, answers, depths, len(span_ids) + how.tokens).tolist()
    tokens, said = branches.everywhere(span_ids), []
    for _ in range(how.tokens):
        tokens = greedy(model, branches.append(tokens))
        said.append(tokens)
        rows = torch.cat(said, -1).tolist()
        flat = zip(_flat(rows), _flat(fits), strict=True)
        if all(how.decided(tokenizer, ids) for ids, fit in flat if fit):
            break
    return [
        [how.text(tokenizer, ids) if ok else None for ids, ok in zip(row, fit, strict=True)]
        for row, fit in zip(rows, fits, strict=True)
    ]


def _last_hidden(model: PreTrainedModel) -> Any:
    decoder = decoder_of(model)
    return lambda **inputs: decoder(**inputs).last_hidden_state


def greedy(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """The likeliest next token, `[..., 1]`, after hidden states `[..., S, hidden]`."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    token: torch.Tensor = base.get_output_embeddings()(hidden[..., -1, :]).argmax(-1, keepdim=True)
    return token


def _flat(rows: list[list[Any]]) -> list[Any]:
    return [item for row in rows for item in row]
