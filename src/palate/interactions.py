"""The table that everything stands on: who, what, how much, when.

`Interactions` is immutable and columnar. Users and items are 32-bit codes into sorted vocabularies; values are
float32 (1 where the source has none), times are seconds since 1970 (UTC) or absent. A repeated user-item pair
is a fact and stays, unless the caller asks otherwise. 20 bytes a row, and the ids once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.columns import BadRows, ColumnReader, TimeUnit
from palate.errors import DataError
from palate.tables import to_frame
from palate.vocabulary import Codes, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Rows = NDArray[np.bool_] | NDArray[np.integer]
Repeats = Literal["keep", "first", "last", "sum"]


@dataclass(frozen=True, eq=False)
class Labels:
    """A column of names as codes: event types, baskets."""

    codes: Codes
    """(rows)"""
    names: Vocabulary
    """what the codes stand for"""

    def select(self, rows: Rows) -> Labels:
        """Return the labels of some rows; the names stay."""
        return Labels(self.codes[rows], self.names)

    def shrunk(self) -> Labels:
        """Return the same labels without the names that no row has."""
        names, codes = _shrink(self.names, self.codes)
        return Labels(codes, names)


@dataclass(frozen=True, eq=False)
class Histories:
    """Events grouped by user, oldest first, ties in file order: user u's are `indptr[u]` to `indptr[u + 1]`."""

    indptr: NDArray[np.int64]
    """(users + 1)"""
    item: Codes
    """(events) item codes"""
    value: NDArray[np.float32]
    """(events)"""
    time: NDArray[np.int64] | None
    """(events) seconds, or None"""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Events of each user, (users)."""
        return np.diff(self.indptr)

    def select(self, users: NDArray[np.integer]) -> Histories:
        """Return the histories of `users` (codes), in that order; -1 gives an empty one."""
        users = np.asarray(users)
        lengths = np.where(users < 0, 0, self.lengths[users])
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        events = np.repeat(self.indptr[users] - indptr[:-1], lengths) + np.arange(indptr[-1])
        time = None if self.time is None else self.time[events]
        return Histories(indptr, self.item[events], self.value[events], time)

    def where(self, kept: NDArray[np.bool_]) -> Histories:
        """Return the histories with the events that are `kept`, (events); all users stay."""
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.indptr].astype(np.int64)
        time = None if self.time is None else self.time[kept]
        return Histories(indptr, self.item[kept], self.value[kept], time)


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Who chose what, how much, and when; rows in file order.

    >>> from palate import Interactions
    >>> data = Interactions.from_table({"user": ["ann", "bo", "ann"], "item": [7, 7, 9], "time": [5, 6, 8]})
    >>> len(data), data.n_users, data.n_items
    (3, 2, 2)
    """

    users: Vocabulary
    """exactly the users that occur"""
    items: Vocabulary
    """exactly the items that occur"""
    user: Codes
    """(rows) codes into `users`"""
    item: Codes
    """(rows) codes into `items`"""
    value: NDArray[np.float32]
    """(rows) rating, count or weight; 1 where the source has none"""
    time: NDArray[np.int64] | None = None
    """(rows) seconds since 1970 UTC, or None"""
    event: Labels | None = None
    """(rows) types of event: view, purchase, negative"""
    basket: Labels | None = None
    """(rows) what was taken together"""
    has_values: bool = True
    """False where the source had no value column"""
    negative_events: tuple[str, ...] = ("negative",)
    """Event types that say "not this": no model takes them for likes"""
    dropped: int = 0
    """Bad rows that were left out on request"""

    def __post_init__(self) -> None:
        """Make the columns read-only."""
        for name in ("user", "item", "value", "time"):
            column = getattr(self, name)
            if column is not None and column.flags.writeable:
                column = column.view()
                column.flags.writeable = False
                object.__setattr__(self, name, column)

    @classmethod
    def from_table(
        cls,
        table: object,
        *,
        user: str = "user",
        item: str = "item",
        value: str | None = "value",
        time: str | None = "time",
        event: str | None = "event",
        basket: str | None = "basket",
        time_unit: TimeUnit = "s",
        negative_events: Iterable[str] = ("negative",),
        bad_rows: BadRows = "raise",
        repeats: Repeats = "keep",
        source: str = "table",
        first_line: int = 1,
    ) -> Interactions:
        """Read interactions from any table.

        Args:
            table: pandas, Polars, Arrow, DuckDB, a dict of columns or a list of rows.
            user, item: columns of ids (integers or text).
            value, time, event, basket: optional columns. A default name is used only where the column
                exists; any other name must exist; None leaves the column out.
            time_unit: unit of a numeric time column; dates and ISO text need none.
            negative_events: event types that say "not this".
            bad_rows: `raise` names rows without an id, with a value that is no finite number or a time out
                of range; `drop` leaves them out and counts them in `dropped`.
            repeats: what to do with a pair that occurs again, see `repeated`.
            source, first_line: what messages call the table, and the line of its first row.

        Raises:
            DataError: a missing column, bad rows, mixed types, no rows.
        """
        frame = to_frame(table, source=source)
        if frame.height == 0:
            raise DataError(f"{source}: no rows. Give a table with at least one interaction.")
        optional = {"value": value, "time": time, "event": event, "basket": basket}
        columns = {"user": user, "item": item} | {
            role: name for role, name in optional.items() if name and (name != role or name in frame.columns)
        }
        read = ColumnReader(frame, source, first_line, bad_rows)
        ids = {role: read.ids(name, role) for role, name in columns.items() if role not in ("value", "time")}
        values = read.values(columns["value"]) if "value" in columns else None
        times = read.times(columns["time"], time_unit) if "time" in columns else None
        keep = read.good
        dropped = 0
        if keep is not None:
            ids = {role: series.filter(pl.Series(keep)) for role, series in ids.items()}
            values = None if values is None else values[keep]
            times = None if times is None else times[keep]
            dropped = frame.height - int(keep.sum())
            if dropped == frame.height:
                raise DataError(f"{source}: every row is bad; nothing is left. Check which column is which.")
        del table, frame, read  # at 20 million rows the source is as large as the codes
        coded = {role: Vocabulary.factorise(ids.pop(role)) for role in list(ids)}
        labels = {
            role: Labels(coded[role][1], coded[role][0]) for role in ("event", "basket") if role in coded
        }
        data = cls(
            users=coded["user"][0],
            items=coded["item"][0],
            user=coded["user"][1],
            item=coded["item"][1],
            value=np.ones(len(coded["user"][1]), np.float32) if values is None else values,
            time=times,
            event=labels.get("event"),
            basket=labels.get("basket"),
            has_values=values is not None,
            negative_events=tuple(negative_events),
            dropped=dropped,
        )
        return data.repeated(repeats)

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        parts = [
            name
            for name, there in (
                ("values", self.has_values),
                ("times", self.time is not None),
                ("events", self.event is not None),
                ("baskets", self.basket is not None),
            )
            if there
        ]
        size = f"{len(self):,} rows, {self.n_users:,} users, {self.n_items:,} items"
        return f"Interactions({size}; {', '.join(parts) or 'pairs only'})"

    @property
    def n_users(self) -> int:
        """Distinct users."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Distinct items."""
        return len(self.items)

    @cached_property
    def negative(self) -> NDArray[np.bool_] | None:
        """(rows) True where the row says "not this": a value below zero, a negative event; None if no row does."""
        mask = self.value < 0
        if self.event is not None and self.event.names.is_text:
            codes = [self.event.names.code(name) for name in self.negative_events]
            mask |= np.isin(self.event.codes, [code for code in codes if code >= 0])
        return mask if mask.any() else None

    def signed_value(self) -> NDArray[np.float32]:
        """Return the values (rows), those of negative events below zero however they were told."""
        if self.negative is None or self.event is None:
            return self.value
        value = self.value.copy()
        named = self.negative & (value >= 0)
        value[named] = np.minimum(-value[named], -1)
        return value

    def positive(self) -> Interactions:
        """Return the rows that are no negative events (self where there are none); both vocabularies stay."""
        if self.negative is None:
            return self
        return self._rows(~self.negative)

    def select(self, rows: Rows) -> Interactions:
        """Return some rows (a mask, or row numbers in any order); vocabularies shrink to what occurs."""
        part = self._rows(rows if isinstance(rows, np.ndarray) else np.asarray(rows))
        users, user = _shrink(part.users, part.user)
        items, item = _shrink(part.items, part.item)
        event, basket = (labels and labels.shrunk() for labels in (part.event, part.basket))
        return replace(part, users=users, items=items, user=user, item=item, event=event, basket=basket)

    def _rows(self, rows: Rows) -> Interactions:
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            value=self.value[rows],
            time=None if self.time is None else self.time[rows],
            event=None if self.event is None else self.event.select(rows),
            basket=None if self.basket is None else self.basket.select(rows),
        )

    def histories(self) -> Histories:
        """Return the events by user, oldest first, ties in file order. Linear, and a sort for each user."""
        return self._histories

    @cached_property
    def _histories(self) -> Histories:
        from palate.kernels import order

        indptr, rows = order.group_by_time(self.user, self.time, self.n_users)
        return Histories(
            indptr, self.item[rows], self.value[rows], None if self.time is None else self.time[rows]
        )

    def doubled(self) -> int:
        """Return how many rows are another one again: same user, item and time; 0 where times are one or none."""
        past = self.histories()
        if past.time is None or past.time.min() == past.time.max():
            return 0
        begins = np.r_[True, np.diff(past.time) != 0]
        begins[past.indptr[:-1][past.lengths > 0]] = True
        moment = np.cumsum(begins) - 1
        tied = np.bincount(moment)[moment] > 1
        rows = moment[tied] * self.n_items + past.item[tied]
        return len(rows) - len(np.unique(rows))

    def pairs(self) -> tuple[NDArray[np.int64], Codes]:
        """Return the distinct items of each user, ascending, as CSR (indptr, items)."""
        from palate.kernels import order

        return order.distinct_pairs(self.user, self.item, self.n_users, self.n_items)

    def matrix(self, values: Literal["sum", "binary"] = "sum") -> csr_matrix:
        """Return users x items, float32 CSR with sorted indices; a repeated pair adds up, or counts as 1."""
        from scipy.sparse import csr_matrix

        shape = (self.n_users, self.n_items)
        if values == "binary":
            indptr, items = self.pairs()
            return csr_matrix((np.ones(len(items), np.float32), items, indptr), shape=shape)
        matrix = csr_matrix((self.value, (self.user, self.item)), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def k_core(self, min_user: int = 0, min_item: int = 0) -> Interactions:
        """Return the largest part where each user has `min_user` distinct items, each item `min_item` distinct users.

        Raises DataError when nothing is left.
        """
        indptr, item = self.pairs()
        user = np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(indptr))
        while True:
            users = np.bincount(user, minlength=self.n_users) >= max(min_user, 1)
            items = np.bincount(item, minlength=self.n_items) >= max(min_item, 1)
            keep = users[user] & items[item]
            if keep.all():
                break
            user, item = user[keep], item[keep]
        if len(user) == 0:
            raise DataError(
                f"nothing is left of {len(self):,} rows with min_user = {min_user}, min_item = {min_item}: lower them."
            )
        return self.select(users[self.user] & items[self.item])

    def repeated(self, repeats: Repeats) -> Interactions:
        """Apply a policy to pairs that occur more than once.

        Args:
            repeats: `keep` all; keep the `first` or `last` in time (ties: file order); or `sum` the values
                into the last one. Kept rows stay in file order.
        """
        if repeats == "keep":
            return self
        if repeats not in ("first", "last", "sum"):
            raise DataError(f"repeats = {repeats!r} is unknown: give keep, first, last or sum.")
        pair = self.user.astype(np.int64) * self.n_items + self.item
        time = np.zeros(len(self), np.int8) if self.time is None else self.time
        order = np.lexsort((time, pair))  # stable: ties stay in file order
        starts = np.flatnonzero(np.r_[True, np.diff(pair[order]) != 0])
        if len(starts) == len(self):
            return self
        ends = np.r_[starts[1:], len(self)] - 1
        rows = order[starts if repeats == "first" else ends]
        data = self
        if repeats == "sum":
            value = self.value.copy()
            value[rows] = np.add.reduceat(self.value[order].astype(np.float64), starts)
            data = replace(self, value=value, has_values=True)
        return data._rows(np.sort(rows))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content: ids, rows in order, values, times, events, baskets."""
        state = hashlib.sha256(f"palate interactions 1 {self.users.digest} {self.items.digest}".encode())
        columns: list[tuple[str, NDArray[np.generic] | None]] = [
            ("user", self.user),
            ("item", self.item),
            ("value", self.value if self.has_values else None),
            ("time", self.time),
        ]
        for name, labels in (("event", self.event), ("basket", self.basket)):
            if labels is not None:
                state.update(f"{name} names {labels.names.digest}".encode())
            columns.append((name, None if labels is None else labels.codes))
        for name, column in columns:
            state.update(f" {name} {'-' if column is None else column.dtype.str} ".encode())
            if column is not None:
                state.update(np.ascontiguousarray(column).data)
        return state.hexdigest()

    def table(self) -> pl.DataFrame:
        """Return the rows with their ids: user, item, and value, time, event, basket where they exist."""
        columns = {"user": self.users.decode(self.user), "item": self.items.decode(self.item)}
        if self.has_values:
            columns["value"] = pl.Series(self.value)
        if self.time is not None:
            columns["time"] = pl.Series(self.time)
        for name, labels in (("event", self.event), ("basket", self.basket)):
            if labels is not None:
                columns[name] = labels.names.decode(labels.codes)
        return pl.DataFrame(columns)


def _shrink(vocabulary: Vocabulary, codes: Codes) -> tuple[Vocabulary, Codes]:
    """Return the part of a vocabulary that `codes` use, and the codes in it."""
    used = np.zeros(len(vocabulary), bool)
    used[codes] = True
    if used.all():
        return vocabulary, codes
    renumber = (np.cumsum(used) - 1).astype(np.int32)
    return Vocabulary(vocabulary.ids.filter(pl.Series(used))), renumber[codes]
