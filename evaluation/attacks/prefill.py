"""Deep prefill: the first d tokens of a harmful answer open the assistant's turn (2510.18081, section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from erosion.evaluation.records import Case

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prefilled(
    case: Case, answer: Sequence[int], depth: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[Case, list[int]] | None:
    """The case at a depth and its prefill's token ids, to be joined to the prompt's.

    Args:
        case: A plain case.
        answer: Token ids of its answer, none where it has none.
        depth: Answer tokens to place, at least 0.
        tokenizer: The model's.

    Returns:
        None where the case has no answer or its answer does not reach the depth: such cases are in no
        denominator.
    """
    if depth == 0:
        return case, []
    if len(answer) < depth:
        return None
    ids = list(answer[:depth])
    text = str(tokenizer.decode(ids))
    return dataclasses.replace(case, depth=depth, prefill=text, attack="prefill"), ids
