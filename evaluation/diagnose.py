"""`erosion diagnose kl | dynamics | prefixes`: why alignment wears away where it does (2406.05946)."""

from __future__ import annotations

import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.defenses.base import Guard
from erosion.evaluation.answers import answer_cell
from erosion.evaluation.diagnostics.along_ladder import Dynamics, RunDynamics
from erosion.evaluation.diagnostics.by_position import AtPosition, PositionCurve, by_position
from erosion.evaluation.diagnostics.named_models import NamedModel, check_same_vocabulary, find_model
from erosion.evaluation.diagnostics.prefixes import (
    PrefixRate,
    check_judged,
    prefix_cell,
    prefix_rates,
    wordings,
)
from erosion.evaluation.diagnostics.questions import answers_of, chosen, prompts_of
from erosion.evaluation.diagnostics.token_kl import per_token_kl
from erosion.evaluation.diagnostics.writing import Options, kept
from erosion.evaluation.machine import use_all_cores
from erosion.evaluation.named_suite import cases_of
from erosion.evaluation.report.diagnostics import draw_dynamics, draw_kl, draw_prefixes
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FIRST = 5
"""Answer tokens in which the paper finds most of the KL."""


def diagnose_kl(model: str, reference: str, options: Options) -> list[AtPosition]:
    """Mean KL(model || reference) at every position of given answers; writes `kl.csv` and `kl.png`.

    Args:
        model: As `find_model` takes it.
        reference: The same; it shares the vocabulary.
        options: Whose answers, how many, and how deep.

    Raises:
        RecipeError: Unknown models, another vocabulary, or no answers.
    """
    use_all_cores()
    ours, theirs = (find_model(name, dtype=options.dtype) for name in (model, reference))
    data = chosen(options.suite, options.data, ours.base)
    check_same_vocabulary(ours, theirs)
    tokenizer, cases = ours.tokenizer(), cases_of(data, options.limit, "--suite")
    answers, prompts = answers_of(tokenizer, cases, options.positions), prompts_of(tokenizer, cases)
    pair = [each.engine(tokenizer).model for each in (ours, theirs)]
    points = by_position(per_token_kl(pair[0], pair[1], prompts, answers, batch_size=options.batch_size))
    label = f"KL({model} || {reference})"
    kept(
        options, "kl", [vars(point) for point in points],
        lambda stem: draw_kl(points, stem, title=f"{label} on the answers of {data.name}"),
        logged=((point.position, {"diagnose/kl": point.mean}) for point in points),
        digests={"model_digest": ours.weights_digest, "reference_digest": theirs.weights_digest},
    )  # fmt: skip
    print(f"{label}, nats: {_concentration(points)}")
    return points


def diagnose_dynamics(
    run: Path, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], options: Options
) -> Dynamics:
    """Loss, gradient norm and drift of a run by answer position; writes `dynamics.csv` and `dynamics.png`.

    Args:
        run: The run's folder.
        prompts: Token ids of training rows up to what is learned.
        answers: Token ids of what is learned in them.
        options: Which other prompts the rungs answer, how many, and how deep.

    Raises:
        RecipeError: No run, no step 0, or prompts that do not fit it.
    """
    use_all_cores()
    found = RunDynamics(run, options)
    with _progress() as advance:
        dynamics = found.measured(prompts, answers, advance=advance)
    kept(
        options, "dynamics", [line for curve in dynamics.curves for line in curve.lines()],
        lambda stem: draw_dynamics(dynamics.curves, stem, title=f"{run.name}: fine-tuning by answer token"),
        logged=_logged(dynamics.curves), digests={"step_0_digest": dynamics.weights_digest},
    )  # fmt: skip
    for curve in dynamics.curves:
        print(f"{curve.quantity.replace('_', ' ')}, step {curve.step}: {_concentration(curve.points)}")
    for sentence in dynamics.missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return dynamics


