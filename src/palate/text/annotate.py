"""People's labels: texts out to one plain page on this machine, labels back in, checked against the texts.

A judge is worth what its agreement with people is worth. The page asks one person for each constraint of each text
whether the text does it (Yes, Partially, No), where, and for a comment, as the labelling of Suri did (Pham, Sun and
Iyyer, 2024). It loads nothing and sends nothing: labels stay in the browser until they are downloaded as a file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from palate.atomic import whole
from palate.errors import DataError, PalateWarning, did_you_mean, listing

LABELS = ("Yes", "Partially", "No")
"""Does the text do it?"""
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Item:
    """A text, and what it was to do."""

    id: str
    text: str
    main: str
    constraints: tuple[str, ...]
    corrupted: tuple[str, ...] = ()
    """the constraints violated, where they are known: the other instruction of a pair"""

    @cached_property
    def key(self) -> str:
        """What labels know the item by: 16 digits that change with its text, its goal or its constraints."""
        content = json.dumps([self.id, self.text, self.main, self.constraints])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Label:
    """One person's word on one constraint of one item."""

    id: str
    constraint: int
    """its place, from 0"""
    label: str
    annotator: str
    quote: str = ""
    start: int | None = None
    """where the quote stands in the text, in characters"""
    end: int | None = None
    comment: str = ""
    item: str = ""
    """the item's key"""


def read_items(path: Path) -> list[Item]:
    """Read JSON lines of texts with their instruction: rows in Suri's schema, or generations.

    A row has `id`; `answer` or `text`; `main_ins`; `cons_chosen` (bullets, one a line) or `constraints` (a list of
    texts); and, for pairs, `cons_rejected`.

    Raises DataError, with the line, for a row that lacks one of them or an id that comes twice.
    """
    items: dict[str, Item] = {}
    empty: list[str] = []
    for where, row in _rows(path):
        text = row.get("text", row.get("answer"))
        if isinstance(text, list):  # a conversation of one message, as Suri has it
            text = text[-1].get("content") if text and isinstance(text[-1], dict) else None
        name, main = str(row.get("id", "")), row.get("main_ins")
        chosen = _constraints(row.get("cons_chosen", row.get("constraints")))
        if not name or not isinstance(text, str) or not isinstance(main, str) or not chosen:
            raise DataError(
                f"{where}: expected id, text (or answer), main_ins and constraints (or cons_chosen); it has"
                f" {', '.join(row) or 'nothing'}."
            )
        if not text.strip():
            empty.append(name)
            continue
        if name in items:
            raise DataError(
                f"{where}: the id '{name}' stands on an earlier line too. Give each text its own."
            )
        items[name] = Item(name, text, main, chosen, _constraints(row.get("cons_rejected")))
    if empty:
        warnings.warn(
            f"{path.name}: {len(empty):,} texts are empty and left out: there is nothing to judge ({listing(empty)}).",
            PalateWarning,
            stacklevel=2,
        )
    if not items:
        raise DataError(
            f"{path} has no rows{' with a text' if empty else ''}. Give a file of `palate text build` or `palate text "
            "generate`."
        )
    return list(items.values())


def export(items: Sequence[Item], path: Path, *, title: str = "Do these texts do what was asked?") -> None:
    """Write the page on which a person labels the items, one self-contained file.

    Raises DataError where there is nothing to label or the file cannot be written.
    """
    import jinja2
    from markupsafe import Markup

    if not items:
        raise DataError("there are no texts to label.")
    shown = [
        {"key": one.key, "id": one.id, "text": one.text, "main": one.main, "constraints": one.constraints}
        for one in items
    ]
    page = hashlib.sha256("".join(one.key for one in items).encode()).hexdigest()[:16]
    script, style = ((_TEMPLATES / f"annotate.{kind}").read_text("utf-8") for kind in ("js", "css"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    html = environment.get_template("annotate.html").render(
        title=title,
        data={"page": page, "labels": LABELS, "items": shown},
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup(style),  # noqa: S704 - our own file
        script_digest=_digest(script),
        style_digest=_digest(style),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        temporary.write_bytes(html.encode())


def read_labels(paths: Iterable[Path], items: Sequence[Item]) -> list[Label]:
    """Read the files that people downloaded; the same label twice is one.

    Raises DataError, with the line, for a label of no such item or constraint, of a text that has changed since, with
    a quote that does not stand where it should, or for two that contradict each other.
    """
    known = {one.id: one for one in items}
    labels: dict[tuple[str, str, int], tuple[Label, str]] = {}
    for path in paths:
        for where, row in _rows(path):
            label = _label(row, known, where)
            name = (label.annotator, label.id, label.constraint)
            before, there = labels.setdefault(name, (label, where))
            if before.label != label.label:
                raise DataError(
                    f"{where}: {label.annotator} says {label.label} of constraint {label.constraint} of '{label.id}',"
                    f" and {before.label} in {there}. Take one out."
                )
    return [label for label, _ in labels.values()]


def write_labels(labels: Iterable[Label], path: Path) -> None:
    """Write labels as JSON lines that `read_labels` reads. Raises DataError where the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in labels)


def majority(labels: Iterable[Label]) -> dict[tuple[str, int], str | None]:
    """Return what most people say of each (id, constraint); None where none has more voices than another."""
    votes: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for one in labels:
        votes[one.id, one.constraint][one.label] += 1
    said: dict[tuple[str, int], str | None] = {}
    for what, counts in votes.items():
        (first, most), *rest = counts.most_common()
        said[what] = None if rest and rest[0][1] == most else first
    return said


def _label(row: dict[str, Any], known: dict[str, Item], where: str) -> Label:
    try:
        label = Label(**row)
    except TypeError:
        raise DataError(f"{where}: no label of `palate text annotate`; it has {', '.join(row)}.") from None
    item = known.get(str(label.id))
    if item is None:
        raise DataError(f"{where}: there is no text '{label.id}'.{did_you_mean(str(label.id), known)}")
    if label.item != item.key:
        raise DataError(
            f"{where}: '{label.id}' has changed since it was labelled. Give the file that was exported."
        )
    place = label.constraint
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(item.constraints):
        raise DataError(
            f"{where}: '{label.id}' has constraints 0 to {len(item.constraints) - 1}, and none {place!r}."
        )
    if label.label not in LABELS:
        raise DataError(f"{where}: the label is {label.label!r}; expected one of {', '.join(LABELS)}.")
    if not isinstance(label.annotator, str) or not label.annotator.strip():
        raise DataError(f"{where}: nobody is named as annotator. Write a name into the line.")
    if not isinstance(label.quote, str) or not isinstance(label.comment, str):
        raise DataError(f"{where}: quote and comment must be texts.")
    ends = isinstance(label.start, int) and isinstance(label.end, int) and label.start >= 0
    if label.quote and not (ends and item.text[label.start : label.end] == label.quote):
        raise DataError(f"{where}: the quote does not stand at {label.start} to {label.end} of '{label.id}'.")
    return label


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where a row stands, and the row."""
    from palate.text.corpus import json_rows

    for line, row in json_rows(path):
        yield f"{path.name}, line {line}", row


def _constraints(given: object) -> tuple[str, ...]:
    """Return constraints, given as bullets, one a line, or as a list of texts."""
    if isinstance(given, str):
        lines = (line.strip() for line in given.split("\n"))
        return tuple(line.removeprefix("-").removeprefix("•").strip() for line in lines if line)
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return tuple(one.strip() for one in given if one.strip())
    return ()


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
