"""Whether a text is language at all: degenerate output is neither a refusal nor an answer.

It knows no more than that, so it says `incoherent`, or `scored` where it found nothing wrong, and never
`complied`. Its number is `coherence_rate`, the share that is not degenerate. Rules come first; what passes
them is read by a model, and high perplexity is incoherent too: see `_perplexity.py`. Of a run this is the
model of step 0 unless `model` names another one, or `none`; of a file it is none unless one is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.records import Completion, HigherIs, Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from erosion.evaluation.cells import Cell
    from erosion.evaluation.diagnostics.named_models import NamedModel
    from erosion.evaluation.judging.judge import Judge
    from erosion.evaluation.judging.work import JudgeWork
    from erosion.recipes.judge_options import JudgeOptions

VERSION = "2"
HONOURS = frozenset({"model", "batch_size"})
NO_MODEL = "none"
TELLS: dict[str, HigherIs] = {"coherence_rate": "better"}
GRAM = 4
WINDOW = 100
MOST_REPEATED = 0.5
FEWEST_WORDS = 20
"""Of fewer, repetition says nothing."""
LONGEST_LOOP = 20
MOST_NOISE = 0.05
FEWEST_LETTERS = 0.3
EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})


def check(options: JudgeOptions, where: str) -> None:
    """Checks that a model that is named is there; a run's rung may still be trained.

    Raises:
        RecipeError: It is not.
    """
    from erosion.evaluation.classifiers._models import settings
    from erosion.evaluation.on_disk.run_folder import RECIPE_FILE

    name = options.model
    if name is None or name == NO_MODEL or "@" in name:
        return
    if not (Path(name) / RECIPE_FILE).is_file():
        settings(name, None, f"{where}: coherence: model")


def make(options: JudgeOptions) -> Judge:
    """The rules, and perplexity under a model where one is named.

    Raises:
        RecipeError: Nothing has that name.
    """
    from erosion.evaluation.diagnostics.named_models import find_model

    if options.model in (None, NO_MODEL):
        return _rules(options)
    return _with_model(options, find_model(str(options.model)), None)


def of_run(options: JudgeOptions, run: Path) -> Judge:
    """The same for a run's answers, by default under the model they all began with."""
    from erosion.evaluation.diagnostics.named_models import NamedModel
    from erosion.evaluation.models import LoadOptions
    from erosion.evaluation.on_disk.checkpoints import base_digest, read_ladder
    from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
    from erosion.recipes.schema import load_recipe

    if options.model is not None:
        return make(options)
    recipe = load_recipe(run / RECIPE_FILE)
    start = NamedModel(
        name="step 0", base=recipe.model, options=LoadOptions.of(recipe), rung=None,
        weights_digest=base_digest(
            recipe.model, revision=recipe.trl.get("model_revision"), seed=recipe.seed
        ),
    )  # fmt: skip
    folders = [rung.folder for rung in read_ladder(run) if (rung.folder / "tokenizer_config.json").is_file()]
    return _with_model(options, start, next(iter(folders), None))


def work(options: JudgeOptions, cells: Sequence[Cell], tokenizer: PreTrainedTokenizerBase) -> JudgeWork:
    """Every answer read after its prompt, by the model of step 0 or another; nothing by the rules alone."""
    from erosion.evaluation.judging.work import JudgeWork, longest_answers

    asked = list(longest_answers(cells))
    if options.model == NO_MODEL:
        return JudgeWork(judge=options.label, verdicts=len(asked))
    return JudgeWork(
        judge=options.label, verdicts=len(asked), read=sum(len(prompt.ids) + new for prompt, new in asked),
        reader="own" if options.model else "step 0",
        note="in the studied model's tokens" if options.model else "",
    )  # fmt: skip


def judge(completion: Completion) -> Verdict:
    """Incoherent where a text is empty, noise or repetition; its score is the share of 4-grams that are new.

    Of a long text the 100 words that repeat most count: a long one repeats itself more, and may begin well.
    """
    if completion.stopped_by == "guard":
        return Verdict(label="halted", judge="coherence")
    text = completion.text
    units = _units(text)
    score = 1 - repeated(units) if len(units) >= GRAM else float(bool(units))
    for wrong, found in (
        ("no text", not units),
        ("control characters", _noise(text) > MOST_NOISE),
        ("no words", units and _letters(text) < FEWEST_LETTERS),
        ("many scripts", len(_scripts(text)) > 2),
        ("repetition", len(units) >= FEWEST_WORDS and 1 - score > MOST_REPEATED),
        ("loop", _loops(units)),
    ):
        if found:
            return Verdict(label="incoherent", judge="coherence", detail=wrong, score=0.0)
    return Verdict(label="scored", judge="coherence", detail=f"{score:.2f} new", score=score)


def _rules(options: JudgeOptions) -> Judge:
    import sys

    from erosion.evaluation.judging.judge import RuleJudge

    return RuleJudge(name=options.name, file=sys.modules[__name__])


def _with_model(options: JudgeOptions, model: NamedModel, tokenizer_folder: Path | None) -> Judge:
    from erosion.evaluation.judges._perplexity import PerplexityJudge

    return PerplexityJudge(
        rules=judge, rules_version=VERSION, tells=TELLS, model=model, batch_size=options.batch_size,
        tokenizer_folder=tokenizer_folder,
    )  # fmt: skip


def repeated(units: Sequence[str]) -> float:
    """The largest share, over windows, of 4-grams said before: `seq-rep-4` of 1908.04319 (section 5)."""
    shares = []
    for start in {*range(0, max(1, len(units) - WINDOW), WINDOW), max(0, len(units) - WINDOW)}:
        window = units[start : start + WINDOW]
        grams = [tuple(window[at : at + GRAM]) for at in range(len(window) - GRAM + 1)]
        shares.append(1 - len(set(grams)) / len(grams))
    return max(shares)


def _units(text: str) -> list[str]:
    """Words; characters where a language or a broken text sets no spaces."""
    words = re.findall(r"\w+", text.lower())
    long = words and sum(map(len, words)) / len(words) > LONGEST_LOOP
    return list("".join(words)) if long else words


def _loops(units: Sequence[str]) -> bool:
    """Whether the text ends in a passage said at least four times in a row, over at least 20 words."""
    for period in range(1, LONGEST_LOOP + 1):
        same = 0
        while same + period < len(units) and units[-1 - same] == units[-1 - same - period]:
            same += 1
        if same + period >= max(4 * period, FEWEST_WORDS):
            return True
    return False


def _noise(text: str) -> float:
    """The share of characters that no text has: control, private, unassigned and replacement characters."""
    broken = [c for c in text if unicodedata.category(c) in ("Cc", "Co", "Cs", "Cn") or c == "\ufffd"]
    return sum(c not in "\n\t\r" for c in broken) / max(1, len(text))


def _letters(text: str) -> float:
    """The share of characters other than white space that are letters, marks or digits."""
    solid = [c for c in text if not c.isspace()]
    return sum(unicodedata.category(c)[0] in "LMN" for c in solid) / len(solid)


def _scripts(text: str) -> list[str]:
    """The scripts that hold a twentieth of the letters each; East Asian ones, used together, are one."""
    found = Counter(unicodedata.name(c, "?").split()[0] for c in text if c.isalpha())
    merged: Counter[str] = Counter()
    for script, count in found.items():
        merged["EAST ASIAN" if script in EAST_ASIAN else script] += count
    return [script for script, count in merged.items() if count >= MOST_NOISE * merged.total()]
