"""Pretrained vectors of words, from files: GloVe text, or an array of numbers beside its words."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError
from palate.vectors import arrays
from palate.vocabulary import Vocabulary


def word_vectors(
    path: Path, words: Vocabulary, *, size: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (words, size) vectors, zeros where the file has none, and (words) which were found.

    Args:
        path: GloVe text; or a .npy of (words, size), whose words stand beside it (`palate.vectors.arrays.names`).
        words: those wanted. size: numbers a vector must have; None: what the file has.

    Raises:
        DataError: no such file, vectors of another width, or lines that do not read.

    """
    if not path.is_file():
        raise DataError(f"There is no file of word vectors {path}.")
    return _from_npy(path, words, size) if path.suffix == ".npy" else _from_text(path, words, size)


def _from_text(
    path: Path, words: Vocabulary, size: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    found = np.zeros(len(words), np.bool_)
    table = np.zeros((len(words), size or 0), np.float32)
    known = {word: code for code, word in enumerate(words.ids)}
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            word, *numbers = line.rstrip("\n").split(" ")
            if number == 1:
                if len(numbers) == 1:  # word2vec's text begins with how many and how long
                    continue
                table = _checked(table, len(numbers), size, path)
            code = known.get(word)
            if code is None or found[code]:
                continue
            if len(numbers) != table.shape[1]:
                table = _checked(table, len(numbers), table.shape[1] or size, path, line=number)
            try:
                table[code] = np.array(numbers, np.float32)
            except ValueError:
                raise DataError(
                    f"{path.name}, line {number:,}: {word!r} is not followed by numbers alone."
                ) from None
            found[code] = True
    return arrays.finite(table, path), found


def _from_npy(
    path: Path, words: Vocabulary, size: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    stored = arrays.stored(path)
    listed, row = arrays.names(path, len(stored), "words")
    table = _checked(np.zeros((len(words), size or 0), np.float32), stored.shape[1], size, path)
    code = words.encode(listed)
    wanted = code >= 0
    table[code[wanted]] = arrays.rows(stored, row[wanted])
    found = np.zeros(len(words), np.bool_)
    found[code[wanted]] = True
    return arrays.finite(table, path), found


def _checked(
    table: NDArray[np.float32], width: int, size: int | None, path: Path, *, line: int | None = None
) -> NDArray[np.float32]:
    if size is not None and width != size:
        if line:
            raise DataError(
                f"{path.name}, line {line:,}: {width:,} numbers after the word, and those before have {size:,}: mend "
                "the line, or leave it out."
            )
        raise DataError(
            f"{path.name}: vectors of {width:,} numbers, and {size:,} were asked for: set word_size = {width} "
            "(of nrms also residual = false, which preset = incumbent has), or give another file."
        )
    return table if table.shape[1] == width else np.zeros((len(table), width), np.float32)


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="\n")
    return path.open(encoding="utf-8", errors="replace", newline="\n")
