# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""Long texts written by people: read, cleaned, and brought into a band of lengths.

A place is "embedded" (the slice that ships with Palate), a file of JSON lines (.jsonl, .gz or not) or of Parquet
(.parquet) with columns `text` and, where there, `source`, `title`, `type`, a .txt file, or a folder of .txt files. Each
.txt file is a source; a book is cut at its chapters. Cleaning follows the released code of Suri (Pham et al., Findings
of EMNLP 2024) as far as prose asks for it: front matter before the first chapter, bibliographies, a trailing half
sentence.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from palate.errors import DataError, PlanError, listing
from palate.text.prose import BLANK_LINES, cut, length, sentence_ends

EMBEDDED = "embedded"
WORDS = (2048, 5024)
"""Suri's responses have so many words"""
LONGEST_LINE = 64 * 2**20
"""bytes of one JSON line at most"""

_AT_ONCE = 500
"""rows of a Parquet file in memory at a time: texts are long"""
_SPACES = re.compile(r"[^\S\n\u200a]")
_GONE = re.compile(r"[\u200a\u200b\u2060\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENDS = re.compile(r"[.!?…。！？][)\]”’\"'»」』]*\Z|[”\"»」』]\Z")
_HEADING = re.compile(
    r"^[^\S\n]*chapter[^\S\n]+(?P<number>[ivxlc]+|[0-9]+|[a-z]+)\b(?P<rest>[^\n]{0,80})$",
    re.IGNORECASE | re.MULTILINE,
)
_SPELT = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMERAL = re.compile(r"(?:part|section)?\s*(?:[ivxlc]+|[0-9]+)\.?", re.IGNORECASE)
_GUTENBERG = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*$", re.MULTILINE)
_BOOK = 20_000
"""words from which a text without chapters counts as a book with front matter"""


@dataclass(frozen=True)
class Document:
    """A text, whose it is (`source`: an author's book, a file) and what it is called. Splits keep sources together."""

    source: str
    title: str
    text: str
    type: str = "prose"

    @property
    def id(self) -> str:
        """The source, and a digest of the text: the same text has the same id in every set."""
        return f"{self.source}/{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    @property
    def chapter(self) -> str:
        """What the text is a piece of: pieces of one chapter are alike, so they count as one where luck is weighed."""
        return chapter_of(self.source, self.title) or self.id


def chapter_of(source: str, title: str) -> str:
    """Return the name of a chapter among all sources; empty where the text has no title."""
    return f"{source}/{title}" if title else ""


@dataclass(frozen=True)
class Corpus:
    """Texts in the band, how many were cut to it, and how many were left out, by reason."""

    documents: tuple[Document, ...]
    cut: int
    left_out: dict[str, int]


def documents(
    place: str | Path = EMBEDDED, *, words: tuple[int, int] = WORDS, pieces: int = 1, limit: int | None = None
) -> Corpus:
    """Return the texts of a place that have `words[0]` to `words[1]` words, counted between white space.

    A longer text is cut at the last sentence in the band; `pieces` above 1 takes more of it, one after another, and a
    text without a title is then called by its number, so that its pieces are known as those of one text. `limit` ends
    the reading after so many texts. Raises DataError for a place that cannot be read, with the line, and where no text
    is left; PlanError for a wrong parameter. Linear; 4 MB of packed texts take about 2 s.
    """
    low, high = words
    if not 0 < low <= high or pieces < 1 or (limit is not None and limit < 1):
        raise PlanError(
            f"words from {low} to {high}, {pieces} pieces, limit {limit}: give two numbers above 0, the smaller first, "
            "and at least one piece and one text."
        )
    found: list[Document] = []
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    shortened = 0
    for number, raw in enumerate(texts(place), start=1):
        text = raw.text if length(raw.text) < low else clean(raw.text, title=raw.title)  # it gets no longer
        reason = _refused(text, low)
        rest = "" if reason else text
        title = raw.title or (f"text {number}" if pieces > 1 else "")
        for piece in range(pieces):
            if reason or (piece and length(rest) < low):
                break
            part = cut(rest, high)
            again = hashlib.sha256(part.encode()).hexdigest()
            if length(part) < low:
                reason = "" if piece else f"no sentence ends at {low:,} to {high:,} words"
            elif again in seen:
                reason = "" if piece else "the same text twice"
            else:
                shortened += len(part) < len(rest)
                seen.add(again)
                found.append(Document(raw.source, title, part, raw.type))
            rest = rest[len(part) :].lstrip() if part else ""
        left_out.update([reason] if reason else [])
        if limit is not None and len(found) >= limit:
            break
    if not found:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DataError(
            f"{place} has no text of {low:,} to {high:,} words ({why or 'it is empty'}). Give other texts, or another "
            "band of words."
        )
    return Corpus(tuple(found[:limit]), shortened, dict(sorted(left_out.items())))


