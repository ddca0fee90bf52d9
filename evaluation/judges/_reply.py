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
        closes: Stands before the reply.
        alone: The same where the prompt had opened the reasoning; a mark that is spoken of is none.
    """

    families: str
    opens: re.Pattern[str]
    closes: re.Pattern[str]
    alone: re.Pattern[str] | None


REASONING = (
    Reasoning(
        families="DeepSeek-R1, Qwen3, GLM, SmolLM3", opens=re.compile(r"\s*<think(?:ing)?>", re.I),
        closes=re.compile(r"</think(?:ing)?>", re.I), alone=re.compile(r"^\s*</think(?:ing)?>", re.I | re.M),
    ),
    Reasoning(
        families="Magistral, Ministral 3", opens=re.compile(r"\s*\[THINK\]"),
        closes=re.compile(r"\[/THINK\]"), alone=re.compile(r"^\s*\[/THINK\]", re.M),
    ),
    Reasoning(
        families="gpt-oss",
        opens=re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)"),
        closes=re.compile(r"<\|channel\|>final<\|message\|>"),
        alone=re.compile(r"<\|channel\|>final<\|message\|>"),
    ),
    Reasoning(
        families="gpt-oss, its special tokens left out", opens=re.compile(r"\s*analysis(?=[A-Z])"),
        closes=re.compile(r"(?<=[^\w\s])\s*assistantfinal(?=\S)"), alone=None,
    ),
)  # fmt: skip


def reply(text: str) -> str | None:
    """What follows the reasoning; the whole text where there is none, None where it never ended.

    A mark that nothing opened and nothing follows is left over, and what stands before it is the reply.
    """
    for each in REASONING:
        if each.opens.match(text):
            closed = each.closes.search(text)
            return text[closed.end() :] if closed else None
        if each.alone is not None and (found := each.alone.search(text)):
            after = text[found.end() :]
            return after if re.search(r"\w", after) else text[: found.start()]
    return text