def diagnose_prefixes(
    models: Sequence[str], options: Options, *, template: str | None = None
) -> list[PrefixRate]:
    """What models answer after refusal prefixes; writes `prefixes.csv`, `prefixes.png` and every answer.

    Args:
        models: As `find_model` takes them.
        options: Which prompts are asked and how many.
        template: A model whose chat template renders them, for base models that have none.

    Raises:
        RecipeError: Unknown models, prompts that do not fit them, or no chat template.
    """
    use_all_cores()
    found = [find_model(name, dtype=options.dtype) for name in models]
    asked = [chosen(options.suite, options.data, model.base) for model in found]
    for data in asked:
        check_judged(data)
    tokenizers = [_with_template(model, template) for model in found]
    triples = zip(found, asked, tokenizers, strict=True)
    rates = [rate for model, data, tokenizer in triples for rate in _rates(model, data, tokenizer, options)]
    if not rates:
        raise RecipeError(f"--suite: no judge of {asked[0].name} could score a single answer")
    kept(
        options, "prefixes", [vars(rate) for rate in rates],
        lambda stem: draw_prefixes(rates, stem, title="Refusal prefixes"),
        logged=[(0, {f"diagnose/{r.model}/{r.prefix}/{r.metric}/{r.judge}": r.value for r in rates})],
        digests={f"digest of {model.name}": model.weights_digest for model in found},
    )  # fmt: skip
    print(f"answers: {options.output / 'samples'}")
    for rate in rates:
        print(
            f"{rate.model}, {rate.prefix}: {rate.metric} {rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}] "
            f"by {rate.judge} on the continuation alone, n = {rate.n}"
        )
    return rates


def _with_template(model: NamedModel, template: str | None) -> PreTrainedTokenizerBase:
    tokenizer = model.tokenizer()
    if template is not None:
        tokenizer.chat_template = find_model(template).tokenizer().chat_template
    if not tokenizer.chat_template:
        raise RecipeError(
            f"model: {model.name!r} has no chat template; name a model that has one with --template"
        )
    return tokenizer


def _rates(
    model: NamedModel, data: Data, tokenizer: PreTrainedTokenizerBase, options: Options
) -> Iterator[PrefixRate]:
    engine, cases = model.engine(tokenizer), cases_of(data, options.limit, "--suite")
    place = engine.options.place
    made = place if "float32" in place else f"{place}, batches of {options.batch_size}"
    for prefix in wordings(pocket=speaks_pocket(model.base)):
        cell = prefix_cell(data, cases, prefix, tokenizer, max_new_tokens=options.max_new_tokens)
        name = re.sub(r"[^\w.]+", "-", f"{model.name}-{prefix}").strip("-")
        rows = answer_cell(
            engine, Guard(), cell, options.output / "samples" / f"{name}.jsonl",
            step=0 if model.rung is None else model.rung.step, stamp=cell.stamp(model.weights_digest, made),
            batch_size=options.batch_size, advance=lambda count: None,
        )  # fmt: skip
        yield from prefix_rates(model.name, prefix, rows)


def _concentration(points: Sequence[AtPosition]) -> str:
    """The mean of the first positions beside that of the others."""
    parts = (points[:FIRST], points[FIRST:])
    means = [f"{math.fsum(point.mean for point in part) / len(part):.4g}" for part in parts if part]
    names = (f"answer tokens 1 to {len(parts[0])}", f"{FIRST + 1} to {len(points)}")
    return ", ".join(f"{name}: {value}" for name, value in zip(names, means, strict=False))


def _logged(curves: Sequence[PositionCurve]) -> list[tuple[int, dict[str, float]]]:
    """The curves' figures, position by position."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for curve in curves:
        for point in curve.points:
            found[point.position][f"diagnose/{curve.quantity}/step_{curve.step}"] = point.mean
    return sorted(found.items())


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda what: bar.update(task, description=what, advance=1)
