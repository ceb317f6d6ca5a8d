"""An example, its file, its splits, and the parts of it that ranking asks about."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from palate.atomic import whole
from palate.errors import DataError, PlanError, SplitError, listing
from palate.text.constraints.kind import Constraint, dice
from palate.text.constraints.pairing import Contrast
from palate.text.corpus import Document, chapter_of, rows
from palate.text.prose import length

COLUMNS = (
    "id", "type", "main_ins", "cons_chosen", "cons_rejected", "prompt_chosen", "prompt_rejected", "answer", "messages",
)  # fmt: skip
"""the columns that Suri publishes"""
SPECIFICITIES = ("M,M", "M,M/2", "M,1", "M/2,M/2", "1,1")
"""constraints shown, and constraints corrupted among them"""
PARTS: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
"""parts of a set, and their shares of the examples"""

_TYPED = ("kind", "scope", "type", "slots", "text")
_BULLET = "- "
_BOOKS3 = "b3"
_SHORTEST = 200
"""words that a text of the published set has in any case: it has ten times as many"""
_LEADING_BULLET = re.compile(r"^\s*(?:[-*•]|[0-9]{1,2}[.)])\s+")


class HasSource(Protocol):
    """A document or an example."""

    @property
    def source(self) -> str:
        """Whose text it is."""


S = TypeVar("S", bound=HasSource)


@dataclass(frozen=True)
class Example:
    """A text with the instruction it follows (x_w) and the same one corrupted (x_l).

    A row of the published set has untyped constraints: kind, scope and type are empty, and nothing proves them.
    """

    id: str
    type: str
    source: str
    goal: str
    contrasts: tuple[Contrast, ...]
    answer: str
    title: str = ""
    """of the chapter or story that the text is of, where known"""

    @staticmethod
    def of(document: Document, *, goal: str, contrasts: Sequence[Contrast]) -> Example:
        """Return the example of a document."""
        made = tuple(contrasts)
        return Example(document.id, document.type, document.source, goal, made, document.text, document.title)

    @property
    def chapter(self) -> str:
        """What the text is a piece of, see `Document.chapter`."""
        return chapter_of(self.source, self.title) or self.id

    @property
    def chosen(self) -> str:
        """The instruction that the text follows, x_w."""
        return prompt(self.goal, [one.chosen.text for one in self.contrasts])

    @property
    def rejected(self) -> str:
        """The corrupted instruction, x_l."""
        return prompt(self.goal, [one.rejected.text for one in self.contrasts])

    def row(self) -> dict[str, Any]:
        """Return the published columns, the typed constraints, the source and the title."""
        answer = {"role": "assistant", "content": self.answer}
        asked, corrupted = ({"role": "user", "content": text} for text in (self.chosen, self.rejected))
        return {
            "id": self.id,
            "type": self.type,
            "main_ins": self.goal,
            "cons_chosen": _bullets(one.chosen.text for one in self.contrasts),
            "cons_rejected": _bullets(one.rejected.text for one in self.contrasts),
            "prompt_chosen": [asked],
            "prompt_rejected": [corrupted],
            "answer": [answer],
            "messages": [asked, answer],
            "constraints": [
                {name: getattr(one.chosen, name) for name in _TYPED}
                | {"slots_rejected": one.rejected.slots, "text_rejected": one.rejected.text, "link": one.link}
                for one in self.contrasts
            ],
            "source": self.source,
            "title": self.title,
        }


def prompt(goal: str, constraints: Iterable[str]) -> str:
    """Return an instruction: the main goal, and each constraint as a bullet on a line of its own."""
    bullets = _bullets(constraints)
    return f"{goal}\n{bullets}" if bullets else goal


def _bullets(constraints: Iterable[str]) -> str:
    return "\n".join(f"{_BULLET}{text}" for text in constraints)


# --- parts of an example ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompts:
    """Two instructions that differ in some constraints, and which of the example's contrasts they show and corrupt."""

    chosen: str
    rejected: str
    shown: tuple[int, ...]
    corrupted: tuple[int, ...]


