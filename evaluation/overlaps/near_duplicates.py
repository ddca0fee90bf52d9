"""Texts that are nearly the same: nearly the same four characters in a row, or one holds the other.

Nearly the same are two texts whose sets of four characters in a row have a Jaccard similarity of at least
0.55: one word of eight letters may differ in forty characters, wherever it stands. A Chinese or Japanese
character counts as a word. Pairs are found exactly, none missed: sets that similar share several of their
rarest elements (the prefix filter of Chaudhuri et al., 2006, with more than one: Wang et al., 2012), so only
those are compared.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 0.55
HELD = 20
"""The fewest characters of a text that another can hold; shorter ones stand in anything."""
SHARED = 8
"""So many of the rarest must be shared; any number gives the same pairs, this one the fastest."""
LOOKED = 4
"""So many of the rarest of a text must stand in what holds it; any number gives the same pairs."""
BAND = 1.2
"""Texts are compared band by band of sizes, each up to so many times its least; any number gives the same."""
AT_ONCE, PAIRS = 1024, 50_000
"""Texts whose candidates are looked for at once, and candidates compared at once: what memory holds."""
SLACK = 1e-9
"""For rounding."""

LENGTH = 4
CHARACTERS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and Han, written without blanks."""
WORD = re.compile(rf"[{CHARACTERS}]|[^\W{CHARACTERS}]+")

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Near = Callable[[Numbers, Numbers], Flags]


@dataclass(frozen=True, kw_only=True)
class Grams:
    """Texts as sets of four characters in a row.

    Attributes:
        texts: The texts as they are compared.
        ranks: Every text's grams one after the other, the rarest anywhere first, and least.
        starts: Where each text's begin, and the end of all.
        kinds: How many there are anywhere.
    """

    texts: Sequence[str]
    ranks: Numbers
    starts: Numbers
    kinds: int

    @cached_property
    def sizes(self) -> Numbers:
        """How many each text has."""
        return np.diff(self.starts)

    def rarest(self, rows: Numbers, counts: Numbers) -> Any:
        """A sparse matrix, the named texts x grams, of so many of the rarest of each."""
        from scipy.sparse import csr_matrix

        kept = np.clip(counts, 0, self.sizes[rows])
        ends = np.append(0, np.cumsum(kept))
        places = np.repeat(self.starts[rows] - ends[:-1], kept) + np.arange(ends[-1])
        made = (np.ones(ends[-1], np.int32), self.ranks[places], ends)
        return csr_matrix(made, shape=(len(rows), self.kinds))

    def bands(self) -> list[Numbers]:
        """Texts of like sizes together, so many at once; those without a gram are in none."""
        of = np.floor(np.log(np.maximum(self.sizes, 1)) / math.log(BAND))
        of[self.sizes == 0] = -1
        whole = [np.flatnonzero(of == band) for band in np.unique(of[of >= 0])]
        return [rows[start : start + AT_ONCE] for rows in whole for start in range(0, len(rows), AT_ONCE)]


def grams(*lists: Sequence[str]) -> list[Grams]:
    """Lists of texts as sets, their elements ranked over all of them."""
    compared = [[plain(text) for text in texts] for texts in lists]
    owners, codes = _codes([text for texts in compared for text in texts])
    kinds, counts = np.unique(codes, return_counts=True)
    rank = np.argsort(np.argsort(counts, kind="stable"))
    keys = np.sort(owners * len(kinds) + rank[np.searchsorted(kinds, codes)])
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    made, first = [], 0
    for texts in compared:
        bounds = np.arange(first, first + len(texts) + 1) * len(kinds)
        starts = np.searchsorted(keys, bounds)
        own = keys[starts[0] : starts[-1]] % max(len(kinds), 1)
        made.append(Grams(texts=texts, ranks=own, starts=starts - starts[0], kinds=len(kinds)))
        first += len(texts)
    return made


def plain(text: str) -> str:
    """Its words with one blank between two and one at either end; case, width and punctuation left out."""
    return f" {' '.join(WORD.findall(unicodedata.normalize('NFKC', text).casefold()))} "


