"""Texts to the words in them, and words to codes, in one array.

A word that a vocabulary lacks is left out of a text, as if it did not stand there: nothing was learned of it. Text is
read in lower case and in Unicode's composed form, so that the same letters are the same word.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.vocabulary import Codes, Vocabulary

Tokenizer = Literal["words", "characters", "bigrams", "spaces"]
"""How a text is cut:

words        runs of letters and digits, and . , ! ? ; | by themselves (as the MIND tutorials cut)
characters   each Chinese or Japanese character, and the words between them
bigrams      each two neighbours of such characters (one that stands alone stays), and the words between them
spaces       what stands between white space: for text that a segmenter has cut already
"""

_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"
_PATTERNS: dict[Tokenizer, str] = {
    "words": r"\w+|[.,!?;|]",
    "characters": rf"[{_CJK}]|[\w--[{_CJK}]]+",
    # what is no word parts neighbours, and goes when they are paired
    "bigrams": rf"[{_CJK}]|[\w--[{_CJK}]]+|\S",
    "spaces": r"\S+",
}


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as codes of words: text n is `word[indptr[n]:indptr[n + 1]]`."""

    words: Vocabulary
    indptr: NDArray[np.int64]
    """(texts + 1)"""
    word: Codes
    """(words of all texts) codes into `words`, in the order of the text"""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words of each text, (texts)."""
        return np.diff(self.indptr)


def cut(texts: pl.Series, tokenizer: Tokenizer = "words") -> pl.Series:
    """Return the words of each text as lists; of a missing text none."""
    plain = texts.fill_null("")
    if not bool(plain.str.contains(r"^[\x00-\x7f]*$").all()):
        plain = pl.Series([unicodedata.normalize("NFC", text) for text in plain], dtype=pl.String)
    found = plain.str.to_lowercase().str.extract_all(_PATTERNS[tokenizer])
    return _paired(found) if tokenizer == "bigrams" else found


def _paired(lists: pl.Series) -> pl.Series:
    """Return neighbours as pairs, and what is neither such a character nor a word left out."""
    each = pl.DataFrame({"text": np.arange(len(lists)), "one": lists}).explode("one").drop_nulls()
    each = each.with_columns(
        cjk=pl.col("one").str.contains(rf"^[{_CJK}]$"), word=pl.col("one").str.contains(r"^\w+$")
    )
    next_ = pl.col("one").shift(-1).over("text")
    goes_on = pl.col("cjk") & pl.col("cjk").shift(-1).over("text").fill_null(value=False)
    ends = pl.col("cjk") & pl.col("cjk").shift(1).over("text").fill_null(value=False) & ~goes_on
    pairs = (
        each.with_columns(made=pl.when(goes_on).then(pl.col("one") + next_).otherwise(pl.col("one")))
        .filter(~ends & pl.col("word"))
        .group_by("text", maintain_order=True)
        .agg("made")
    )
    whole = pl.DataFrame({"text": np.arange(len(lists))}).join(
        pairs, on="text", how="left", maintain_order="left"
    )
    return whole["made"].fill_null([])


def encode(
    texts: pl.Series, *, tokenizer: Tokenizer = "words", words: Vocabulary | None = None, min_count: int = 1
) -> Texts:
    """Return texts as codes, in a vocabulary or, where none is given, of the words that occur in `min_count` texts."""
    lists = cut(texts, tokenizer)
    lengths, each = lists.list.len().cast(pl.Int64).to_numpy(), lists.explode().drop_nulls().cast(pl.String)
    del lists  # a word as text is many times its code
    if words is None:
        words, code = Vocabulary.factorise(each)
        if min_count > 1:
            text = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
            often = np.bincount(np.unique(text * len(words) + code) % len(words)) >= min_count
            words, code = Vocabulary(words.ids.filter(often)), np.where(often, np.cumsum(often) - 1, -1)[code]
    else:
        code = words.encode(each)
    known = code >= 0
    before, kept = (np.concatenate([[0], np.cumsum(one)]) for one in (lengths, known))
    return Texts(words, kept[before].astype(np.int64), code[known].astype(np.int32))


def packed(words: Vocabulary) -> NDArray[np.uint8]:
    """Return words as one array, to be saved among others: UTF-8, each ended by a newline (which no word contains)."""
    return np.frombuffer("".join(f"{word}\n" for word in words.ids).encode(), np.uint8).copy()


def unpacked(array: NDArray[np.uint8]) -> Vocabulary:
    """Return the words that `packed` made an array of."""
    return Vocabulary(pl.Series("id", bytes(array).decode().split("\n")[:-1], dtype=pl.String))


def count(array: NDArray[np.uint8]) -> int:
    """Return how many words `packed` made an array of."""
    return int((array == ord("\n")).sum())
