"""What a probe is worth on conversations it has never seen, beside its controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from erosion.evaluation.intervals import auroc, share

if TYPE_CHECKING:
    import torch
    from rich.table import Table
    from transformers import PreTrainedModel

    from erosion.defenses.any_depth.checks import Check
    from erosion.defenses.any_depth.collecting import Corpus

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Worth:
    """One number of one check.

    Attributes:
        check: Whose.
        metric: `true_positive_rate` and `false_positive_rate` a check, `auroc`, or the two rates a response.
        depth: Answer tokens; None for all depths together.
        value: A share, or the area under the ROC curve.
        low: Lower end of its 95 % interval; None over all depths, whose checks are not independent.
        high: Upper end.
        n: Checks or responses.
    """

    check: str
    metric: str
    depth: int | None
    value: float
    low: float | None
    high: float | None
    n: int

    def line(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


def worth(
    name: str, check: Check, model: PreTrainedModel, corpus: Corpus, depths: tuple[int, ...]
) -> list[Worth]:
    """All numbers of a check on a test corpus.

    Args:
        name: What to call it.
        check: The check.
        model: The model it reads.
        corpus: Harmful and benign conversations.
        depths: Where it is asked.
    """
    import torch

    parts = []
    for start in range(0, len(corpus), BATCH):
        part = slice(start, start + BATCH)
        parts.append(check.replay(model, corpus.prompts[part], corpus.answers[part], depths).cpu())
    scores, harmful = torch.cat(parts), torch.tensor(corpus.labels).bool()
    found: list[Worth] = []
    for column, depth in enumerate(depths):
        found += _at_depth(name, scores[:, [column]], harmful, check.threshold, depth)
    return [*found, *_at_depth(name, scores, harmful, check.threshold, None)]


def table(found: list[Worth], depths: tuple[int, ...]) -> Table:
    """A row for every check and metric, depths across."""
    from rich.table import Table

    grid = Table(title="on the test conversations, 95 % intervals in the file", title_justify="left")
    grid.add_column("check", no_wrap=True)
    for heading in ("metric", *(f"at {depth}" for depth in depths), "all depths", "n"):
        grid.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
    for check, metric in dict.fromkeys((each.check, each.metric) for each in found):
        own = {each.depth: each for each in found if (each.check, each.metric) == (check, metric)}
        cells = [f"{own[depth].value:.3f}" if depth in own else "-" for depth in (*depths, None)]
        grid.add_row(check, metric.replace("_", " "), *cells, str(max(each.n for each in own.values())))
    return grid


def _at_depth(
    name: str, scores: torch.Tensor, harmful: torch.Tensor, threshold: float, depth: int | None
) -> Iterator[Worth]:
    """Rates a check, and over all depths together also a response: halted at any of its checks."""
    checked = ~scores.isnan()
    halts = (scores.double() >= threshold) & checked
    labels = harmful[:, None].expand_as(scores)
    for side, metric in ((labels, "true_positive_rate"), (~labels, "false_positive_rate")):
        hits, made = int((halts & side).sum()), int((checked & side).sum())
        if made:
            yield _share(name, metric, depth, hits, made)
        responses = (checked & side).any(1)
        if depth is None and bool(responses.any()):
            hit = int((halts & side).any(1).sum())
            yield _share(name, f"{metric}_per_response", depth, hit, int(responses.sum()))
    yield from _auroc(name, scores[checked], labels[checked], depth)


def _share(name: str, metric: str, depth: int | None, hits: int, made: int) -> Worth:
    value, *ends = share(hits, made)
    alone = depth is not None or metric.endswith("per_response")
    low, high = ends if alone else (None, None)
    return Worth(check=name, metric=metric, depth=depth, value=value, low=low, high=high, n=made)


def _auroc(name: str, scores: torch.Tensor, labels: torch.Tensor, depth: int | None) -> Iterator[Worth]:
    from sklearn.metrics import roc_auc_score

    positives = int(labels.sum())
    if 0 < positives < len(labels):
        value = float(roc_auc_score(labels, scores))
        ends = auroc(value, positives, len(labels) - positives) if depth is not None else (None, None)
        yield Worth(
            check=name, metric="auroc", depth=depth, value=value, low=ends[0], high=ends[1], n=len(labels)
        )