def near_duplicates(known: Grams, asked: Grams, *, least: float = LEAST) -> dict[int, int]:
    """For each asked text that is near to a known one, its number and that of the first such.

    Args:
        known: Texts.
        asked: Others, ranked with them.
        least: The smallest Jaccard similarity that counts, above 0 and up to 1.
    """
    first = np.full(len(asked.texts), len(known.texts))
    similar = partial(_are_similar, known, asked, least)
    for rows, columns in _like(known, asked, least):
        _keep_first(first, rows, columns, similar)
    for rows, columns in _within(known, asked):
        _keep_first(first, rows, columns, lambda rows, columns: _holds(known, asked, rows, columns))
    for columns, rows in _within(asked, known):
        _keep_first(first, rows, columns, lambda rows, columns: _holds(asked, known, columns, rows))
    return {n: int(first[n]) for n in np.flatnonzero(first < len(known.texts)).tolist()}


def _keep_first(first: Numbers, rows: Numbers, columns: Numbers, near: Near) -> None:
    """Lowers each column's number to the least row that is near to it; none above it is looked at."""
    order = np.argsort(rows, kind="stable")
    for start in range(0, len(order), PAIRS):
        part = order[start : start + PAIRS]
        part = part[rows[part] < first[columns[part]]]
        found = part[near(rows[part], columns[part])]
        np.minimum.at(first, columns[found], rows[found])


def _codes(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Of every four characters in a row the number of their text, and one number for the four."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    alphabet = np.unique(points)
    letters = np.searchsorted(alphabet, points).astype(np.int64)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    count = max(len(points) - LENGTH + 1, 0)
    codes = np.zeros(count, np.int64)
    for place in range(LENGTH):
        codes = codes * len(alphabet) + letters[place : place + count]
    inside = owners[:count] == owners[LENGTH - 1 :]
    return owners[:count][inside], codes[inside]


def _like(known: Grams, asked: Grams, least: float) -> Iterator[tuple[Numbers, Numbers]]:
    """All pairs that may be as similar as `least`, from every two bands that can hold one."""
    for one, other in product(known.bands(), asked.bands()):
        m, n = known.sizes[one], asked.sizes[other]
        if min(m.max() / n.min(), n.max() / m.min()) >= least:
            yield _candidates(known, asked, one, other, least)


def _candidates(
    known: Grams, asked: Grams, one: Numbers, other: Numbers, least: float
) -> tuple[Numbers, Numbers]:
    """Pairs of two bands that share enough of their rarest grams to be similar.

    Two sets of m and n elements that are similar share at least k = (m + n) least / (1 + least). So the r
    rarest that the two share are among the m - k + r rarest of the first and the n - k + r rarest of the
    second; where they share fewer than r, these are all.
    """
    m, n, share = known.sizes[one], asked.sizes[other], least / (1 + least)
    left = known.rarest(one, m - np.ceil(share * (m + n.min()) - SLACK).astype(np.int64) + SHARED)
    right = asked.rarest(other, n - np.ceil(share * (n + m.min()) - SLACK).astype(np.int64) + SHARED)
    found = (left @ right.T.tocsr()).tocoo()
    fits = found.data >= np.minimum(SHARED, share * (m[found.row] + n[found.col]) - SLACK)
    return one[found.row[fits]], other[found.col[fits]]


def _are_similar(known: Grams, asked: Grams, least: float, rows: Numbers, columns: Numbers) -> Flags:
    m, n = known.sizes[rows], asked.sizes[columns]
    shared = known.rarest(rows, m).multiply(asked.rarest(columns, n)).sum(axis=1)
    both = np.asarray(shared, np.int64).ravel()
    return both >= least * (m + n - both) - SLACK


def _within(short: Grams, long: Grams) -> Iterator[tuple[Numbers, Numbers]]:
    """All pairs of a text and another that may hold it: the rarest of the one are all in the other."""
    every = long.rarest(np.arange(len(long.texts)), long.sizes).T.tocsr()
    able = np.array([n for n, text in enumerate(short.texts) if len(text) - 2 >= HELD], np.int64)
    for start in range(0, len(able), AT_ONCE):
        rows = able[start : start + AT_ONCE]
        looked = np.minimum(LOOKED, short.sizes[rows])
        found = (short.rarest(rows, looked) @ every).tocoo()
        whole = found.data == looked[found.row]
        yield rows[found.row[whole]], found.col[whole].astype(np.int64)


def _holds(short: Grams, long: Grams, rows: Numbers, columns: Numbers) -> Flags:
    """Whether all words of the one stand in a row in the other."""
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return np.array([short.texts[row] in long.texts[column] for row, column in pairs], bool)
