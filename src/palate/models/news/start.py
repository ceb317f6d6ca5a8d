"""The words' first vectors: from which words stand in which titles, from a file, or by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from palate import vectors as files
from palate.words import Texts

_DEVIATION = 0.1


def first_vectors(
    known: Texts, size: int, *, start: Literal["lsa", "random"], vectors: str | None, seed: int
) -> torch.Tensor:
    """Return (words, size) vectors of the words of `known` texts, as float32.

    vectors: a file of pretrained ones; words that it lacks are as `start` says, as long as those of the file on
    average.
    """
    rng = np.random.default_rng(seed)
    table = lsa(known, size, rng) if start == "lsa" else rng.normal(0, _DEVIATION, (len(known.words), size))
    if vectors is not None:
        given, found = files.word_vectors(Path(vectors).expanduser(), known.words, size=size)
        if found.any():
            table *= given[found].std() / max(float(table.std()), 1e-12)
        table[found] = given[found]
    return torch.from_numpy(table.astype(np.float32))


def lsa(known: Texts, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (words, size): the largest singular vectors of the TF-IDF of texts, each times its singular value.

    Deerwester and others, "Indexing by latent semantic analysis", 1990. Where there are fewer than `size`, the rest is
    normal numbers of the same deviation.
    """
    from scipy.sparse import csr_matrix, diags_array
    from scipy.sparse.linalg import svds

    texts, words = len(known), len(known.words)
    count = csr_matrix((np.ones(len(known.word)), known.word, known.indptr), shape=(texts, words))
    count.sum_duplicates()
    rarity = np.log(texts / np.maximum(np.bincount(count.indices, minlength=words), 1))
    k = min(size, min(texts, words) - 1)
    table = rng.normal(0, _DEVIATION, (words, size))
    if k < 1 or not rarity.any():
        return table
    first = rng.standard_normal(min(texts, words))  # the solver's own start would not hang on the seed
    _, values, rows = svds(count @ diags_array(rarity), k=k, v0=first)
    order = np.argsort(-values)
    found = (rows[order] * values[order, None]).T
    table[:, :k] = found * (_DEVIATION / max(float(found.std()), 1e-12))
    return table
