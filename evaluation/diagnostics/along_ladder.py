"""Fine-tuning dynamics of a run: its training answers before the first step, its own at every rung."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from erosion.evaluation.diagnostics.by_position import PositionCurve, by_position
from erosion.evaluation.diagnostics.dynamics import initial_dynamics, own_answers_kl
from erosion.evaluation.diagnostics.questions import chosen, prompts_of
from erosion.evaluation.diagnostics.writing import Options
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import LoadOptions, load_tokenizer
from erosion.evaluation.named_suite import cases_of, suite_of
from erosion.evaluation.on_disk.checkpoints import rung_at
from erosion.evaluation.on_disk.run_folder import open_run
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data, Recipe


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """What a run's dynamics are.

    Attributes:
        curves: Loss and gradient norm at step 0, and the KL at every rung.
        missing: One sentence for every rung without numbers.
        weights_digest: Of step 0.
    """

    curves: list[PositionCurve]
    missing: list[str] = field(default_factory=list)
    weights_digest: str


class RunDynamics:
    """A run, checked and ready to be measured.

    Args:
        run: Its folder.
        options: Which prompts are asked, how many, and how deep.

    Raises:
        RecipeError: No run, no step 0, a quantised model, or prompts that do not fit it.
    """

    def __init__(self, run: Path, options: Options) -> None:
        self.recipe, self.rungs = open_run(run)
        self.start, self.options = rung_at(self.rungs, 0), options
        loading = LoadOptions.of(self.recipe)
        if loading.quantization is not None:
            raise RecipeError(f"run: {run} tunes a quantised model, which has no gradient of its parameters")
        self.loading = replace(loading, attention="eager")
        asked = chosen(options.suite, options.data, self.recipe.model, own=_own_suite(self.recipe))
        self.cases = cases_of(asked, options.limit, "--suite")
        self.tokenizer = load_tokenizer(self.start.folder, trust_remote_code=loading.trust_remote_code)

    def measured(
        self,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        *,
        advance: Callable[[str], None] = lambda what: None,
    ) -> Dynamics:
        """Loss and gradient norm on the training answers given, and the KL on the rungs' own answers.

        Args:
            prompts: Token ids up to what is learned.
            answers: Token ids of what is learned.
            advance: Told what is done.
        """
        before = Engine(self.recipe.model, self.tokenizer, self.loading)
        if not self.start.is_adapter:
            before.enter(self.start)
        first = [answer[: self.options.positions] for answer in answers]
        found = initial_dynamics(before.model, prompts, first, advance=lambda: advance("training answers"))
        curves = [
            PositionCurve(quantity=quantity, step=0, points=tuple(by_position(values)))
            for quantity, values in zip(("loss", "gradient_norm"), found, strict=True)
        ]
        before.enter(self.start)
        drift, missing = self._drift(before, advance)
        return Dynamics(curves=curves + drift, missing=missing, weights_digest=self.start.weights_digest)

    def _drift(self, before: Engine, advance: Callable[[str], None]) -> tuple[list[PositionCurve], list[str]]:
        tuned, curves, missing = Engine(self.recipe.model, self.tokenizer, self.loading), [], []
        questions = prompts_of(self.tokenizer, self.cases)
        for rung in self.rungs:
            if not rung.is_intact():
                missing.append(f"step {rung.step}: {rung.folder} does not match its digest")
                continue
            tuned.enter(rung)
            kl = own_answers_kl(
                tuned, before.model, questions, positions=self.options.positions,
                batch_size=self.options.batch_size,
            )  # fmt: skip
            curves.append(PositionCurve(quantity="kl", step=rung.step, points=tuple(by_position(kl))))
            if not curves[-1].points:
                missing.append(f"step {rung.step}: no answer has a single token")
            advance(f"own answers at step {rung.step}")
        steps = {rung.step for rung in self.rungs}
        missing += [
            f"step {step}: there is no such rung yet" for step in self.recipe.ladder if step not in steps
        ]
        return curves, missing


def _own_suite(recipe: Recipe) -> Data | None:
    """The first of the recipe's suites of forbidden requests."""
    own = (data for data in recipe.evaluation.suites if suite_of(data).higher_is == "safer")
    return next(own, None)
