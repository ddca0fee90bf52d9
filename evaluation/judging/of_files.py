"""`erosion judge FILE`: a judge is asked of anyone's completions, and every row comes back with its label.

What a model or an endpoint said is kept beside the output as it comes, in `OUT.verdicts.jsonl`, with judge,
version and raw output: a call that was stopped goes on from there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erosion.evaluation.jsonl import append_lines, read_lines
from erosion.evaluation.judging.judge import UNANSWERED, Judge, JudgeStopped, made_judge, spent
from erosion.evaluation.records import Case, Completion
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.records import Record, records, shown, shown_columns
from erosion.recipes.schema import Data, JudgeOptions

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl", ".json")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where a file's texts are.

    Attributes:
        completion: The column of what the model said.
        prompt: The column of what it was asked; a file without one is judged without prompts when None.
    """

    completion: str = "completion"
    prompt: str | None = None


@dataclass(kw_only=True)
class JudgedFile:
    """What judging a file gave.

    Attributes:
        labels: Rows by label.
        missing: One sentence where rows have no verdict.
    """

    labels: Counter[str]
    missing: list[str] = field(default_factory=list)


def judge_file(file: Path, options: JudgeOptions, columns: Columns, *, out: Path) -> JudgedFile:
    """Judges a file's completions, and writes every row with a `label` and a `detail` after its own columns.

    A row without text is left to the judge, never out; one that got no verdict has no label. Where the
    file has such columns of its own, the new ones are named after the judge, as `phrases_label`.

    Args:
        file: CSV, TSV, JSON, JSON lines or Parquet.
        options: The judge.
        columns: Where its texts are.
        out: CSV, TSV, JSON or JSON lines.

    Raises:
        RecipeError: No such judge, file or column, a text that is none, or an output of another kind.
        OSError: The output's folder cannot be made; nothing was asked yet.
    """
    judge = made_judge(options)
    if out.suffix not in SUFFIXES:
        raise mistake("--out: file type", out.suffix, ", ".join(SUFFIXES), known=SUFFIXES)
    if out.resolve() == file.resolve():
        raise RecipeError(f"--out: {out} is the file that is judged; name another")
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = list(records(Data(name="judge", path=str(file))))
    label, detail = _added([row for _, row in rows], judge.name)
    completions = [_completion(row, columns, where) for where, row in rows]
    verdicts, missing = _verdicts(judge, completions, out.with_name(f"{out.name}.verdicts.jsonl"))
    given = [verdict or {"label": "", "detail": "not judged"} for verdict in verdicts]
    added = [{label: verdict["label"], detail: verdict["detail"]} for verdict in given]
    _write([{**row, **new} for (_, row), new in zip(rows, added, strict=True)], out)
    labels = Counter(str(verdict["label"]) for verdict in verdicts if verdict)
    print(
        "".join(f"{name}: {count}\n" for name, count in labels.most_common()) + f"{spent(judge)}judged: {out}"
    )
    return JudgedFile(labels=labels, missing=missing)


def _verdicts(
    judge: Judge, completions: Sequence[Completion], beside: Path
) -> tuple[list[dict[str, Any] | None], list[str]]:
    """Verdicts of the rows in their order, None where there is none; those kept beside are not asked."""
    kept = {line["of"]: line for line in read_lines(beside)}
    keys = [_digest(judge, each) for each in completions]
    new = [(key, each) for key, each in zip(keys, completions, strict=True) if key not in kept]
    unlike = dict(new)
    waiting, why, asked = list[dict[str, Any]](), UNANSWERED, judge.judge_all(list(unlike.values()))
    try:
        for key, verdict in zip(unlike, asked, strict=True):
            if verdict is None:
                continue
            kept[key] = {"of": key, "judge": judge.name, **verdict.stored(judge.version)}
            waiting.append(kept[key])
            if len(waiting) == judge.batch_size:
                append_lines(beside, waiting)
                waiting = []
    except JudgeStopped as error:
        why = str(error)
    if waiting and judge.batch_size is not None:
        append_lines(beside, waiting)
    found = [kept.get(key) for key in keys]
    lacking = found.count(None)
    return found, [f"{lacking} of {len(keys)} rows: {why}"] if lacking else []


def _digest(judge: Judge, completion: Completion) -> str:
    """Of what a verdict depends on."""
    of = [judge.name, judge.version, completion.case.messages, completion.text]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]


def _added(rows: Sequence[Record], name: str) -> tuple[str, str]:
    there = {column for row in rows for column in row}
    own = name.replace("/", "_")
    for pair in (("label", "detail"), (f"{own}_label", f"{own}_detail")):
        if not there & set(pair):
            return pair
    raise RecipeError(f"columns: the file has {own}_label or {own}_detail already; it was judged before")


def _completion(row: Record, columns: Columns, where: str) -> Completion:
    prompt = columns.prompt or ("prompt" if "prompt" in row else None)
    asked = "" if prompt is None else _text(row, prompt, where)
    case = Case(suite="file", id=where, messages=[{"role": "user", "content": asked}] if asked else [])
    text = _text(row, columns.completion, where)
    return Completion(case=case, text=text, token_ids=[], stopped_by="end_of_turn")


def _text(row: Record, column: str, where: str) -> str:
    """A column's text; empty where nothing stands there."""
    if column not in row:
        raise mistake(f"{where}: column", column, shown_columns(row), known=[shown(name) for name in row])
    value = row[column]
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        raise RecipeError(f"{where}: column {column!r} is {type(value).__name__}, allowed text")
    return value


def _write(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Writes the rows in the form of the file's name: beside it, then renamed."""
    if out.suffix == ".json":
        text = json.dumps(rows, ensure_ascii=False, indent=1, default=str) + "\n"
    elif out.suffix == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    else:
        text = _table(rows, DELIMITERS[out.suffix])
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    beside.write_bytes(text.encode(errors="replace"))
    os.replace(beside, out)


def _table(rows: Sequence[Mapping[str, Any]], delimiter: str) -> str:
    stream = io.StringIO()
    fields = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(stream, fields, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        nested = {
            k: json.dumps(v, ensure_ascii=False, default=str)
            for k, v in row.items()
            if isinstance(v, dict | list)
        }
        writer.writerow({**row, **nested})
    return stream.getvalue()
