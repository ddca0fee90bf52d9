"""Judge models: found and checked by name, and asked in batches."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.defenses.base import Guard
from erosion.evaluation.classifiers.base import Format, Meaning, Output
from erosion.evaluation.engine import Engine
from erosion.evaluation.machine import device
from erosion.evaluation.models import LoadOptions, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import base_digest, weights_digest
from erosion.evaluation.tally import Tally
from erosion.recipes.chat import encode, prompt_ids
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.parsing import RecipeError, mistake

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONFIGS = ("config.json", "adapter_config.json")
Pair = tuple[str, ...]
"""A request and an answer, and a context where the format reads one and there is one."""


def settings(name: str, revision: str | None, where: str) -> tuple[Path, dict[str, Any]]:
    """Where a judge model's configuration, or its adapter's, lies, and what it says; no weights are loaded.

    Raises:
        RecipeError: Neither a model's folder with weights nor a hub id that can be reached.
    """
    from transformers.utils import cached_file

    try:
        folder, reason = Path(resolve(name)), "no configuration"
    except RecipeError as error:
        raise RecipeError(f"{where}: given {name!r}, and there is no model in such a folder") from error
    if folder.is_dir() and is_untrained(str(folder)):
        raise RecipeError(f"{where}: given {name!r}, a folder without weights (*.safetensors)")
    for config in CONFIGS:
        try:
            found = cached_file(str(folder), config, revision=revision)
        except OSError as error:
            reason = " ".join(str(error).split())[:160]
            continue
        if found is not None:
            return Path(found), json.loads(Path(found).read_text(encoding="utf-8"))
    raise RecipeError(f"{where}: given {name!r}, neither a model's folder nor a reachable hub id: {reason}")


def model_digest(name: str, revision: str | None) -> str:
    """Of a judge model's weights; on the hub the commit stands for them."""
    file, config = settings(name, revision, "model")
    if not Path(resolve(name)).is_dir():
        return f"hub-{file.parent.name[:16]}"
    base = config.get("base_model_name_or_path") if file.name == CONFIGS[1] else None
    return weights_digest(file.parent, base_digest(base) if base else "")


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, format: Format, *parts: str) -> list[int]:
    """What a judge model reads of a request and an answer, and of a context where there is one."""
    given = format.prompt(*parts)
    if not isinstance(given, str):
        return prompt_ids(tokenizer, given)
    if format.classes is not None:
        return list(tokenizer(given, verbose=False)["input_ids"])
    first = tokenizer.bos_token_id if format.begins else None
    return [*([] if first is None else [first]), *encode(tokenizer, given)]


class LanguageModel:
    """A judge that writes its verdict, or whose next token is read.

    Args:
        name: Folder or hub id, of a model or of an adapter that names its base.
        revision: The hub revision.
        format: How it is asked.
        tally: Counts what it reads and writes, padding left out.
    """

    def __init__(self, name: str, revision: str | None, format: Format, tally: Tally | None = None) -> None:
        self.name, self.revision, self.format, self.tally = name, revision, format, tally or Tally()

    @cached_property
    def engine(self) -> Engine:
        """The model, loaded when first asked."""
        tokenizer = load_tokenizer(self.name, revision=self.revision)
        return Engine(self.name, tokenizer, LoadOptions(revision=self.revision, dtype="auto"))

    def ask(self, pairs: Sequence[Pair]) -> list[Output | None]:
        """One batch: an output for every pair; None where it is longer than the model's positions."""
        prompts = [prompt_tokens(self.engine.tokenizer, self.format, *pair) for pair in pairs]
        room = _room(self.engine.model, self.engine.tokenizer) - self.format.new_tokens
        fitting = [ids for ids in prompts if len(ids) <= room]
        said = iter(self._said(fitting) if fitting else [])
        return [next(said) if len(ids) <= room else None for ids in prompts]

    def _said(self, prompts: Sequence[list[int]]) -> list[Output]:
        if self.format.tokens:
            self.tally.add(map(len, prompts), ())
            return self._probable(prompts)
        out = self.engine.generate(Guard(), prompts, max_new_tokens=self.format.new_tokens)
        self.tally.add(map(len, prompts), map(len, out.new_ids))
        decode = self.engine.tokenizer.decode
        return [
            Output(text=str(decode(ids, skip_special_tokens=True)), cut=why == "length")
            for ids, why in zip(out.new_ids, out.stopped_by, strict=True)
        ]

    def _probable(self, prompts: Sequence[list[int]]) -> list[Output]:
        """The format's tokens at the end of every prompt, their probabilities among themselves."""
        vocabulary, tokens = self.engine.tokenizer.get_vocab(), self.format.tokens
        if lacking := [token for token in tokens if token not in vocabulary]:
            raise RecipeError(f"judge: {self.name!r} has no token {lacking[0]!r} to give its score by")
        scores = self.engine.shared_log_likelihoods(
            prompts, [[vocabulary[token]] for token in tokens], batch_size=len(prompts)
        )
        odds = [[math.exp(score - max(row)) for score in row] for row in scores]
        return [
            Output(probabilities={token: o / sum(row) for token, o in zip(tokens, row, strict=True)})
            for row in odds
        ]


