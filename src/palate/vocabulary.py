"""Ids and codes: users and items are 32-bit codes inside, and come back out as the ids they went in.

A vocabulary is the sorted list of distinct ids (integers as numbers, strings by code point); the code of an
id is its place in that list, so codes are dense, repeatable, and ordered as the ids are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, listing

Id = int | str
Codes = NDArray[np.int32]

_DENSE = 8  # a table of ids may hold this many places for each id before bisection is used instead


class Vocabulary:
    """Sorted distinct ids of one kind (all integers, or all text)."""

    def __init__(self, ids: pl.Series) -> None:
        """Take ids that are sorted and distinct already; `Vocabulary.of` sorts."""
        self.ids = ids.alias("id")

    @classmethod
    def of(cls, ids: pl.Series | Iterable[Any]) -> Vocabulary:
        """Make the vocabulary of ids that may repeat, in any order. Raises DataError for ids of other types."""
        series = as_ids(ids)
        if series.null_count():
            raise DataError(
                f"{series.null_count():,} of {len(series):,} ids are missing: leave those rows out."
            )
        return cls.factorise(series)[0]

    @classmethod
    def factorise(cls, ids: pl.Series) -> tuple[Vocabulary, Codes]:
        """Return the vocabulary of `ids`, which have no nulls, and their codes."""
        ids = as_ids(ids)
        if ids.dtype == pl.String:
            vocabulary = cls(ids.unique().sort())
            return vocabulary, vocabulary.encode(ids)
        from palate.kernels import encode

        values = _numbers(ids)
        if len(values) == 0:
            return cls(ids), np.empty(0, np.int32)
        low, high = int(values.min()), int(values.max())
        if high - low < _DENSE * len(values) + 65_536:
            present = np.flatnonzero(encode.mark(values, low, high - low + 1))
            vocabulary = cls(pl.Series("id", present + low, dtype=pl.Int64))
        else:
            vocabulary = cls(ids.unique().sort())
        return vocabulary, vocabulary.encode(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __contains__(self, id: object) -> bool:
        return self.code(id) >= 0

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.kind} ids: {listing(self.ids.head(3))}{', ...' * (len(self) > 3)})"

    @property
    def is_text(self) -> bool:
        """Whether ids are text (else they are integers)."""
        return bool(self.ids.dtype == pl.String)

    @property
    def kind(self) -> str:
        """What the ids are, for messages: `text` or `integer`."""
        return "text" if self.is_text else "integer"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of kind and content, in order."""
        state = hashlib.sha256(self.kind.encode())
        if self.is_text:
            # Lengths first: the boundary between ids counts, not only their joined bytes.
            state.update(self.ids.str.len_bytes().to_numpy().astype("<u4").tobytes())
            state.update("".join(self.ids.to_list()).encode())
        else:
            state.update(self.ids.to_numpy().astype("<i8").tobytes())
        return state.hexdigest()

    def encode(self, ids: pl.Series | Iterable[Any]) -> Codes:
        """Return the code of each id, -1 for one that is not here (an id of the other kind is not here)."""
        series = as_ids(ids)
        if len(series) == 0 or len(self) == 0 or (series.dtype == pl.String) != self.is_text:
            return np.full(len(series), -1, np.int32)
        if self.is_text:
            places = series.cast(self._enum, strict=False).to_physical().cast(pl.Int32)
            return places.fill_null(-1).to_numpy().copy()
        from palate.kernels import encode

        if series.null_count():
            known = ~series.is_null().to_numpy()
            codes = np.full(len(series), -1, np.int32)
            codes[known] = self.encode(series.drop_nulls())
            return codes
        if self._table is None:
            return encode.bisect(_numbers(series), _numbers(self.ids))
        return encode.look_up(_numbers(series), int(self.ids[0]), self._table)

    def code(self, id: object) -> int:
        """Return the code of one id, -1 where it is not here. Microseconds: a bisection."""
        if isinstance(id, np.integer):
            id = int(id)
        if isinstance(id, bool) or not isinstance(id, str if self.is_text else int) or len(self) == 0:
            return -1
        at = int(self.ids.search_sorted(id))
        return at if at < len(self) and self.ids[at] == id else -1

    def decode(self, codes: NDArray[Any]) -> pl.Series:
        """Return the ids of `codes`, in their order."""
        return self.ids.gather(np.asarray(codes, np.int64))

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self.ids)

    @cached_property
    def _table(self) -> Codes | None:
        ids = self.ids.to_numpy()
        size = int(ids[-1]) - int(ids[0]) + 1
        if size > _DENSE * len(ids) + 65_536:
            return None
        table = np.full(size, -1, np.int32)
        table[ids - ids[0]] = np.arange(len(ids), dtype=np.int32)
        return table

    def save(self, path: Path) -> None:
        """Write the ids as Parquet, one column `id`."""
        self.ids.to_frame().write_parquet(path)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote."""
        return cls(pl.read_parquet(path)["id"])


def _numbers(ids: pl.Series) -> NDArray[np.int64]:
    """Return integer ids as a read-only array: a kernel is compiled for each kind of array, so all are of one."""
    numbers = ids.to_numpy().view()
    numbers.flags.writeable = False
    return numbers


def as_ids(ids: pl.Series | Iterable[Any]) -> pl.Series:
    """Return ids as an Int64 or String series (nulls stay). Raises DataError for other types, saying what to do."""
    if isinstance(ids, (str, int, np.integer)):
        ids = [ids]
    if not isinstance(ids, (pl.Series, Iterable)):
        raise DataError(f"{ids!r} is no id: give integers or text.")
    if not isinstance(ids, pl.Series):
        values = ids if isinstance(ids, np.ndarray) else list(ids)
        if isinstance(values, list) and any(isinstance(value, bool) for value in values):
            raise DataError("true and false are no ids: give integers or text.")
        try:
            ids = pl.Series("id", values)
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"ids of mixed types ({listing(values)}): give all integers or all text."
            ) from error
    dtype = ids.dtype
    if dtype in (pl.Int64, pl.String):
        return ids
    if dtype.is_integer():
        return _in_64_bits(ids)
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return ids.cast(pl.String)
    if dtype.is_float():
        # pandas turns an integer column with a gap into floats.
        if ids.drop_nans().drop_nulls().round(0).eq(ids.drop_nans().drop_nulls()).all():
            return _in_64_bits(ids.fill_nan(None))
        raise DataError(
            f"ids such as {listing(ids.drop_nulls().head(3))} are fractions: ids are integers or text."
        )
    if dtype == pl.Null:
        return ids.cast(pl.Int64)
    if dtype == pl.Object:
        raise DataError(f"ids of mixed types ({listing(ids.head(3))}): make them all integers or all text.")
    if dtype.is_nested():
        raise DataError(
            f"ids of type {dtype}: give integers or text. Lists of what somebody was shown or has read are "
            "impressions: palate.Impressions, and on the command line --candidates-column and --history-column."
        )
    raise DataError(f"ids of type {dtype} ({listing(ids.head(3))}): give integers or text.")


def _in_64_bits(ids: pl.Series) -> pl.Series:
    try:
        return ids.cast(pl.Int64)
    except pl.exceptions.PolarsError as error:
        large = ids.filter(ids.is_not_null() & ids.cast(pl.Int64, strict=False).is_null())
        raise DataError(f"ids such as {large[0]} do not fit 64 bits: make them text.") from error
