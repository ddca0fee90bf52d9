"""Cells of the grid: one suite, defence and depth, with its prompts rendered once for all rungs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from erosion import defenses
from erosion.defenses.any_depth.safety_tokens import prompt_completion
from erosion.defenses.base import Defense
from erosion.evaluation import openers
from erosion.evaluation.attacks.prefill import prefilled
from erosion.evaluation.attacks.wrapper import wrapped
from erosion.evaluation.digests import DECODING, digest_of, guard_digest, suite_version
from erosion.evaluation.named_suite import cases_of, suite_of
from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.chat import answer_ids, end_of_turn_ids, prompt_ids
from erosion.recipes.discovery import find
from erosion.recipes.schema import Data, Evaluation, GuardOptions, Wrapper

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOO_LONG = "prompts left out, longer than the model's positions"
AGAINST = " against "
"""Stands in the version of what two cells give together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One case as the model sees it: `ids` end with the assistant header or with the prefill."""

    case: Case
    ids: list[int]
    choices: tuple[tuple[int, ...], ...] = ()

    @property
    def digest(self) -> str:
        """Of all that can change its answer, its verdict, or the group it is counted in."""
        case = self.case
        parts = [case.id, self.ids, self.choices, case.target, case.evidence]
        return digest_of([*parts, case.group] if case.group else parts)


AtDepth = tuple[int, tuple[Prompt, ...], int, openers.Openers | None]
Rendered = dict[str, list[AtDepth]]
"""Depth, prompts, how many are too long, and openers; by all that they are made of but the tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One suite under one defence at one depth, to be measured at every rung.

    Attributes:
        name: The suite's name.
        suite: The suite.
        defense: The guard's name, with what differs from its published form.
        options: The guard as the recipe names it.
        depth: Answer tokens placed as prefill.
        wrapper: What the attack puts around the request, `none` where it is asked plainly.
        prompts: Only cases whose answer reaches the depth.
        openers: For the log-odds at the header; None where they are not measured.
        max_new_tokens: New tokens per answer.
        ends: Tokens that the chat template ends a turn with.
        too_long: Prompts left out, since they are longer than the model's positions.
        made_of: Digest of what else the guard depends on: its version, its probe's corpus, its guard model,
            the chat template it reads by.
    """

    name: str
    suite: Suite
    defense: str
    options: GuardOptions
    depth: int
    prompts: tuple[Prompt, ...]
    openers: openers.Openers | None
    max_new_tokens: int
    ends: tuple[int, ...] = ()
    made_of: str = ""
    wrapper: str = "none"
    too_long: int = 0

    @property
    def version(self) -> str:
        """Of suite, judges and what makes numbers of their verdicts."""
        return suite_version(self.name, self.suite)

    def stamp(self, weights_digest: str, place: str) -> str:
        """Of all but its prompt that can change an answer at a rung; `place` names device and dtype.

        Judges are not in it: another judge is asked of the same answers.
        """
        odds = None if self.openers is None else [self.openers, openers.VERSION]
        written = None if self.prompts[0].choices else [self.max_new_tokens, self.ends]
        decoding = [DECODING, written, odds, self.made_of]
        return digest_of([weights_digest, place, self.defense, self.depth, decoding])

    def digest(self, stamp: str) -> str:
        """Of a stamp and every prompt: two equal ones, of equal `version`, are the same measurement."""
        return cell_digest(stamp, self._asked, self.wrapper)

    @cached_property
    def _asked(self) -> list[str]:
        return [prompt.digest for prompt in self.prompts]

    def __str__(self) -> str:
        wrapped = "" if self.wrapper == "none" else f", {self.wrapper}"
        return f"{self.name}, {self.defense}, depth {self.depth}{wrapped}"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A place of the grid that cannot have a number.

    Attributes:
        name: The suite's name.
        defense: The guard's label.
        depth: Answer tokens placed as prefill.
        wrapper: What the attack puts around the request.
        why: A few words.
    """

    name: str
    defense: str
    depth: int
    wrapper: str
    why: str


def cell_digest(stamp: str, prompts: Sequence[str], wrapper: str = "none") -> str:
    """Of a stamp, the digests of a cell's prompts in their order, and what was put around them."""
    return digest_of([stamp, list(prompts), *([] if wrapper == "none" else [wrapper])])


def prepare(
    evaluation: Evaluation, tokenizer: PreTrainedTokenizerBase, *, positions: int | None
) -> list[Cell]:
    """All cells of a recipe, in its order; see `grid`."""
    return [cell for cell in grid(evaluation, tokenizer, positions=positions) if isinstance(cell, Cell)]