def specificity(name: str, constraints: int) -> tuple[int, int]:
    """Return how many constraints are shown, and corrupted, under a specificity, of an example that has so many.

    >>> specificity("M,M/2", 11)
    (11, 5)
    """
    if name not in SPECIFICITIES:
        raise PlanError(f"specificity {name!r}: give one of {', '.join(SPECIFICITIES)}.")
    numbers = {"M": constraints, "M/2": max(1, constraints // 2), "1": 1}
    shown, corrupted = name.split(",")
    return numbers[shown], numbers[corrupted]


def subset(example: Example, shown: int, corrupted: int, *, seed: int = 0) -> Prompts:
    """Return instructions with `shown` of the constraints, `corrupted` of them changed in the rejected one.

    Drawn by the seed and the example's id; order is that of the example. Raises PlanError where it has too few.
    """
    total = len(example.contrasts)
    if not 1 <= corrupted <= shown <= total:
        raise PlanError(
            f"{shown} constraints shown and {corrupted} of them corrupted: {example.id} has {total}, and at least one "
            "must be corrupted."
        )
    rng = dice(f"{seed}/{example.id}")
    drawn = rng.sample(range(total), shown)
    wrong = frozenset(drawn[:corrupted])
    kept = [(number, example.contrasts[number]) for number in sorted(drawn)]
    return Prompts(
        prompt(example.goal, [one.chosen.text for _, one in kept]),
        prompt(
            example.goal, [(one.rejected if number in wrong else one.chosen).text for number, one in kept]
        ),
        tuple(sorted(drawn)),
        tuple(sorted(wrong)),
    )


# --- splits -------------------------------------------------------------------------------------------------


def split(
    members: Sequence[S], *, parts: Mapping[str, float] = PARTS, seed: int = 0
) -> dict[str, tuple[S, ...]]:
    """Return documents or examples in parts that share no source, as near to the shares as whole sources allow.

    The largest source goes where most is missing, and so on; sources of equal size are drawn. Raises SplitError where
    there are fewer sources than parts.
    """
    sizes: dict[str, int] = {}
    for one in members:
        sizes[one.source] = sizes.get(one.source, 0) + 1
    if len(sizes) < len(parts) or not parts or min(parts.values()) <= 0:
        raise SplitError(
            f"{len(parts)} parts of {listing(sizes)}: each part needs a share above 0 and a source of its own. Give "
            "more sources, or fewer parts."
        )
    names = dice(seed).sample(sorted(sizes), len(sizes))
    missing = {part: share * len(members) / sum(parts.values()) for part, share in parts.items()}
    home: dict[str, str] = {}
    for place, name in enumerate(sorted(names, key=lambda name: -sizes[name])):
        empty = [part for part in parts if part not in home.values()]
        must = empty if len(sizes) - place <= len(empty) else list(parts)
        part = max(must, key=lambda part: missing[part])
        home[name] = part
        missing[part] -= sizes[name]
    return {part: tuple(one for one in members if home[one.source] == part) for part in parts}


# --- files --------------------------------------------------------------------------------------------------


def write(examples: Iterable[Example], path: str | Path) -> Path:
    """Write examples as JSON lines (gzip where the name ends in .gz), whole or not at all; the same bytes each time."""
    path = Path(path)
    data = "".join(f"{json.dumps(one.row(), ensure_ascii=False)}\n" for one in examples).encode()
    with whole(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def read(path: str | Path) -> list[Example]:
    """Return the examples of a file of JSON lines or Parquet: Palate's own, or with the columns that Suri publishes.

    Raises DataError, with the line or row, for a torn or foreign row, for columns that contradict one another, for
    one whose two instructions are the same, and for one whose text was left out of what was published.
    """
    examples = [_example(row, where) for where, row in rows(path)]
    if not examples:
        raise DataError(f"{Path(path).name} has no row. Make a set with `palate text build`.")
    return examples


def _example(row: Mapping[str, Any], where: str) -> Example:
    missing = [column for column in COLUMNS if column not in row and column != "messages"]
    if missing:
        raise DataError(
            f"{where}: no column {listing(missing)}. A row has {', '.join(COLUMNS)}; typed constraints are optional."
        )
    texts = {column: _text(row[column], column, where) for column in COLUMNS[:5]}
    _refuse_a_placeholder(row, where)
    asked, corrupted, answer = (
        _content(row[column], column, where) for column in ("prompt_chosen", "prompt_rejected", "answer")
    )
    typed = row.get("constraints")
    contrasts = (
        _untyped(texts["cons_chosen"], texts["cons_rejected"], where)
        if typed is None
        else _typed(typed, where)
    )
    source = _text(row.get("source", texts["id"]), "source", where)
    title = _text(row.get("title", ""), "title", where)
    example = Example(texts["id"], texts["type"], source, texts["main_ins"], contrasts, answer, title)
    if asked == corrupted:
        raise DataError(
            f"{where}: prompt_chosen and prompt_rejected are the same, so there is no preference to learn."
        )
    if not answer.strip():
        raise DataError(f"{where}: the answer is empty.")
    if typed is not None and (example.chosen, example.rejected) != (asked, corrupted):
        raise DataError(
            f"{where}: the prompts are not those of main_ins and constraints. Build the set again."
        )
    return example


def _refuse_a_placeholder(row: Mapping[str, Any], where: str) -> None:
    """Refuse a row of Books3: the published set has where it was taken from, and not the text."""
    if row["type"] != _BOOKS3:
        return
    try:
        words = length(_content(row["answer"], "answer", where))
    except DataError:
        words = 0
    if words < _SHORTEST:
        raise DataError(
            f"{where}: the answer has {words} words and the type is {_BOOKS3}: the published set leaves the texts of "
            f"its Books3 rows out, and what stands there is no text. Leave the rows of type {_BOOKS3} out."
        )


def _text(value: object, column: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where}: {column} is {type(value).__name__}; a text was expected.")
    return value


def _content(value: object, column: str, where: str) -> str:
    """Return the text of a message, or of a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("content")
    if not isinstance(value, str):
        raise DataError(
            f"{where}: {column} is no list of one message. Expected: [{{role: ..., content: a text}}]."
        )
    return value


def _untyped(right: str, wrong: str, where: str) -> tuple[Contrast, ...]:
    pairs = list(_lines(right)), list(_lines(wrong))
    if len(pairs[0]) != len(pairs[1]):
        raise DataError(
            f"{where}: {len(pairs[0])} constraints in cons_chosen and {len(pairs[1])} in cons_rejected; as many were "
            "expected."
        )
    return tuple(
        Contrast(Constraint("", "", "", {}, chosen), Constraint("", "", "", {}, rejected))
        for chosen, rejected in zip(*pairs, strict=True)
    )


def _lines(bullets: str) -> Iterator[str]:
    for line in bullets.splitlines():
        text = _LEADING_BULLET.sub("", line).strip()
        if text:
            yield text


def _typed(listed: object, where: str) -> tuple[Contrast, ...]:
    if not isinstance(listed, list) or not listed:
        raise DataError(f"{where}: constraints is no list with something in it.")
    return tuple(
        _contrast(row, f"{where}, constraint {number}") for number, row in enumerate(listed, start=1)
    )


def _contrast(row: object, where: str) -> Contrast:
    wanted = (*_TYPED, "slots_rejected", "text_rejected")
    if not isinstance(row, dict) or any(name not in row for name in wanted):
        raise DataError(f"{where}: expected an object with {', '.join(wanted)}.")
    for name in wanted:
        expected = dict if name.startswith("slots") else str
        if not isinstance(row[name], expected):
            raise DataError(f"{where}: {name} is {type(row[name]).__name__}, not {expected.__name__}.")
    kind, scope, type_ = row["kind"], row["scope"], row["type"]
    return Contrast(
        Constraint(kind, scope, type_, row["slots"], row["text"]),
        Constraint(kind, scope, type_, row["slots_rejected"], row["text_rejected"]),
        _text(row.get("link", ""), "link", where),
    )
