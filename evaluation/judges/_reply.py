"""The reply in a text of a model that reasons first, as its family marks it.

Nobody need say which model wrote a text: each family's marks are unmistakable in any.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reasoning:
    """How a family marks its reasoning.

    Attributes:
        families: Who writes so.
        opens: Begins a text in which reasoning comes first.
        closes: Stands before the reply. A prompt may have opened the reasoning, so it may stand alone.
    """

    families: str
    opens: re.Pattern[str]
    closes: re.Pattern[str]


REASONING = (
    Reasoning(
        families="DeepSeek-R1, Qwen3, GLM, SmolLM3",
        opens=re.compile(r"\s*<think(?:ing)?>", re.I), closes=re.compile(r"</think(?:ing)?>", re.I),
    ),
    Reasoning(
        families="Magistral, Ministral 3",
        opens=re.compile(r"\s*\[THINK\]"), closes=re.compile(r"\[/THINK\]"),
    ),
    Reasoning(
        families="gpt-oss",
        opens=re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)"),
        closes=re.compile(r"<\|channel\|>final<\|message\|>"),
    ),
    Reasoning(
        families="gpt-oss, its special tokens left out", opens=re.compile(r"\s*analysis(?=[A-Z])"),
        closes=re.compile(r"(?<=[^\w\s])\s*assistantfinal(?=\S)"),
    ),
)  # fmt: skip


def reply(text: str) -> str | None:
    """What follows the reasoning; the whole text where there is none, None where it never ended."""
    for each in REASONING:
        closed = list(each.closes.finditer(text))
        if closed:
            return text[closed[-1].end() :]
        if each.opens.match(text):
            return None
    return text
