"""`erosion probe fit | evaluate | import`: a probe as a folder that can be trained, judged and shared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.defenses.ada_lp import CONTROLS
from erosion.defenses.any_depth.families import published_layer
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.evaluation.engine import Engine
from erosion.evaluation.machine import use_all_cores
from erosion.evaluation.models import LoadOptions, load_config, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import Checkpoint, base_digest
from erosion.evaluation.probes.arms import Probes
from erosion.evaluation.probes.corpus import probe_corpus
from erosion.evaluation.probes.fitting import Fitter, Subject
from erosion.evaluation.probes.quality import Worth, table, worth
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import GuardOptions, Recipe, load_recipe

if TYPE_CHECKING:
    from erosion.defenses.any_depth.checks import Check

PUBLISHED = GuardOptions(name="ada_lp")


def fit_probe(file: Path, overrides: Sequence[str], output: Path) -> LinearProbe:
    """Fits a probe of a recipe's model on its probe section, and matches its threshold where it can.

    Args:
        file: The recipe.
        overrides: Command-line overrides of it.
        output: The probe's folder; the one with the matched threshold goes to `matched` in it.

    Raises:
        RecipeError: A recipe or model that cannot be used, or too few conversations.
    """
    engine, subject, recipe = _opened(file, overrides)
    fitter = Fitter(engine.tokenizer, probe_corpus(recipe))
    probe = fitter.fit(subject, fitter.place(subject.model, PUBLISHED), output)
    own = probe.settings
    print(
        f"probe: {output}\nblock {own.layer}, validation balanced accuracy "
        f"{own.metrics['validation_balanced_accuracy']:.3f}, {own.metrics['training_rows']} rows"
    )
    if fitter.section.calibration:
        matched = fitter.match(probe, subject, output / "matched")
        print(
            f"threshold {matched.threshold:.4g}, at most {fitter.section.rate:.2%} of benign checks: "
            f"{output / 'matched'}"
        )
    return probe


def evaluate_probe(
    folder: str, file: Path, overrides: Sequence[str], *, controls: bool, output: Path | None
) -> list[Worth]:
    """What a probe is worth on a recipe's test conversations; prints the table.

    Args:
        folder: The probe's folder or hub id.
        file: The recipe.
        overrides: Command-line overrides of it.
        controls: Fit and judge the controls beside it.
        output: A JSON file for the numbers.

    Raises:
        RecipeError: A recipe or model that cannot be used, no test conversations, or a probe of another model
            or span.
    """
    from rich.console import Console

    probe = LinearProbe.from_pretrained(folder)
    engine, subject, recipe = _opened(file, overrides)
    section = probe_corpus(recipe)
    probe.check_fits(subject.model, subject.name, safety_span(engine.tokenizer, "probe"))
    checks: dict[str, Check] = {f"probe at {probe.threshold:.4g}": probe}
    fitter = Fitter(engine.tokenizer, section)
    test = fitter.corpus(section.test)
    if controls:
        arms = sorted(CONTROLS if section.base else CONTROLS - {"base_model"})
        probes = Probes(Path(folder) / "controls", engine, _as_rung(subject), section)
        checks |= {arm.replace("_", " "): probes.of(arm, PUBLISHED, _as_rung(subject)) for arm in arms}
    found = [
        each
        for name, check in checks.items()
        for each in worth(name, check, subject.model, test, section.depths)
    ]
    shown = tuple(d for d in section.depths if d in (25, 100, 200, 400, 500)) or section.depths[:5]
    Console(width=140).print(table(found, shown))
    if output is not None:
        output.write_text(json.dumps([each.line() for each in found], indent=1) + "\n", encoding="utf-8")
    return found


def import_published(file: Path, model: str, layer: int | None, output: Path) -> LinearProbe:
    """Turns a published `.joblib` probe into a folder of ours, through an allow-list of classes.

    Args:
        file: The file.
        model: The model it was fitted on, by folder or hub id.
        layer: The probed block, from 0; the paper's for this model when None, since the file does not say.
        output: The probe's folder.

    Raises:
        RecipeError: A file or model that cannot be reached.
        ForbiddenClass: The file names what a probe does not need.
    """
    from erosion.defenses.any_depth.published import import_probe

    if not file.is_file():
        raise RecipeError(f"probe: given {str(file)!r}, and there is no such file")
    config = load_config(model, LoadOptions()).get_text_config()
    layer = published_layer(model) if layer is None else layer
    if layer is None:
        raise RecipeError(f"layer: the paper names none for {model!r}; give --layer")
    if not 0 <= layer < config.num_hidden_layers:
        raise RecipeError(f"layer: given {layer}, allowed 0 to {config.num_hidden_layers - 1} in this model")
    settings = ProbeSettings(
        model=model, hidden_size=config.hidden_size, layer=layer,
        span_ids=tuple(safety_span(load_tokenizer(model), "probe")),
    )  # fmt: skip
    probe = import_probe(file, settings)
    probe.save_pretrained(output)
    print(f"probe: {output}")
    return probe


def _opened(file: Path, overrides: Sequence[str]) -> tuple[Engine, Subject, Recipe]:
    use_all_cores()
    recipe = load_recipe(file, overrides)
    options = LoadOptions.of(recipe)
    tokenizer = load_tokenizer(
        recipe.model, revision=options.revision, trust_remote_code=options.trust_remote_code
    )
    engine = Engine(recipe.model, tokenizer, options)
    digest = base_digest(recipe.model, revision=options.revision, seed=recipe.seed)
    subject = Subject(model=engine.model, name=recipe.model, weights_digest=digest, revision=options.revision)
    return engine, subject, recipe


def _as_rung(subject: Subject) -> Checkpoint:
    """The model itself as the rung the controls are fitted at."""
    digest = subject.weights_digest
    return Checkpoint(
        run=Path(), step=0, path="", weights_digest=digest, base_digest=digest, recipe_digest="",
        dataset_digest="", training_loss=None,
    )  # fmt: skip
