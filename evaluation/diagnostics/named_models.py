"""Models as the command line names them: embedded, a folder, a hub id, a run or one of its rungs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.engine import Engine
from erosion.evaluation.models import LoadOptions, load_config, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import Checkpoint, base_digest, rung_at, weights_digest
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE, open_run
from erosion.recipes.models import EMBEDDED
from erosion.recipes.parsing import RecipeError, mistake

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ADAPTER = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A model that was found and is not loaded yet.

    Attributes:
        name: As it was given.
        base: What is loaded first, by embedded name, folder or hub id.
        options: How.
        rung: What then takes its place: an adapter or whole weights; None where nothing does.
        weights_digest: Of all its weights.
    """

    name: str
    base: str
    options: LoadOptions
    rung: Checkpoint | None
    weights_digest: str

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its own: the rung's where it has one, else its base's."""
        own = self.rung is not None and (self.rung.folder / "tokenizer_config.json").is_file()
        return load_tokenizer(
            self.rung.folder if self.rung and own else self.base,
            revision=None if own else self.options.revision,
            trust_remote_code=self.options.trust_remote_code,
        )

    def engine(self, tokenizer: PreTrainedTokenizerBase) -> Engine:
        """The model, loaded when first needed, with its rung entered."""
        engine = Engine(self.base, tokenizer, self.options)
        if self.rung is not None:
            engine.enter(self.rung)
        return engine


def find_model(name: str, *, dtype: str = "float32") -> NamedModel:
    """Finds a model.

    Args:
        name: An embedded name, a folder, a hub id, a run's folder (its last rung) or `RUN@STEP`.
        dtype: On an accelerator, for what is no run; a run says itself how it is loaded.

    Raises:
        RecipeError: Nothing has that name, or the ladder has no such rung.
    """
    run, at, step = name.rpartition("@")
    folder = Path(name).expanduser()
    if at:
        return _of_run(name, Path(run).expanduser(), _step(step))
    if (folder / RECIPE_FILE).is_file():
        return _of_run(name, folder, None)
    if (folder / ADAPTER).is_file():
        return _of_adapter(name, folder, LoadOptions(dtype=dtype))
    options = LoadOptions(dtype=dtype)
    try:
        load_config(name, options)
    except RecipeError as error:
        raise _unknown(name) from error
    return NamedModel(name=name, base=name, options=options, rung=None, weights_digest=base_digest(name))


def check_same_vocabulary(model: NamedModel, reference: NamedModel) -> None:
    """Checks that the two models' distributions are over the same tokens.

    Raises:
        RecipeError: They are not.
    """
    pair = (model, reference)
    sizes = [load_config(each.base, each.options).get_text_config().vocab_size for each in pair]
    words = [each.tokenizer().get_vocab() for each in pair]
    if words[0] != words[1] or sizes[0] != sizes[1]:
        raise RecipeError(
            f"reference: {reference.name!r} has another vocabulary ({sizes[1]} tokens) than {model.name!r} "
            f"({sizes[0]} tokens), so there is no KL divergence between them"
        )


def _of_run(name: str, run: Path, step: int | None) -> NamedModel:
    recipe, rungs = open_run(run)
    rung = rung_at(rungs, step)
    return NamedModel(
        name=name, base=recipe.model, options=LoadOptions.of(recipe), rung=rung,
        weights_digest=rung.weights_digest,
    )  # fmt: skip


def _of_adapter(name: str, folder: Path, options: LoadOptions) -> NamedModel:
    """A PEFT adapter by itself, on the base that its settings name."""
    base = str(json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"])
    load_config(base, options)
    under = base_digest(base)
    digest = weights_digest(folder, under)
    rung = Checkpoint(
        run=folder.parent, step=0, path=folder.name, weights_digest=digest, base_digest=under,
        recipe_digest="", dataset_digest="", training_loss=None,
    )  # fmt: skip
    return NamedModel(name=name, base=base, options=options, rung=rung, weights_digest=digest)


def _step(text: str) -> int:
    if not text.isdecimal():
        raise mistake("step", text, "a rung of the run, as in RUN@STEP")
    return int(text)


def _unknown(name: str) -> RecipeError:
    folder = Path(name).expanduser().parent
    beside = [str(path) for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    allowed = f"an embedded model ({', '.join(EMBEDDED)}), a model's folder, a hub id that can be reached, a "
    return mistake("model", name, f"{allowed}run's folder or RUN@STEP", known=[*EMBEDDED, *beside])