def _refused(text: str, low: int) -> str:
    if not text:
        return "empty"
    if length(text) < low:
        return f"under {low:,} words"
    lowered = text.lower()
    cited = lowered.count("see also") + len(re.findall(r"\bibid\b", lowered))
    return "bibliography" if cited >= 5 and 1000 * cited > length(text) else ""


def texts(place: str | Path = EMBEDDED) -> Iterator[Document]:
    """Yield the texts of a place as they stand there, books cut at their chapters. Raises DataError."""
    if str(place) == EMBEDDED:
        with resources.as_file(resources.files("palate.datasets") / "embedded" / "longform") as folder:
            for file in sorted(folder.glob("*.jsonl.gz")):
                yield from _json_texts(file)
        return
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".txt" and file.is_file())
        if not files:
            raise DataError(f"{path} has no .txt file. Give a folder of .txt files, or a file of JSON lines.")
        for file in files:
            yield from _book(file)
    elif path.suffix.lower() == ".txt":
        yield from _book(path)
    else:
        yield from _json_texts(path)


def _json_texts(path: Path) -> Iterator[Document]:
    stem = path.name.split(".")[0]
    for where, row in rows(path):
        if "text" not in row:
            raise DataError(
                f"{where}: no column 'text' among {listing(row) or 'none'}. Each row has a text, and where known "
                "source, title and type."
            )
        values = {"source": stem, "title": "", "type": "prose"} | {
            name: row[name] for name in ("text", "source", "title", "type") if row.get(name) is not None
        }
        for name, value in values.items():
            if not isinstance(value, str):
                raise DataError(f"{where}: {name} is {type(value).__name__}; a text was expected.")
        yield Document(**values)


def rows(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row stands ("a.jsonl, line 3"), and the row: of a .parquet file, else of JSON lines.

    Raises DataError for what cannot be read, see `json_rows`.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    else:
        yield from ((f"{path.name}, line {line}", row) for line, row in json_rows(path))


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import polars as pl

    try:
        table = pl.scan_parquet(path)
        for start in range(0, table.select(pl.len()).collect().item(), _AT_ONCE):
            part = table.slice(start, _AT_ONCE).collect()
            for number, row in enumerate(part.iter_rows(named=True), start=start + 1):
                yield f"{path.name}, row {number}", row
    except (OSError, pl.exceptions.PolarsError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path} cannot be read as Parquet ({first}). Fetch or write it again, or give JSON lines."
        ) from error


def json_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line's number, from 1, and the object on it; blank lines are passed over.

    Gzip is seen by its first bytes. Raises DataError, with the line, for what is no JSON object, not UTF-8, torn, or
    over LONGEST_LINE; NaN and Infinity are no JSON.
    """
    path = Path(path)
    with _opened(path) as file:
        number = 0
        while True:
            number += 1
            where = f"{path.name}, line {number}"
            try:
                line = file.readline(LONGEST_LINE + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise DataError(
                    f"{where}: the gzip file is torn ({error}). Fetch or write it again."
                ) from error
            if not line:
                return
            if len(line) > LONGEST_LINE:
                raise DataError(f"{where}: over {LONGEST_LINE >> 20} MiB. One text stands on one line.")
            if not line.strip():
                continue
            yield number, _object(line, where)


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse)
        if b"\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # half a surrogate could not be written again
    except UnicodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from error  # type: ignore[attr-defined]
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: no JSON ({error}). Each line is one object.") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: a JSON object was expected, this is {type(row).__name__}.")
    return row


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc]
            else:
                file.seek(0)
                yield file
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _book(path: Path) -> Iterator[Document]:
    """Yield a .txt file as its chapters or, where it has none, as one text."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    text = _unwrapped(_within(text.replace("\r\n", "\n").replace("\r", "\n")))
    found = list(chapters(text))
    for title, chapter in found:
        yield Document(path.stem, title, chapter, "book")
    if not found:
        yield Document(path.stem, path.stem, _without_front(text), "book")