class ClassModel:
    """A sequence classifier as a judge.

    Args:
        name: Folder or hub id.
        revision: The hub revision.
        format: How it is asked.
        means: Meanings of its labels.
        tally: Counts what it reads, padding left out.
    """

    def __init__(
        self,
        name: str,
        revision: str | None,
        format: Format,
        means: Mapping[str, Meaning],
        tally: Tally | None = None,
    ) -> None:
        self.name, self.revision, self.format, self.means = name, revision, format, means
        self.tally = tally or Tally()

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """Model and tokenizer, loaded when first asked. It pads on the tokenizer's own side."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        name, place = resolve(self.name), device()
        dtype = "float32" if place.type == "cpu" else "auto"
        model = AutoModelForSequenceClassification.from_pretrained(name, revision=self.revision, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=self.revision)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        return model.to(place).eval(), tokenizer

    def ask(self, pairs: Sequence[Pair]) -> list[Output | None]:
        """One batch: an output for every pair; None where it is longer than the model's positions."""
        model, tokenizer = self.loaded
        texts = [str(self.format.prompt(*pair)) for pair in pairs]
        room = _room(model, tokenizer)
        fits = [len(ids) <= room for ids in tokenizer(texts, verbose=False)["input_ids"]]
        fitting = [text for text, fit in zip(texts, fits, strict=True) if fit]
        said = iter(self._said(fitting) if fitting else [])
        return [next(said) if fit else None for fit in fits]

    def _said(self, texts: list[str]) -> list[Output]:
        import torch

        model, tokenizer = self.loaded
        with torch.inference_mode():
            inputs = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)
            self.tally.add(inputs["attention_mask"].sum(1).tolist(), ())
            shares = model(**inputs).logits.float().softmax(-1).tolist()
        names = [str(model.config.id2label[index]) for index in range(len(shares[0]))]
        return [self._output(dict(zip(names, row, strict=True))) for row in shares]

    def _output(self, by_label: Mapping[str, float]) -> Output:
        summed: dict[str, float] = dict.fromkeys(self.means.values(), 0.0)
        for label, share in by_label.items():
            summed[self.means[label]] += share
        return Output(text=json.dumps(by_label), probabilities=summed)


def meanings(
    labels: Sequence[str], format: Format, refused: Sequence[str], complied: Sequence[str], where: str
) -> dict[str, Meaning]:
    """What every label of a sequence classifier means.

    Args:
        labels: Its labels.
        format: With the usual names.
        refused: Labels that a recipe says are refusals.
        complied: Labels that it says are compliance, or harm.
        where: For errors.

    Raises:
        RecipeError: A label the model does not have, one whose meaning nobody says, or but one meaning.
    """
    known = {**dict.fromkeys(refused, "refused"), **dict.fromkeys(complied, "complied")}
    for key, names in (("refused", refused), ("complied", complied)):
        for name in names:
            if name not in labels:
                raise mistake(f"{where}.{key}", name, ", ".join(labels), known=labels)
    usual = (format.classes or {}).items()
    found: dict[str, Any] = {
        label: known.get(label) or dict(usual).get(label.strip().lower().replace("-", "_").replace(" ", "_"))
        for label in labels
    }
    if known and "scored" in dict(usual).values():
        found = {label: meaning or "scored" for label, meaning in found.items()}
    if unclear := [label for label, meaning in found.items() if meaning is None]:
        said = "name every label of the model under `refused` or `complied`"
        raise RecipeError(f"{where}: nobody says what the label {unclear[0]!r} means; {said}")
    if len(set(found.values())) < 2:
        raise RecipeError(f"{where}: all labels of the model mean the same: {', '.join(labels)}")
    return found


def _room(model: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens a model reads at most."""
    own: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = int(tokenizer.model_max_length)
    return longest if own is None else min(own, longest)
