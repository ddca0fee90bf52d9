"""The sentences a text says in its own voice: code, quotations, lists, letters and dialogues are left out."""

from __future__ import annotations

import re

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_QUOTED = re.compile(
    r"\u201c[^\u201d]*(?:\u201d|\Z)|(?<!\w)\"[^\"]*(?:\"(?!\w)|\Z)|\u2018[^\u2018\u2019]*\u2019(?!\w)"
)
_WHOLE = re.compile(r"[\"\u201c]([^\"\u201c\u201d]*)[\"\u201d]?")
_LETTER = re.compile(r"^[^\w\n]*(?:dear [^\n,.]{1,40},?[ \t]*$|subject:).*", re.I | re.M | re.S)
_INTRODUCED = re.compile(
    r"(?<=\w )(?:answer|reply|respond|say|saying|write|phrase|template|example|script)\b[^.?!\n]*:\s.*$",
    re.I | re.M,
)
_LIST_LINE = re.compile(r"^ *(?:\d+[.)]|[-*\u2022+])\s.*$", re.M)
_ITSELF = r"(?:ai|answer|assistant|bot|model|note|response)"
_NAME = r"[^\W\u4e00-\u9fff]+"
_SPOKEN_LINE = re.compile(rf"^[^\w\n]*(?!{_ITSELF}\b){_NAME}(?: {_NAME})?:\W.*$", re.I | re.M)
_SAID_IN_CHINESE = re.compile("(?<!\u6211)(?:\u8bf4|\u56de\u7b54)(?:\u9053)?[:,] ?[^.!?\n]*")
"""What somebody else says, up to the sentence's end."""
_MARKUP = re.compile(r"[*_#>]+")
_FULL_WIDTH = str.maketrans({
    "\u3002": ". ", "\uff01": "! ", "\uff1f": "? ", "\uff0c": ", ", "\u3001": ", ", "\uff1a": ": ",
    "\uff1b": "; ",
})  # fmt: skip
_END = re.compile(r"(?<=[.!?])\s+|\n+")


def own_sentences(text: str) -> list[str]:
    """A text's own sentences, normalised; East Asian punctuation as its Latin counterpart.

    Quotation marks around the whole count as none. Two or more lines that begin with a speaker's name are a
    dialogue.
    """
    text = text.translate(_FULL_WIDTH)
    text = re.sub(r"\n\s+", "\n", re.sub(r"[^\S\n]+", " ", text)).strip()
    whole = _WHOLE.fullmatch(text)
    own = _QUOTED.sub(" quoted ", _CODE.sub(" ", whole[1] if whole else text))
    for part in (_LETTER, _INTRODUCED, _LIST_LINE, _SAID_IN_CHINESE):
        own = part.sub(" ", own)
    if len(_SPOKEN_LINE.findall(own)) > 1:
        own = _SPOKEN_LINE.sub(" ", own)
    joined = re.sub(r" (?=[.!?](?:\s|\Z))", "", own)
    return [each for part in _END.split(joined) if re.search(r"\w", each := normalized(part))]


def normalized(text: str) -> str:
    """Lower case, straight apostrophes, single spaces, none before punctuation, no markup."""
    plain = _MARKUP.sub("", text.lower().replace("\u2019", "'").replace("\u02bc", "'"))
    return re.sub(r"\s+(?=[,.;:!?])", "", " ".join(plain.split()))
