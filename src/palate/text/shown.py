"""Texts as impressions: somebody in a context chose one among alternatives, so the boards of news judge texts too.

    instructions     context: a text; alternatives: the instruction that it follows, and the same one corrupted
    continuations    context: a paragraph; alternatives: how the next one begins, and how others of the same text do

Readers are chapters, with all their pieces, so that intervals and tests resample chapters; train and test share no
source. Where the alternatives stand is drawn, so that no order can tell which is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from palate.catalogue import Catalogue
from palate.datasets.newsdata import NewsDataset
from palate.errors import DataError
from palate.news import Impressions
from palate.text import suri
from palate.text.constraints.kind import dice
from palate.text.constraints.pairing import drawn
from palate.text.corpus import EMBEDDED, Document, documents, sources
from palate.text.prose import sentences

LICENCE = "public domain in the United States; Standard Ebooks editions, CC0 1.0"
_PARTS = {"train": 0.8, "test": 0.2}


@dataclass(frozen=True)
class Row:
    """A text, and what is shown beside it."""

    reader: str
    """the chapter that the text is a piece of"""
    id: str
    """of the text"""
    text: str
    sides: list[tuple[str, str, str]]
    """alternatives of (id, name, text), the right one first"""


def instructions(
    place: str = EMBEDDED,
    *,
    words: tuple[int, int],
    pieces: int = 1,
    constraints: tuple[int, int] = (4, 10),
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
) -> NewsDataset:
    """Return texts with pairs of instructions that differ in one constraint, which alone is shown.

    Args:
        place: a corpus (`palate.text.corpus`).
        words, pieces: of a text, and texts taken of a longer one.
        constraints: that an example has; `draws` of them are asked, each in an impression of its own, and of what two
            texts exchanged both halves, so that no value wins more often than it loses.
        limit: texts of each part, drawn.
        seed: of all that is drawn.

    Raises DataError where the corpus has too little.
    """
    parts, of = {}, {}
    for name, members in _divided(place, words, pieces, seed).items():
        of[name] = list(sources(members))
        examples = suri.build(members, seed=seed, constraints=constraints)
        parts[name] = [
            _single(examples[number], place) for number, place in _drawn(examples, draws, limit, seed)
        ]
    return _dataset("longform", place, parts, of, seed)


def continuations(
    place: str = EMBEDDED,
    *,
    words: tuple[int, int],
    pieces: int = 1,
    alternatives: int = 5,
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
) -> NewsDataset:
    """Return paragraphs with the first sentence of the next one among those of other paragraphs of the same text.

    Parameters are those of `instructions`; `alternatives` is how many sentences are shown.
    """
    parts, of = {}, {}
    for name, members in _divided(place, words, pieces, seed).items():
        of[name] = list(sources(members))
        rows = [row for one in members for row in _next(one, alternatives, draws, seed)]
        some = len(rows) if limit is None else min(limit, len(rows))
        kept = set(dice(f"{seed}/{name}").sample(sorted(row.id for row in rows), some))
        parts[name] = [row for row in rows if row.id in kept]
    return _dataset("continuations", place, parts, of, seed)


def _divided(place: str, words: tuple[int, int], pieces: int, seed: int) -> dict[str, tuple[Document, ...]]:
    return suri.split(documents(place, words=words, pieces=pieces).documents, parts=_PARTS, seed=seed)


def _drawn(
    examples: Sequence[suri.Example], draws: int, limit: int | None, seed: int
) -> list[tuple[int, int]]:
    """Return constraints of up to `limit` texts, as (example, its place): of an exchange both halves, or neither."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for number, place in drawn([one.contrasts for one in examples], dice(seed), draws=draws):
        link = examples[number].contrasts[place].link
        groups.setdefault(link or f"{number}/{place}", []).append((number, place))
    kept: set[int] = set()
    for group in groups.values():
        texts = kept | {number for number, _ in group}
        if limit is None or len(texts) <= limit:
            kept = texts
    return [one for group in groups.values() if all(number in kept for number, _ in group) for one in group]


def _single(example: suri.Example, place: int) -> Row:
    contrast = example.contrasts[place]
    sides = [
        (f"{example.id}#{place}{side}", one.text, suri.prompt(example.goal, [one.text]))
        for side, one in (("a", contrast.chosen), ("b", contrast.rejected))
    ]
    return Row(example.chapter, example.id, example.answer, sides)


def _next(document: Document, alternatives: int, draws: int, seed: int) -> Iterator[Row]:
    paragraphs = [one for one in document.text.split("\n\n") if one.strip()]
    starts = [(sentences(one) or [one])[0] for one in paragraphs]
    rng = dice(f"{seed}/{document.id}")
    distinct = [place for place in range(1, len(starts)) if starts.index(starts[place]) == place]
    for place in rng.sample(distinct, min(draws, len(distinct))):
        others = [other for other in distinct if other not in (place, place - 1)]
        if len(others) < alternatives - 1:
            return
        sides = [place, *rng.sample(others, alternatives - 1)]
        told = [(f"{document.id}#{place}.{one}", starts[one], starts[one]) for one in sides]
        yield Row(document.chapter, f"{document.id}#{place}", paragraphs[place - 1], told)


def _dataset(
    name: str, place: str, parts: dict[str, list[Row]], of: dict[str, list[str]], seed: int
) -> NewsDataset:
    rows = [row for part in parts.values() for row in part]
    short = [part for part, mine in parts.items() if not mine]
    if short:
        raise DataError(
            f"{name}: no text is left to {' or to '.join(short)} with. Give other `words`, or fewer demands."
        )
    items: dict[str, tuple[str, str]] = {}
    for row in rows:
        items[row.id] = f"{' '.join(row.text[:80].split())} …", row.text
        items |= {one: (shown, told) for one, shown, told in row.sides}
    articles = Catalogue.from_table(
        {
            "item": list(items),
            "name": [one for one, _ in items.values()],
            "text": [one for _, one in items.values()],
        },
        name="name",
        text=["text"],
    )
    own = place == EMBEDDED
    return NewsDataset(
        name,
        articles,
        _impressions(parts["train"], seed),
        _impressions(parts["test"], seed),
        licence=LICENCE if own else "unknown: ask whoever gave you the texts",
        source="embedded" if own else place,
        notes=tuple(f"{part}: texts of {', '.join(authors)}." for part, authors in of.items()),
    )


def _impressions(rows: Sequence[Row], seed: int) -> Impressions:
    columns: dict[str, list[object]] = {"user": [], "history": [], "candidates": [], "clicked": []}
    for row in rows:
        order = dice(f"{seed}/{row.sides[0][0]}").sample(range(len(row.sides)), len(row.sides))
        columns["user"].append(row.reader)
        columns["history"].append([row.id])
        columns["candidates"].append([row.sides[place][0] for place in order])
        columns["clicked"].append([place == 0 for place in order])
    return Impressions.from_table(columns)
