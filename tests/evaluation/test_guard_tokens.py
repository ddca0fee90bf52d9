"""Tokens that guards put through models by themselves, against counts by hand."""

import torch

from erosion.defenses.ada_rk import Rethinking
from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.any_depth.rethinking import Lookahead
from erosion.defenses.base import Guard
from erosion.evaluation.guard_tokens import counting
from erosion.evaluation.tally import Tally


def never_decided(tokenizer) -> Rethinking:
    how = Lookahead(phrases=(), end_ids=frozenset(), tokens=6)
    return Rethinking(tokenizer=tokenizer, span_ids=(4, 3, 7), how=how)


def test_a_replay_reads_the_answer_once_and_a_span_and_a_lookahead_at_every_depth(model_for, tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    model, tally = model_for("llama", len(tokenizer)), Tally()
    guard = counting(CheckedGuard(never_decided(tokenizer), [5], interval=4), tally)
    plain = never_decided(tokenizer).replay(model, [[9, 10, 11]], [list(range(20, 32))], [4, 8])
    found = guard.check.replay(model, [[9, 10, 11]], [list(range(20, 32))], [4, 8])
    assert torch.equal(found, plain)
    assert tally == Tally(guard_tokens=3 + 8 + 2 * (3 + 5))


def test_a_live_check_counts_its_fork_and_not_the_answer(model_for, tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    model, tally = model_for("llama", len(tokenizer)), Tally()
    guard = counting(CheckedGuard(never_decided(tokenizer), [5], interval=4), tally)
    ids = torch.tensor([[9, 10, 11]])
    guard.generate(model, input_ids=ids, eos_token_id=[], max_new_tokens=9, do_sample=False, pad_token_id=0)
    assert tally.guard_tokens == 2 * (1 + 3 + 5)


def test_what_is_no_guard_is_left_as_it_is():
    plain = Guard()
    assert counting(plain, Tally()) is plain
