"""States over a corpus, shard by shard on disk: memory is bounded and a stopped collection goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.shared_reading import read_states
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MANIFEST = "shards.jsonl"
SHARD = 256
"""Conversations a shard."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Labelled conversations as token ids.

    Attributes:
        prompts: Each ends with the assistant header.
        answers: Their answers.
        labels: 1 is harmful, 0 benign.
    """

    prompts: Sequence[Sequence[int]]
    answers: Sequence[Sequence[int]]
    labels: Sequence[int]

    @property
    def digest(self) -> str:
        """Of every token and label in order."""
        return _digest([list(map(list, self.prompts)), list(map(list, self.answers)), list(self.labels)])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read at which places.

    Attributes:
        span_ids: The Safety Tokens, the last one's state is read; none for the answer's own last token.
        depths: Numbers of answer tokens.
        layers: 0-based blocks.
        hook: The part of a block.
        batch_size: Conversations a pass.
    """

    span_ids: tuple[int, ...]
    depths: tuple[int, ...]
    layers: tuple[int, ...]
    hook: Hook = "input_norm"
    batch_size: int = 16


def collect(
    model: PreTrainedModel,
    weights_digest: str,
    corpus: Corpus,
    reading: Reading,
    folder: Path,
    advance: Callable[[int], None] = lambda count: None,
) -> States:
    """Reads the states of a corpus, or what is missing of them.

    Args:
        model: The model.
        weights_digest: Of its weights; shards of other weights, texts or places are not used.
        corpus: The conversations.
        reading: What is read.
        folder: Where shards go.
        advance: Told how many conversations are done.
    """
    stamp = _digest([weights_digest, corpus.digest, repr(reading)])
    known = {line["shard"]: line["file"] for line in _lines(folder / MANIFEST) if line["stamp"] == stamp}
    files = []
    for number, start in enumerate(range(0, len(corpus), SHARD)):
        stop = min(start + SHARD, len(corpus))
        if number not in known or not (folder / known[number]).is_file():
            known[number] = _shard(
                model, corpus, reading, range(start, stop), folder, f"{stamp}-{number:05d}"
            )
            _note(folder / MANIFEST, {"stamp": stamp, "shard": number, "file": known[number]})
        files.append(folder / known[number])
        advance(stop - start)
    return States(files=tuple(files), reading=reading, labels=tuple(corpus.labels))


@dataclass(frozen=True, kw_only=True)
class States:
    """States on disk.

    Attributes:
        files: Shards in order, each with a `[conversations, depths, hidden]` tensor for every layer.
        reading: What was read.
        labels: One a conversation.
    """

    files: tuple[Path, ...]
    reading: Reading
    labels: tuple[int, ...]

    def of_layer(self, layer: int) -> torch.Tensor:
        """One layer's states, `[conversations, depths, hidden]`; NaN where a depth is not measurable."""
        from safetensors import safe_open

        parts = []
        for file in self.files:
            with safe_open(file, framework="pt") as shard:
                parts.append(shard.get_tensor(f"layer_{layer}"))
        return torch.cat(parts)

    def rows(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's measurable states `[rows, hidden]` and their labels; every depth is a row."""
        states = self.of_layer(layer)
        labels = torch.tensor(self.labels)[:, None].expand(states.shape[:2])
        measurable = ~states.isnan().any(-1)
        return states[measurable], labels[measurable]


def _shard(
    model: PreTrainedModel, corpus: Corpus, reading: Reading, rows: range, folder: Path, name: str
) -> str:
    from safetensors.torch import save_file

    parts = []
    for start in range(rows.start, rows.stop, reading.batch_size):
        part = slice(start, min(start + reading.batch_size, rows.stop))
        states = read_states(
            model, corpus.prompts[part], corpus.answers[part], reading.span_ids, reading.depths,
            reading.layers, reading.hook,
        )  # fmt: skip
        parts.append(states.cpu())
    whole = torch.cat(parts, 1)
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}.safetensors"
    tensors = {f"layer_{layer}": whole[index].contiguous() for index, layer in enumerate(reading.layers)}
    save_file(tensors, folder / f"{file}.part")
    (folder / f"{file}.part").replace(folder / file)
    return file


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; one cut short by a kill is left out."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
            yield json.loads(line)


def _note(file: Path, line: dict[str, Any]) -> None:
    """Adds a line; the file is replaced as a whole, so a kill leaves no half of one."""
    beside = file.with_suffix(".part")
    beside.write_text("".join(json.dumps(each) + "\n" for each in (*_lines(file), line)), encoding="utf-8")
    beside.replace(file)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