def grid(
    evaluation: Evaluation,
    tokenizer: PreTrainedTokenizerBase,
    *,
    positions: int | None,
    rendered: Rendered | None = None,
) -> list[Cell | LeftOut]:
    """All cells of a recipe, in its order, and the places that cannot have a number.

    A guard that only halts changes nothing where nothing is generated, so there it has no cell; a control
    has one only where text can be forced.

    Args:
        evaluation: The recipe's section.
        tokenizer: The run's.
        positions: Positions the model was built for; longer prompts cannot be measured and are counted in a
            warning.
        rendered: What other recipes have rendered by this very tokenizer, for this many positions; more is
            added.

    Raises:
        RecipeError: A suite without cases, or with two of one id.
    """
    known = {} if rendered is None else rendered
    return [
        cell
        for data in evaluation.suites
        for wrapper in _wrappers(data, evaluation)
        for cell in _of_suite(data, evaluation, tokenizer, positions, wrapper, known)
    ]


def counterparts(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Every guarded harmful cell with its harmless counterpart."""
    for benign in cells:
        for harmful in cells:
            same = all(
                getattr(harmful, key) == getattr(benign, key) for key in ("defense", "depth", "wrapper")
            )
            if same and benign.suite.benign_of == harmful.name and benign.defense != "none":
                yield harmful, benign


def _wrappers(data: Data, evaluation: Evaluation) -> list[Wrapper]:
    """The plain request first, then what the attack brings along."""
    suite = suite_of(data)
    own = [w for w in evaluation.wrappers if data.name in w.suites or (not w.suites and suite.is_harmful)]
    return [Wrapper(name="none"), *own]


def _of_suite(
    data: Data,
    evaluation: Evaluation,
    tokenizer: PreTrainedTokenizerBase,
    positions: int | None,
    wrapper: Wrapper,
    rendered: Rendered,
) -> Iterator[Cell | LeftOut]:
    suite = suite_of(data)
    new = suite.max_new_tokens or evaluation.max_new_tokens
    depths = evaluation.depths if suite.prefilled else (0,)
    depths = depths if suite.asked_directly else tuple(depth for depth in depths if depth)
    room = None if positions is None else positions - new
    ends = tuple(end_of_turn_ids(tokenizer))
    key = repr((data, wrapper, evaluation.limit, depths, room))
    if key not in rendered:
        cases = [wrapped(case, wrapper) for case in cases_of(data, evaluation.limit, "evaluation.suites")]
        rendered[key] = list(_at_depths(data, suite, cases, depths, tokenizer, room))
    for depth, prompts, too_long, odds in rendered[key]:
        for options in sorted(evaluation.defenses, key=lambda each: each.name != "none"):
            defense: Defense = find(defenses, options.name, "evaluation.defenses").make()
            where: dict[str, Any] = {"name": data.name, "defense": options.label}
            where |= {"depth": depth, "wrapper": wrapper.name}
            if why := _left_out(defense, suite, prompts, depth):
                yield LeftOut(**where, why=why)
                continue
            yield Cell(
                **where, suite=suite, options=options, prompts=prompts, too_long=too_long, max_new_tokens=new,
                openers=None if defense.halts_only else odds, ends=ends,
                made_of=guard_digest(defense, options, evaluation.probe, tokenizer.chat_template),
            )  # fmt: skip


def _at_depths(
    data: Data,
    suite: Suite,
    cases: list[Case],
    depths: Sequence[int],
    tokenizer: PreTrainedTokenizerBase,
    room: int | None,
) -> Iterator[AtDepth]:
    """The prompts of every depth, how many are left out, and the openers of the log-odds measured there."""
    answers = [_answer(case, tokenizer) if any(depths) else [] for case in cases]
    for depth in depths:
        every = list(_prompts(cases, answers, depth, tokenizer))
        prompts = tuple(prompt for prompt in every if room is None or len(prompt.ids) <= room)
        too_long = len(every) - len(prompts)
        if not prompts:
            log.warning("%s: no answer reaches depth %d, so it is not measured there", data.name, depth)
        elif too_long:
            log.warning("%s, depth %d: %s: %d", data.name, depth, TOO_LONG, too_long)
        odds = None
        if prompts and suite.log_odds and depth == 0:
            odds = openers.openers(tokenizer, cases[0].messages, pocket=data.name.startswith("pocket/"))
        yield depth, prompts, too_long, odds


def _left_out(defense: Defense, suite: Suite, prompts: Sequence[Prompt], depth: int) -> str:
    """Why a defence has no number over these prompts; empty where it has one."""
    if not prompts:
        return f"no answer reaches depth {depth} within the model's positions"
    if defense.halts_only and prompts[0].choices:
        return "nothing is generated that a guard could halt"
    if defense.is_control and not suite.prefilled:
        return "a control is asked only where text is forced"
    return ""


def _prompts(
    cases: list[Case], answers: list[list[int]], depth: int, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Prompt]:
    for plain, answer in zip(cases, answers, strict=True):
        placed = prefilled(plain, answer, depth, tokenizer)
        if placed is None:
            continue
        case, prefill = placed
        ids = prompt_ids(tokenizer, case.messages) + prompt_completion(tokenizer) + prefill
        letters = tuple(tuple(answer_ids(tokenizer, case.messages, choice)) for choice in case.choices)
        yield Prompt(case=case, ids=ids, choices=letters)


def _answer(case: Case, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return [] if case.answer is None else answer_ids(tokenizer, case.messages, case.answer)
