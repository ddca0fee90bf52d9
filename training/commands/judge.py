"""The grammar of `erosion judge`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from erosion.recipes.judge_options import JudgeOptions

HELP = "ask a judge of anyone's completions, or of a run's stored answers"


def add(noun: argparse.ArgumentParser) -> None:
    """Adds its arguments."""
    noun.add_argument("what", type=Path, help="a run, or a file (CSV, TSV, JSON, JSON lines or Parquet)")
    noun.add_argument("--judge", default="phrases", help="the judge's name (default phrases)")
    noun.add_argument("--out", type=Path, help="of a file: the judged rows (CSV, TSV, JSON or JSON lines)")
    noun.add_argument("--completion-column", help="of a file: where the completions are (default completion)")
    noun.add_argument("--prompt-column", help="of a file: where the prompts are (default prompt, if there)")
    add_judge_options(noun)
    noun.set_defaults(verb=_judge)


def add_judge_options(noun: argparse.ArgumentParser) -> None:
    """Adds a judge's options, with a dash or an underscore between words."""
    options = noun.add_argument_group("a judge's options", "as in a recipe; each judge knows some of them")
    for item in fields(JudgeOptions)[1:]:
        several = "+" if str(item.type).startswith("tuple") else None
        names = {f"--{item.name}", f"--{item.name.replace('_', '-')}"}
        options.add_argument(*sorted(names), nargs=several, metavar="VALUE")


def judge_options(given: argparse.Namespace) -> JudgeOptions:
    """The judge and its options as the command line gives them.

    Raises:
        RecipeError: A value of the wrong kind.
    """
    from erosion.recipes.parsing import build, parse_value

    def value(text: str | Sequence[str], kind: str) -> object:
        return list(text) if not isinstance(text, str) else text if "str" in kind else parse_value(text)

    told = {item.name: (getattr(given, item.name), str(item.type)) for item in fields(JudgeOptions)[1:]}
    options = {name: value(text, kind) for name, (text, kind) in told.items() if text is not None}
    return build(JudgeOptions, {"name": given.judge, **options}, "judge")


def _judge(given: argparse.Namespace) -> int:
    from erosion.recipes.parsing import RecipeError

    if given.what.is_dir():
        if any((given.out, given.completion_column, given.prompt_column)):
            raise RecipeError("judge: --out and columns are for files; a run's verdicts stay in the run")
        return _run(given)
    if given.out is None:
        raise RecipeError("judge: a file's judged rows need a place: --out FILE")
    return _file(given)


def _run(given: argparse.Namespace) -> int:
    from erosion.evaluation.judging.of_runs import judge_run

    missing = judge_run(given.what, judge_options(given)).missing
    for sentence in missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return 1 if missing else 0


def _file(given: argparse.Namespace) -> int:
    from erosion.evaluation.judging.of_files import Columns, judge_file

    columns = Columns(completion=given.completion_column or "completion", prompt=given.prompt_column)
    missing = judge_file(given.what, judge_options(given), columns, out=given.out).missing
    for sentence in missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return 1 if missing else 0
