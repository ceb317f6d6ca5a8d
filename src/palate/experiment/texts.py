"""Plans of texts: requests for contexts, texts for alternatives, on the board that judges impressions.

`[data] name` is `longform` (texts with right and corrupted instructions) or `continuations` (paragraphs with what comes
next); `corpus` is where the texts come from, the books that ship with Palate unless it says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from palate.errors import PlanError

if TYPE_CHECKING:
    from palate.datasets.newsdata import NewsDataset
    from palate.experiment.plan import DataPlan

NAMES = ("longform", "continuations")
KEYS = ("corpus", "words", "pieces", "constraints", "alternatives", "draws", "limit", "seed")
"""Of `[data]`, that no other plan has."""
WEAKNESS = (
    "A context is a text or a piece of one, and one of a few alternatives is right; the others were made by rule or "
    "drawn from other texts. So figures tell who knows which belong together, and not how well anything is written."
)
_WORDS = (2048, 5024)
_OF_ONE = {"longform": "constraints", "continuations": "alternatives"}


def is_texts(name: object) -> bool:
    """Return whether a data set's name is of texts."""
    return name in NAMES


def check(data: DataPlan, source: str) -> None:
    """Raise PlanError for keys of `[data]` that do not belong to what it names."""
    given = [key for key in KEYS if getattr(data, key) is not None]
    if given and not is_texts(data.name):
        raise PlanError(
            f"{source}: [data] {given[0]} is about texts: leave it out, or set name to one of {', '.join(NAMES)}."
        )
    for key, field in type(data).model_fields.items():
        if is_texts(data.name) and key not in ("name", *KEYS) and getattr(data, key) != field.get_default():
            raise PlanError(
                f"{source}: [data] {key} is about tables, and '{data.name}' is texts: leave it out."
            )
    for name, key in _OF_ONE.items():
        if key in given and data.name != name:
            raise PlanError(f"{source}: [data] {key} is of name = '{name}', not of '{data.name}'.")
    for key in ("words", "constraints"):
        ends = getattr(data, key)
        if ends is not None and (len(ends) != 2 or not 0 < ends[0] <= ends[1]):
            raise PlanError(
                f"{source}: [data] {key} = {ends}: expected two numbers above 0, the smaller first."
            )


def read(data: DataPlan) -> NewsDataset:
    """Return the plan's texts as impressions. Raises DataError."""
    from palate.text import shown

    options: dict[str, Any] = {
        key: getattr(data, key) for key in KEYS if key != "corpus" and getattr(data, key) is not None
    }
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    options.setdefault("words", _WORDS)
    make = shown.instructions if data.name == "longform" else shown.continuations
    return make(data.corpus, **options) if data.corpus is not None else make(**options)
