"""Texts as impressions: somebody in a context chose one among alternatives, so the boards of news judge texts too.

    instructions     context: a text; alternatives: the instruction that it follows, and the same one corrupted
    continuations    context: a paragraph; alternatives: how the next one begins, and how others of the same text do

Readers are texts, so that intervals and tests resample texts; train and test share no source. Where the alternatives
stand is drawn, so that no order can tell which is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from palate.catalogue import Catalogue
from palate.datasets.newsdata import NewsDataset
from palate.errors import DataError
from palate.news import Impressions
from palate.text import suri
from palate.text.constraints.kind import dice
from palate.text.corpus import EMBEDDED, Document, documents, sources
from palate.text.prose import sentences

LICENCE = "public domain in the United States; Standard Ebooks editions, CC0 1.0"
_PARTS = {"train": 0.8, "test": 0.2}
Row = tuple[str, str, list[tuple[str, str, str]]]
"""reader (a text's id), the text that is its history, and alternatives of (id, name, text), the right one first"""


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
        constraints: that an example has; `draws` of them are asked, each in an impression of its own.
        limit: texts of each part, drawn.
        seed: of all that is drawn.

    Raises DataError where the corpus has too little.
    """
    parts, of = {}, {}
    for name, members in _divided(place, words, pieces, seed).items():
        of[name] = list(sources(members))
        examples = suri.build(members, seed=seed, constraints=constraints)
        parts[name] = [row for one in _drawn(examples, limit, seed) for row in _single(one, draws, seed)]
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
        readers = sorted({row[0] for row in rows})
        kept = set(
            readers if limit is None else dice(f"{seed}/{name}").sample(readers, min(limit, len(readers)))
        )
        parts[name] = [row for row in rows if row[0] in kept]
    return _dataset("continuations", place, parts, of, seed)


def _divided(place: str, words: tuple[int, int], pieces: int, seed: int) -> dict[str, tuple[Document, ...]]:
    return suri.split(documents(place, words=words, pieces=pieces).documents, parts=_PARTS, seed=seed)


def _drawn(examples: Sequence[suri.Example], limit: int | None, seed: int) -> Sequence[suri.Example]:
    if limit is None or limit >= len(examples):
        return examples
    return dice(seed).sample(list(examples), limit)


def _single(example: suri.Example, draws: int, seed: int) -> Iterator[Row]:
    places = dice(f"{seed}/{example.id}").sample(
        range(len(example.contrasts)), min(draws, len(example.contrasts))
    )
    for place in places:
        contrast = example.contrasts[place]
        sides = [
            (f"{example.id}#{place}{side}", one.text, suri.prompt(example.goal, [one.text]))
            for side, one in (("a", contrast.chosen), ("b", contrast.rejected))
        ]
        yield example.id, example.answer, sides


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
        yield f"{document.id}#{place}", paragraphs[place - 1], told


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
    for reader, text, sides in rows:
        items[reader] = f"{' '.join(text[:80].split())} …", text
        items |= {one: (shown, told) for one, shown, told in sides}
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
    for reader, _, sides in rows:
        order = dice(f"{seed}/{sides[0][0]}").sample(range(len(sides)), len(sides))
        columns["user"].append(reader)
        columns["history"].append([reader])
        columns["candidates"].append([sides[place][0] for place in order])
        columns["clicked"].append([place == 0 for place in order])
    return Impressions.from_table(columns)
