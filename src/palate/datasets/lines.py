"""Files whose lines are no table rows: `sequences`, `pairs`, and JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from palate.datasets.columns import ALIASES, plain, whole_numbers
from palate.datasets.raw import open_text
from palate.errors import DataError, listing

_ORDER_NOTE = (
    "time is the place in the user's own history (0, 1, 2 ...), no date: do not split by global time"
)


class Sequences:
    """Histories as text, one `user item item ...` a line, or (`pairs`) one `user item` a line, oldest first.

    The columns are user, item and time, the place inside the user's history.
    """

    columns = ("user", "item", "time")
    first_line = 1

    def __init__(self, path: str | Path, *, pairs: bool = False, encoding: str | None = None) -> None:
        """Open the file; raises DataError when it is missing, empty or binary."""
        text = open_text(path, encoding)
        self.name, self.pairs = text.path.name, pairs
        self.notes = [*([text.note] if text.note else []), _ORDER_NOTE]
        self.content = text.content()

    def read(self, columns: Collection[str] | None = None, ids: Collection[str] = ()) -> pl.DataFrame:
        """Return one row for each item of each line; ids are integers where all are whole numbers.

        Raises DataError with the line numbers of lines that have no item, or (`pairs`) more than one.
        """
        lines = pl.Series("line", self.content.decode().split("\n"), dtype=pl.String).str.strip_chars()
        del self.content
        words = lines.str.replace_all(r"\s+", " ").str.split(" ")
        blank = lines == ""
        count = words.list.len()
        wrong = (~blank & ((count != 2) if self.pairs else (count < 2))).arg_true()
        if len(wrong):
            expected = "'user item'" if self.pairs else "'user item item ...'"
            raise DataError(
                f"{self.name}: lines {listing(wrong + 1)} are not {expected}; mend them or give format."
            )
        frame = pl.DataFrame({"user": words.list.first(), "item": words.list.slice(1)}).filter(~blank)
        if _is_header(frame.head(1)):
            frame = frame.slice(1)
        if frame.is_empty():
            raise DataError(f"{self.name} is empty: it has no line with anything on it.")
        frame = frame.explode("item")
        frame = frame.with_columns(whole_numbers(frame["user"]), whole_numbers(frame["item"]))
        frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over("user").alias("time"))
        return frame.select([name for name in self.columns if columns is None or name in columns])


def is_lists(path: str | Path) -> bool:
    """Whether a file lists candidates as NCF does: its first line starts with `(user,item)`."""
    return bool(re.match(r"\(.+,.+\)\s", (open_text(path).head() or [""])[0] + " "))


def read_lists(path: str | Path) -> pl.DataFrame:
    """Return the user and item of every line `(user,item)<tab>item<tab>item ...`, that of the brackets among the items.

    The form of He and others, WWW 2017. Ids are integers where all are whole numbers. Raises DataError with the numbers
    of lines that are not so.
    """
    text = open_text(path)
    lines = pl.Series("line", text.content().decode().split("\n"), dtype=pl.String).str.strip_chars()
    blank = lines == ""
    parts = pl.DataFrame({"line": lines}).select(
        user=pl.col("line").str.extract(r"^\(([^,]+),"),
        first=pl.col("line").str.extract(r"^\([^,]+,([^)]+)\)"),
        rest=pl.col("line").str.replace(r"^\([^)]*\)\s*", "").str.split("\t"),
    )
    wrong = (~blank & (parts["user"].is_null() | parts["first"].is_null())).arg_true()
    if len(wrong) or blank.all():
        raise DataError(
            f"{text.path.name}: lines {listing(wrong + 1)} are not '(user,item)<tab>item<tab>item ...'; mend them."
        )
    frame = parts.filter(~blank).select("user", item=pl.concat_list("first", "rest")).explode("item")
    frame = frame.filter(pl.col("item") != "")
    return frame.with_columns(whole_numbers(frame["user"]), whole_numbers(frame["item"]))


def _is_header(first: pl.DataFrame) -> bool:
    """Whether the first line reads `user item`, or as publishers say it."""
    return first.height == 1 and all(
        plain(word) in [plain(name) for name in ALIASES[part]]
        for part, word in (("user", first["user"][0]), ("item", first["item"][0][0]))
    )


class JsonLines:
    """One JSON object a line. Numbers stay numbers and texts stay texts, so an id "007" keeps its zeros."""

    first_line = 1

    def __init__(self, path: str | Path, *, encoding: str | None = None) -> None:
        """Open the file; raises DataError when it is missing or binary, or a line is no object."""
        text = open_text(path, encoding)
        self.name = text.path.name
        self.notes = [text.note] if text.note else []
        self.source = text.source
        try:
            self.columns = pl.scan_ndjson(self.source, infer_schema_length=None).collect_schema().names()
        except pl.exceptions.PolarsError as error:
            raise self._broken(error) from error
        if not self.columns:
            raise DataError(f"{self.name} holds no JSON object with any key.")

    def read(self, columns: Collection[str] | None = None, ids: Collection[str] = ()) -> pl.DataFrame:
        """Return the rows of `columns` (None: all). Raises DataError for a line that does not parse."""
        wanted = [name for name in self.columns if columns is None or name in columns]
        try:
            return pl.scan_ndjson(self.source, infer_schema_length=None).select(wanted).collect()
        except pl.exceptions.PolarsError as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> DataError:
        data = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        for number, line in enumerate(data.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as broken:
                what = f"does not parse as JSON ({str(broken)[:80]})"
            else:
                if isinstance(row, dict):
                    continue
                what = f"is a JSON {type(row).__name__}, not an object"
            return DataError(
                f'{self.name}: line {number} {what}. Each line must be one object such as {{"user": 1}}.'
            )
        first = str(error).strip().splitlines()[0]
        return DataError(f"{self.name}: the lines do not make one table ({first}). Give each key one type.")
