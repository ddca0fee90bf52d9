"""ADA-LP's classifier: one logistic regression on one hidden state, in a folder that can be shared."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.checks import LiveFork
from erosion.defenses.any_depth.shared_reading import read_states
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WEIGHTS, SETTINGS = "probe.safetensors", "probe.json"


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """What a probe belongs to and how it was made.

    Attributes:
        model: The model's name or hub id.
        revision: Its hub revision.
        weights_digest: Of the weights it was fitted on.
        hidden_size: Of the state.
        span_ids: The span whose last token is read; the answer's own last token where it is empty.
        layer: 0-based index of the probed block.
        hook: The probed part of the block.
        threshold: A probability of at least this halts.
        corpus_digest: Of the conversations it was fitted on.
        metrics: What was measured when it was fitted.
    """

    model: str
    hidden_size: int
    span_ids: tuple[int, ...]
    layer: int
    hook: Hook = "input_norm"
    threshold: float = 0.5
    revision: str | None = None
    weights_digest: str = ""
    corpus_digest: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearProbe:
    """P(harmful) = sigmoid(weight . state + bias), on states that are not scaled.

    Attributes:
        weight: `[hidden]`, float32.
        bias: A number.
        settings: What it belongs to.
        adapter_off: Read the span with the model's adapter switched off; what was read before keeps it.
        reader: Reads states as `read_states` does.
    """

    weight: torch.Tensor
    bias: float
    settings: ProbeSettings
    adapter_off: bool = False
    reader: Callable[..., torch.Tensor] = read_states

    @property
    def threshold(self) -> float:
        """A probability of at least this halts."""
        return self.settings.threshold

    def probabilities(self, states: torch.Tensor) -> torch.Tensor:
        """P(harmful) of states `[..., hidden]`; NaN states give NaN."""
        weight = self.weight.to(states.device)
        return torch.sigmoid(states.float() @ weight + self.bias)

    def live(self, fork: LiveFork) -> torch.Tensor:
        """P(harmful) of the rows being generated, `[B]`."""
        own = self.settings
        return self.probabilities(fork.state(own.span_ids, own.layer, own.hook, adapter_off=self.adapter_off))

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """P(harmful) of given answers at given depths, `[B, D]`; NaN where a depth is not measurable."""
        own = self.settings
        states = self.reader(
            model, prompts, answers, own.span_ids, depths, [own.layer], own.hook, adapter_off=self.adapter_off
        )
        return self.probabilities(states[0])

    def at_threshold(self, threshold: float) -> LinearProbe:
        """The same probe with another threshold, 0 to 1."""
        if not 0 <= threshold <= 1:
            raise RecipeError(f"threshold: given {threshold}, allowed 0 to 1")
        return replace(self, settings=replace(self.settings, threshold=threshold))

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes `probe.safetensors` and `probe.json`; nothing that runs code when it is read."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"weight": self.weight.contiguous(), "bias": torch.tensor(self.bias, dtype=torch.float64)}
        save_file(tensors, folder / WEIGHTS)
        (folder / SETTINGS).write_text(json.dumps(asdict(self.settings), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, source: Path | str, *, revision: str | None = None) -> LinearProbe:
        """Reads a probe from a folder or a hub id.

        Raises:
            RecipeError: Neither, or a folder without a probe.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = _folder(source, revision)
        if not (folder / SETTINGS).is_file() or not (folder / WEIGHTS).is_file():
            raise RecipeError(
                f"probe: given {str(source)!r}, allowed a folder that holds {SETTINGS} and {WEIGHTS}"
            )
        try:
            settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            own = ProbeSettings(**{**settings, "span_ids": tuple(settings["span_ids"])})
            tensors = load_file(folder / WEIGHTS)
            probe = cls(weight=tensors["weight"].float(), bias=float(tensors["bias"]), settings=own)
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RecipeError(f"probe: {folder} holds no probe that can be read: {error!r}") from error
        if len(probe.weight) != probe.settings.hidden_size:
            raise RecipeError(
                f"probe: {folder} holds {len(probe.weight)} weights "
                f"for a hidden size of {probe.settings.hidden_size}"
            )
        return probe

    def check_fits(self, model: PreTrainedModel, name: str | None, span_ids: Sequence[int]) -> None:
        """Checks that the probe belongs to a model.

        Args:
            model: The model.
            name: Its name or hub id; not compared when None.
            span_ids: The span that its chat template gives.

        Raises:
            RecipeError: Another hidden size, model or span; both are named.
        """
        own, hidden = self.settings, model.config.get_text_config().hidden_size
        for what, theirs, ours in (
            ("hidden size", own.hidden_size, hidden),
            ("model", own.model, name or own.model),
            ("span", list(own.span_ids), list(span_ids)),
        ):
            if theirs != ours:
                raise RecipeError(f"probe: fitted for {what} {theirs!r}, but this model's is {ours!r}")


def _folder(source: Path | str, revision: str | None) -> Path:
    if Path(source).is_dir():
        return Path(source)
    from transformers.utils import cached_file

    try:
        found = [cached_file(str(source), name, revision=revision) for name in (WEIGHTS, SETTINGS)]
        return Path(str(found[-1])).parent
    except OSError as error:
        raise RecipeError(
            f"probe: given {str(source)!r}, which is neither a folder nor a hub id that can be reached"
        ) from error
