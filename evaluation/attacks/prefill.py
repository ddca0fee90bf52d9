"""Deep prefill: the first d tokens of a harmful answer open the assistant's turn (2510.18081, section 3)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from erosion.evaluation.records import Case
from erosion.recipes.chat import answer_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prefilled(case: Case, depth: int, tokenizer: PreTrainedTokenizerBase) -> tuple[Case, list[int]] | None:
    """The case at a depth and its prefill's token ids, to be joined to the prompt's.

    Args:
        case: A plain case.
        depth: Answer tokens to place, at least 0.
        tokenizer: The model's.

    Returns:
        None where the case has no answer or its answer does not reach the depth: such cases are in no
        denominator.
    """
    if depth == 0:
        return case, []
    if case.answer is None:
        return None
    ids = answer_ids(tokenizer, case.messages, case.answer)
    if len(ids) < depth:
        return None
    text = str(tokenizer.decode(ids[:depth]))
    return dataclasses.replace(case, depth=depth, prefill=text, attack="prefill"), ids[:depth]
