"""Users and items as people write them on a command line.

`1,2,3` is three ids, `@users.txt` is a file with one id a line, and an item may be named by its title in the
catalogue instead of its id. Where the model's ids are whole numbers, text is read as whole numbers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from palate.errors import DataError, PlanError, UnknownId, did_you_mean

if TYPE_CHECKING:
    from palate.catalogue import Catalogue
    from palate.vocabulary import Vocabulary

Id = int | str


def words(given: str, option: str) -> list[str]:
    """Split what an option was given at its commas (quotes keep a comma), or read the lines of `@FILE`."""
    if given.startswith("@"):
        return _lines(Path(given[1:]), option)
    found = [word.strip() for word in next(csv.reader([given], skipinitialspace=True), [])]
    if not any(found):
        raise PlanError(f"{option} is empty; give ids with commas between them, or @FILE with one id a line.")
    return [word for word in found if word]


def user_ids(given: str, users: Vocabulary, option: str = "--users") -> list[Id]:
    """Return the users an option names, in the kind of id that the model has."""
    return [_as_id(word, users, "user") for word in words(given, option)]


def item_ids(given: str, items: Vocabulary, catalogue: Catalogue | None, option: str = "--items") -> list[Id]:
    """Return the items an option names, by id, or by a title that the catalogue gives to one item."""
    return [_item(word, items, catalogue) for word in words(given, option)]


def title(id: Id, catalogue: Catalogue | None) -> str:
    """Return the item's name and id, or the id alone where there is no catalogue."""
    if catalogue is None:
        return str(id)
    name = catalogue.names([id])[0]
    return name if name == str(id) else f"{name} ({id})"


def _item(word: str, items: Vocabulary, catalogue: Catalogue | None) -> Id:
    if catalogue is None or catalogue.name is None:
        return _as_id(word, items, "item")
    if not _whole_numbers(items) and items.code(word) >= 0:
        return word
    if _whole_numbers(items) and _is_whole(word):
        return int(word)
    return _titled(word, items, catalogue)


def _titled(word: str, items: Vocabulary, catalogue: Catalogue) -> Id:
    titles = catalogue.names(items.ids)
    found = [code for code, one in enumerate(titles) if one.casefold() == word.casefold()]
    if not found:
        within = [one for one in titles if word.casefold() in one.casefold()]
        near = f" Did you mean '{within[0]}'?" if within else did_you_mean(word, titles)
        raise UnknownId(f"the model has no item with the id or the name '{word[:60]}'.{near}")
    if len(found) > 1:
        ids = ", ".join(str(items.ids[code]) for code in found[:5])
        raise UnknownId(f"{len(found)} items are named '{word}': give the id instead ({ids}).")
    id: Id = items.ids[found[0]]
    return id


def _as_id(word: str, vocabulary: Vocabulary, kind: str) -> Id:
    if not _whole_numbers(vocabulary):
        return word
    if not _is_whole(word):
        raise UnknownId(
            f"{kind} '{word[:60]}' is unknown: the model's {kind} ids are whole numbers,"
            f" such as {vocabulary.ids[0]}."
        )
    return int(word)


def _whole_numbers(vocabulary: Vocabulary) -> bool:
    return vocabulary.ids.dtype.is_integer()


def _is_whole(word: str) -> bool:
    return re.fullmatch(r"-?\d+", word) is not None


def _lines(path: Path, option: str) -> list[str]:
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{option}: {path} is not UTF-8 text; give a file with one id a line.") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise DataError(f"{option}: {path} is empty; give a file with one id a line.")
    return found
