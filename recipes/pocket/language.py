"""The vocabulary of the embedded model's world.

All text is lower case, words are separated by one space, and every word is in `vocabulary()`.
"""

from __future__ import annotations

import re

from erosion.recipes.pocket import answers, requests, tasks, world
from erosion.recipes.pocket.words import constants


def vocabulary() -> tuple[str, ...]:
    """Every word of the language, sorted; what the tokenizer knows."""
    said = [text for module in (requests, answers, tasks) for text in constants(module)]
    for thing in world.things():
        said.extend((thing.name, *thing.materials, *thing.verbs))
    words = {word for text in said for word in re.sub(r"\{\w*\}", " ", text).split()}
    return tuple(sorted(words | {str(number) for number in range(answers.LONGEST + 1)}))
