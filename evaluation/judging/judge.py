"""What a judge is: it says of completions what they are. Each is one file in `judges/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Protocol

from erosion.evaluation import judges as judge_files
from erosion.evaluation.records import Completion, HigherIs, Verdict
from erosion.recipes.discovery import find, names
from erosion.recipes.judge_options import JudgeOptions
from erosion.recipes.numbers import check_judge_numbers
from erosion.recipes.parsing import mistake


class Judge(Protocol):
    """A judge, ready to be asked."""

    @property
    def name(self) -> str:
        """The key its verdicts stand under: `phrases`, `classifier/wildguard`."""

    @property
    def version(self) -> str:
        """Another one whenever a verdict could be another: rules, rubric, weights. Without white space."""

    @property
    def tells(self) -> Mapping[str, HigherIs]:
        """The metrics it can tell, the first one first; whatever a suite asks when empty."""

    @property
    def batch_size(self) -> int | None:
        """Verdicts stored together, what a killed call loses at most; None where asking again is free."""

    def judge_all(self, completions: Sequence[Completion]) -> Iterator[Verdict | None]:
        """A verdict for every completion, in their order, each as soon as it is known.

        None for one that got none this time, which stops no other: it stays missing, to be asked for again.

        Raises:
            JudgeStopped: It can go on no further; the verdicts given until then hold.
        """


UNANSWERED = "no verdict came, and the next call asks again"
"""Why a verdict is missing of a judge that went on."""


class JudgeStopped(Exception):
    """A judge that can go on no further, such as one whose budget is spent; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class RuleJudge:
    """A file that holds no more than `judge(completion)`, as a judge."""

    name: str
    file: ModuleType
    batch_size: int | None = None

    @property
    def version(self) -> str:
        """The file's `VERSION`."""
        return str(self.file.VERSION)

    @property
    def tells(self) -> Mapping[str, HigherIs]:
        """The file's `TELLS`."""
        return tells_of(self.name)

    def judge_all(self, completions: Sequence[Completion]) -> Iterator[Verdict]:
        """A verdict for every completion."""
        return map(self.file.judge, completions)


def made_judge(options: JudgeOptions, *, run: Path | None = None) -> Judge:
    """The judge that options name; what it needs is loaded when it is first asked.

    Args:
        options: The judge.
        run: The run whose answers it is asked of, for judges that take something from there.

    Raises:
        RecipeError: See `check_judge`.
    """
    file = check_judge(options, "judge")
    judge: Judge
    if run is not None and hasattr(file, "of_run"):
        judge = file.of_run(options, run)
        return judge
    if hasattr(file, "make"):
        judge = file.make(options)
        return judge
    return RuleJudge(name=options.name, file=file)


def rule_version(name: str) -> str:
    """The version of a judge that is no more than rules; empty of others, and of names nobody knows."""
    file = find(judge_files, name, "judge") if name in names(judge_files) else None
    return "" if file is None or hasattr(file, "make") else str(file.VERSION)


def check_judge(options: JudgeOptions, where: str) -> ModuleType:
    """Checks what can be known of a judge without a model and without an endpoint; gives its file.

    Raises:
        RecipeError: No such judge or rubric, one that stored answers hold too little for, an option it knows
            nothing of, or what the judge's own `check` finds.
    """
    file = find(judge_files, options.name, where)
    _check_needs(options.name, file, where)
    check_options(options, getattr(file, "HONOURS", frozenset()), where)
    known: Sequence[str] = getattr(file, "RUBRICS", ())
    if known and options.rubric not in known:
        raise mistake(f"{where}: {options.name}: rubric", options.rubric, ", ".join(known), known=known)
    if hasattr(file, "check"):
        file.check(options, where)
    return file


def check_options(options: JudgeOptions, honours: frozenset[str], where: str) -> None:
    """Checks that every option is one that is honoured, and the numbers among them.

    Raises:
        RecipeError: One that is not, or a number out of its range.
    """
    for name in options.changed:
        if name not in honours:
            allowed = ", ".join(sorted(honours)) or "no options"
            raise mistake(f"{where}: {options.name}", name, allowed, known=honours)
    check_judge_numbers(options, where, _need)


def spent(judge: Judge) -> str:
    """What asking it has cost until now, as a line of its own; nothing of judges that count no cost."""
    return f"{judge.name}: {judge.spent}\n" if hasattr(judge, "spent") else ""


def tells_of(key: str, where: str = "judge") -> Mapping[str, HigherIs]:
    """What the judge tells whose verdicts stand under a key, such as `classifier/wildguard@2`.

    Raises:
        RecipeError: No judge has that name.
    """
    name = key.partition("@")[0]
    label, _, rubric = name.partition("/")
    known = [each for each in names(judge_files) if name == each or label == each]
    file = find(judge_files, known[0] if known else name, where)
    rubrics: Mapping[str, Mapping[str, HigherIs]] = getattr(file, "RUBRICS", {})
    if rubric and known[0] != name:
        if rubric not in rubrics:
            allowed = [f"{label}/{each}" for each in rubrics] or [label]
            raise mistake(where, name, ", ".join(allowed), known=allowed)
        return rubrics[rubric]
    told: Mapping[str, HigherIs] = getattr(file, "TELLS", {})
    return told


def option_names() -> list[str]:
    """Every option that some judge knows."""
    return [item.name for item in fields(JudgeOptions) if item.name != "name"]


def _check_needs(name: str, file: ModuleType, where: str) -> None:
    if needs := getattr(file, "NEEDS", ()):
        able = [each for each in names(judge_files) if not hasattr(find(judge_files, each, where), "NEEDS")]
        what = f"{name}, which needs the {needs[0]} of every case, and stored answers hold none"
        raise mistake(where, what, ", ".join(able))


def _need(holds: bool, key: str, given: object, allowed: str) -> None:
    if not holds:
        raise mistake(key, given, allowed)