def _within(text: str) -> str:
    """Return what stands between the marks that Project Gutenberg puts around a book, where they are there."""
    start, end = 0, len(text)
    for found in _GUTENBERG.finditer(text):
        if found[1] == "START":
            start = found.end()
        elif end == len(text):
            end = found.start()
    return text[start:end] if start < end else text


def _unwrapped(text: str) -> str:
    """Return the text with lines that were broken at a fixed width joined; short lines (verse, lists) stay."""
    paragraphs = []
    for paragraph in BLANK_LINES.split(text.strip()):
        lines = [line.strip() for line in paragraph.split("\n")]
        wide = sorted(map(len, lines[:-1]))[len(lines[:-1]) // 2] if len(lines) > 1 else 0
        paragraphs.append((" " if wide > 50 else "\n").join(lines))
    return "\n\n".join(paragraphs)


def chapters(text: str) -> Iterator[tuple[str, str]]:
    """Yield each chapter's heading and text, from the first heading "chapter 1" on that is no entry of a contents list.

    That is one with a heading "chapter 2" after it, at least 500 characters on. Numbers may be Roman or words.
    """
    headings = [(number, found) for found in _HEADING.finditer(text) if (number := _number(found["number"]))]
    starts = [
        place
        for place, ((one, first), (two, second)) in enumerate(pairwise(headings))
        if (one, two) == (1, 2) and second.start() - first.end() >= 500
    ]
    if not starts:
        return
    kept = [found for _, found in headings[starts[0] :]]
    ends = [found.start() for found in kept[1:]] + [len(text)]
    for found, end in zip(kept, ends, strict=True):
        yield found[0].strip(), text[found.end() : end].strip()


def _number(written: str) -> int:
    """Return the number of a chapter; 0 for a word that is none."""
    low = written.lower()
    if low.isdecimal() and len(low) < 5:
        return int(low)
    if low in _SPELT:
        return _SPELT.index(low) + 1
    value = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
    if not set(low) <= set(value):
        return 0
    digits = [value[letter] for letter in low]
    return sum(-one if one < two else one for one, two in zip(digits, [*digits[1:], 0], strict=True))


def _without_front(text: str) -> str:
    """Return a book without its first fiftieth and the short paragraphs after that; a shorter text as it is."""
    if length(text) < _BOOK:
        return text
    kept = BLANK_LINES.split(text[len(text) // 50 :])[1:]
    first = next((place for place, paragraph in enumerate(kept) if length(paragraph) >= 20), 0)
    return "\n\n".join(kept[first:])


def clean(text: str, *, title: str = "") -> str:
    """Return a text with ordinary spaces, without its title and first number, and without a half sentence at its end.

    A half sentence is what stands after the last full stop; 30 words or more of it are kept.
    """
    plain = unicodedata.normalize("NFC", _SPACES.sub(" ", _GONE.sub("", text.replace("\r\n", "\n"))))
    paragraphs = [part for part in map(str.strip, BLANK_LINES.split(plain)) if part]
    if paragraphs and title and _letters(paragraphs[0]) == _letters(title):
        del paragraphs[0]
    if paragraphs and _NUMERAL.fullmatch(paragraphs[0]):
        del paragraphs[0]
    while paragraphs and not _ENDS.search(paragraphs[-1]):
        last = paragraphs.pop()
        whole = last[: _last_end(last)].rstrip()
        if length(last[len(whole) :]) >= 30:
            return "\n\n".join([*paragraphs, last])
        paragraphs += [whole] if whole else []
    return "\n\n".join(paragraphs)


def _last_end(paragraph: str) -> int:
    """Return where the last whole sentence of a paragraph that ends in half a one ends; 0 where it has none."""
    return ([0, *sentence_ends(paragraph)])[-2]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def sources(found: Iterable[Document]) -> dict[str, int]:
    """Return how many texts each source has, by name."""
    return dict(sorted(Counter(one.source for one in found).items()))
