"""Arrays of vectors in files, and the names of their rows beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError
from palate.vocabulary import as_ids


def stored(path: Path) -> NDArray[np.floating]:
    """Return the array of a .npy, (rows, size), left on the disk until it is read. Raises DataError for another."""
    try:
        found: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} does not read as an array of numbers ({error}).") from None
    return table(found, path)


def table(found: NDArray[np.floating], path: Path) -> NDArray[np.floating]:
    """Return an array that is one of vectors. Raises DataError for one of another shape, or that holds no numbers."""
    if found.ndim != 2 or found.dtype.kind not in "fiu":
        raise DataError(
            f"{path} holds an array of shape {found.shape} and type {found.dtype}; expected numbers, (rows, size)."
        )
    return found


def names(path: Path, rows: int, what: str) -> tuple[pl.Series, NDArray[np.int64]]:
    """Return the names of an array's rows, from a file of the same name, and the row of each.

    Args:
        path: of the array. Beside it a .txt, one name a line in the order of rows; or a .parquet with a column of text
            (the rows are then those of a column of whole numbers, where there is one, else in order), or with a single
            column of whole numbers, which are the names.
        rows: of the array. what: `words` or `articles`, in messages.

    Raises:
        DataError: no such file, or another number of names.

    """
    text, parquet = path.with_suffix(".txt"), path.with_suffix(".parquet")
    if text.is_file():
        listed = pl.Series(text.read_text("utf-8").splitlines(), dtype=pl.String)
        row = np.arange(len(listed))
    elif parquet.is_file():
        frame = pl.read_parquet(parquet)
        of_text = [name for name in frame.columns if frame[name].dtype == pl.String]
        whole = [name for name in frame.columns if frame[name].dtype.is_integer()]
        if not of_text and len(whole) != 1:
            raise DataError(f"{parquet}: there is no column of {what} among {', '.join(frame.columns)}.")
        listed = frame[of_text[0]] if of_text else as_ids(frame[whole[0]])
        row = frame[whole[0]].to_numpy() if of_text and whole else np.arange(len(listed))
    else:
        raise DataError(
            f"nothing says which {what} the rows of {path.name} are: put {text.name} or {parquet.name} beside it."
        )
    if len(listed) != rows or (len(row) > 0 and (row.min() < 0 or row.max() >= rows)):
        raise DataError(f"{path.name} has {rows:,} rows, and {len(listed):,} {what} stand beside it.")
    return listed, row.astype(np.int64)


def rows(stored: NDArray[np.floating], wanted: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return rows of an array that may lie on the disk: read in its order, given in the order asked for."""
    order = np.argsort(wanted, kind="stable")
    found = np.empty((len(wanted), stored.shape[1]), np.float32)
    found[order] = stored[wanted[order]]
    return found


def finite(table: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """Return vectors that are numbers throughout. Raises DataError for others."""
    if not np.isfinite(table).all():
        raise DataError(f"{path.name} has numbers that are not finite.")
    return table
