"""Pretrained vectors of words: what is read, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from palate.errors import DataError
from palate.vectors import word_vectors
from palate.vocabulary import Vocabulary

WORDS = Vocabulary.of(["cat", "dog", "märz"])
GLOVE = "the 1 2\ndog 3 4.5\nmärz -1 0\ndog 9 9\n"


def write(path: Path, text: str = GLOVE) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_glove_text_is_read_zipped_or_not(tmp_path: Path):
    (tmp_path / "b.gz").write_bytes(gzip.compress(GLOVE.encode()))
    for path in (write(tmp_path / "a.txt"), tmp_path / "b.gz", write(tmp_path / "w2v.txt", f"4 2\n{GLOVE}")):
        table, found = word_vectors(path, WORDS, size=2)
        assert table.tolist() == [[0, 0], [3, 4.5], [-1, 0]]  # of a word that stands twice the first
        assert found.tolist() == [False, True, True]


@pytest.mark.parametrize("beside", ["txt", "parquet", "numbered"])
def test_an_array_beside_its_words(tmp_path: Path, beside: str):
    stored = np.array([[1, 2], [3, 4.5], [-1, 0]], np.float32)
    words = ["the", "dog", "märz"]
    if beside == "txt":
        (tmp_path / "v.txt").write_text("\n".join(words), encoding="utf-8")
    elif beside == "parquet":
        pl.DataFrame({"word": words}).write_parquet(tmp_path / "v.parquet")
    else:
        pl.DataFrame({"word": words, "index": [2, 0, 1]}).write_parquet(tmp_path / "v.parquet")
        stored = stored[[1, 2, 0]]
    np.save(tmp_path / "v.npy", stored)
    table, found = word_vectors(tmp_path / "v.npy", WORDS)
    assert table.tolist() == [[0, 0], [3, 4.5], [-1, 0]]
    assert found.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GLOVE, "vectors of 2 numbers, and 3 were asked for: set word_size = 2"),
        ("dog 1 2 3\ncat 1 2\n", "line 2: vectors of 2 numbers"),
        ("dog 1 2 x\n", "line 1: 'dog' is not followed by numbers"),
        ("dog 1 2 inf\n", "not finite"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, text: str, said: str):
    with pytest.raises(DataError, match=said):
        word_vectors(write(tmp_path / "v.txt", text), WORDS, size=3)


def test_arrays_that_are_no_vectors_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="There is no file"):
        word_vectors(tmp_path / "no.txt", WORDS)
    np.save(tmp_path / "v.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"put v.txt or v.parquet beside it"):
        word_vectors(tmp_path / "v.npy", WORDS)
    write(tmp_path / "v.txt", "one\ntwo")
    with pytest.raises(DataError, match="has 3 rows, and 2 words stand beside it"):
        word_vectors(tmp_path / "v.npy", WORDS)
    np.save(tmp_path / "v.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="does not read as an array"):
        word_vectors(tmp_path / "v.npy", WORDS)
