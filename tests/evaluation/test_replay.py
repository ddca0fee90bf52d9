"""A guard replayed over unguarded answers equals generating under it."""

import pytest
import torch

from erosion.defenses.ada_rk import Rethinking
from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.defenses.base import Guard
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.replay import replayed
from erosion.evaluation.suites.pocket import helpfulness, refusal
from erosion.recipes.chat import answer_ids, prompt_ids
from erosion.recipes.schema import Data

NEW = 30


@pytest.fixture(scope="module")
def engine():
    return Engine("pocket", load_tokenizer("pocket"))


def prompts(engine, begun, count=12):
    found = []
    for suite in (refusal, helpfulness):
        for _, case in zip(range(count), suite.SUITE.cases(Data(name="x")), strict=False):
            answer = answer_ids(engine.tokenizer, case.messages, case.answer)
            found.append([*prompt_ids(engine.tokenizer, case.messages), *answer[:begun]])
    return found


def guards(engine):
    weight = torch.randn(128, generator=torch.Generator().manual_seed(1)) / 10
    span = tuple(safety_span(engine.tokenizer, "probe"))
    settings = ProbeSettings(model="pocket", hidden_size=128, span_ids=span, layer=2)
    return [
        CheckedGuard(LinearProbe(weight=weight, bias=0.0, settings=settings), [9, 9], interval=7),
        CheckedGuard(Rethinking.of(engine.tokenizer), [9, 9], interval=10),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_replay_equals_generating_under_the_guard(engine, which):
    guard, given = guards(engine)[which], prompts(engine, 0)
    plain = engine.generate(Guard(), given, max_new_tokens=NEW)
    live = engine.generate(guard, given, max_new_tokens=NEW)
    again = replayed(guard, engine.model, given, plain, begun=0, max_new_tokens=NEW)
    assert again.new_ids == live.new_ids
    assert again.stopped_by == live.stopped_by
    assert again.depths == live.depths
    for mine, theirs in zip(again.checks, live.checks, strict=True):
        for depth, score in theirs.items():
            assert mine[depth] == pytest.approx(score, abs=1e-4)


def test_a_forced_start_is_checked_at_its_own_depth(engine):
    guard, given = guards(engine)[1], prompts(engine, 40)
    plain = engine.generate(Guard(), given, max_new_tokens=NEW)
    again = replayed(guard, engine.model, given, plain, begun=40, max_new_tokens=NEW)
    assert again.depths[:12] == [40] * 12, "the header brings the refusal of every forbidden answer"
    assert again.depths[12:] == [None] * 12
    assert again.new_ids[12:] == plain.new_ids[12:]


def test_nothing_is_checked_before_the_interval(engine):
    guard, given = CheckedGuard(Rethinking.of(engine.tokenizer), [9], interval=50), prompts(engine, 0)
    plain = engine.generate(Guard(), given, max_new_tokens=NEW)
    assert replayed(guard, engine.model, given, plain, begun=0, max_new_tokens=NEW).new_ids == plain.new_ids
