"""Vectors of articles: read by id from a file, or made of their texts by an encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, listing
from palate.vectors import arrays
from palate.vocabulary import Vocabulary, as_ids

_ENDINGS = (".npy", ".parquet", ".safetensors")


def article_vectors(
    place: Path, ids: pl.Series, texts: pl.Series | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (articles, size) vectors, zeros for an article that has none, and (articles) which have one.

    Args:
        place: one of
            a .npy of (rows, size), whose ids stand beside it, as `palate.vectors.arrays.names` reads them;
            a .parquet with a column of ids and a column of lists of numbers;
            a .safetensors with one table of numbers, and in it `ids`, whole numbers, or ids beside it as of a .npy;
            a folder of a sentence encoder of transformers (`palate.vectors.encoder`), which reads `texts`.
        ids: of the articles, distinct. Those of a file may be text or numbers, whichever the articles' are.
        texts: of the articles, for an encoder; one without text has no vector.

    Raises:
        DataError, SavedModelError: nothing there that can be read, or no text for an encoder.
        MissingExtra: an encoder without transformers.

    Memory: the vectors asked for; a .npy is read row by row.
    """
    if place.is_dir():
        return _encoded(place, ids, texts)
    if not place.is_file():
        raise DataError(
            f"There is no file or folder {place}. Vectors of articles are {listing(_ENDINGS)}, or an encoder's folder."
        )
    if place.suffix not in _ENDINGS:
        raise DataError(
            f"{place.name}: vectors of articles are read from {listing(_ENDINGS)}, or an encoder's folder."
        )
    listed, row, stored = _opened(place)
    code = _alike(ids, listed)
    found = code >= 0
    table = np.zeros((len(ids), stored.shape[1]), np.float32)
    table[found] = arrays.rows(stored, row[code[found]])
    return arrays.finite(table, place), found


def _opened(place: Path) -> tuple[pl.Series, NDArray[np.int64], NDArray[np.floating]]:
    """Return the ids of a file, the row of each, and its vectors."""
    if place.suffix == ".npy":
        stored = arrays.stored(place)
        return *arrays.names(place, len(stored), "articles"), stored
    if place.suffix == ".parquet":
        ids, stored = _of_parquet(place)
        return ids, np.arange(len(ids)), stored
    return _of_safetensors(place)


def _of_parquet(place: Path) -> tuple[pl.Series, NDArray[np.floating]]:
    try:
        frame = pl.read_parquet(place)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{place} does not read as Parquet ({str(error).splitlines()[0]}).") from None
    ids = [one for one in frame.columns if frame[one].dtype == pl.String or frame[one].dtype.is_integer()]
    lists = [one for one in frame.columns if isinstance(frame[one].dtype, pl.List | pl.Array)]
    if not ids or not lists or frame.is_empty():
        raise DataError(
            f"{place.name}: expected a column of ids and a column of lists of numbers, and rows; it has "
            f"{listing(f'{name} ({kind})' for name, kind in frame.schema.items())}."
        )
    kind = frame[lists[0]].dtype
    assert isinstance(kind, pl.List | pl.Array)
    vectors = frame[lists[0]].cast(pl.List(kind.inner))
    length = vectors.list.len().fill_null(0).to_numpy()
    if not kind.inner.is_numeric() or len(np.unique(length)) > 1:
        raise DataError(
            f"{place.name}: the lists of '{lists[0]}' hold {kind.inner} and have from {length.min():,} to "
            f"{length.max():,} members: expected numbers, as many in each."
        )
    flat = vectors.list.explode().cast(pl.Float32).to_numpy()
    return frame[ids[0]], flat.reshape(len(frame), -1)


def _of_safetensors(place: Path) -> tuple[pl.Series, NDArray[np.int64], NDArray[np.floating]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(place)
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise DataError(f"{place} does not read as safetensors of numbers ({error}).") from None
    tables = [name for name, one in tensors.items() if one.ndim == 2]
    if len(tables) != 1:
        raise DataError(
            f"{place.name} has {len(tables)} tables among its tensors ({listing(tensors)}); expected one, (rows, size)."
        )
    stored = arrays.table(tensors[tables[0]], place)
    if "ids" not in tensors:
        return *arrays.names(place, len(stored), "articles"), stored
    ids = pl.Series(tensors["ids"])
    if tensors["ids"].shape != (len(stored),) or not ids.dtype.is_integer():
        raise DataError(
            f"{place.name}: ids are {tensors['ids'].dtype} of shape {tensors['ids'].shape}; expected whole numbers, "
            f"one for each of {len(stored):,} rows. Ids of text stand beside it, in {place.with_suffix('.txt').name}."
        )
    return ids, np.arange(len(ids)), stored


def _alike(ids: pl.Series, listed: pl.Series) -> NDArray[np.int32]:
    """Return the place in `listed` of each id, the first of several, -1 for one that is not there.

    As they are written, since a file of names knows no numbers: 7 is the line 7.
    """
    ids, listed = as_ids(ids), as_ids(listed)
    if ids.dtype != listed.dtype:
        ids, listed = ids.cast(pl.String), listed.cast(pl.String)
    known, code = Vocabulary.factorise(listed.fill_null("" if listed.dtype == pl.String else -1))
    first = np.empty(len(known) + 1, np.int32)
    first[code[::-1]] = np.arange(len(code), dtype=np.int32)[::-1]
    first[-1] = -1
    return first[known.encode(ids)]


def _encoded(
    folder: Path, ids: pl.Series, texts: pl.Series | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    from palate.vectors.encoder import encode

    if texts is None:
        raise DataError(f"{folder} is an encoder's folder, and the articles have no text for it to read.")
    told = texts.fill_null("").str.strip_chars() != ""
    vectors = encode(folder, texts.filter(told))
    found = told.to_numpy()
    table = np.zeros((len(ids), vectors.shape[1]), np.float32)
    table[found] = vectors
    return table, found
