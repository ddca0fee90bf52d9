"""The grammar of `erosion probe`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "ADA-LP's linear probe"


def add(noun: argparse.ArgumentParser) -> None:
    """Adds `fit`, `evaluate` and `import`."""
    probe = noun.add_subparsers(required=True, metavar="VERB")

    fit = probe.add_parser("fit", help="fit one on a recipe's model and probe section")
    fit.add_argument("recipe", type=Path, help="the recipe; its keys can be set as in training")
    fit.add_argument("--output", type=Path, required=True, help="the probe's folder")
    fit.set_defaults(verb=_fit, overridable=True)

    evaluate = probe.add_parser("evaluate", help="what one is worth on a recipe's test conversations")
    evaluate.add_argument("probe", help="the probe's folder or hub id")
    evaluate.add_argument("recipe", type=Path, help="the recipe; its keys can be set as in training")
    evaluate.add_argument("--controls", action="store_true", help="fit and judge the controls beside it")
    evaluate.add_argument("--json", type=Path, help="write the numbers here too")
    evaluate.set_defaults(verb=_evaluate, overridable=True)

    imported = probe.add_parser("import", help="turn a published .joblib probe into a folder")
    imported.add_argument("file", type=Path, help="the file; only classes that a probe needs are read")
    imported.add_argument("--model", required=True, help="the model it was fitted on")
    imported.add_argument("--layer", type=int, help="the probed block, from 0; the paper's when left out")
    imported.add_argument("--output", type=Path, required=True, help="the probe's folder")
    imported.set_defaults(verb=_import)


def _fit(given: argparse.Namespace) -> int:
    from erosion.evaluation.probes.commands import fit_probe

    fit_probe(given.recipe, given.overrides, given.output)
    return 0


def _evaluate(given: argparse.Namespace) -> int:
    from erosion.evaluation.probes.commands import evaluate_probe

    evaluate_probe(given.probe, given.recipe, given.overrides, controls=given.controls, output=given.json)
    return 0


def _import(given: argparse.Namespace) -> int:
    from erosion.evaluation.probes.commands import import_published

    import_published(given.file, given.model, given.layer, given.output)
    return 0
