"""Pretrained vectors, of words and of articles: what is read, and what is refused."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from palate.errors import DataError, SavedModelError
from palate.vectors import article_vectors, word_vectors
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
        ("dog 1 2 3\ncat 1 2\n", "line 2: 2 numbers after the word, and those before have 3"),
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


# --- of articles, from files ----------------------------------------------------------------------------------

VECTORS = np.array([[1, 2], [3, 4.5], [-1, 0]], np.float32)
IDS = pl.Series(["n3", "n1", "n9"])
"""n9 is in no file; the files hold n7, n1, n3"""


def in_file(folder: Path, kind: str) -> Path:
    """Write VECTORS of n7, n1, n3."""
    ids = ["n7", "n1", "n3"]
    if kind == "parquet":
        pl.DataFrame({"article": ids, "vector": VECTORS.tolist()}).write_parquet(folder / "v.parquet")
        return folder / "v.parquet"
    if kind == "array":
        frame = pl.DataFrame({"article": ids, "vector": VECTORS})
        assert isinstance(frame["vector"].dtype, pl.Array)
        frame.write_parquet(folder / "v.parquet")
        return folder / "v.parquet"
    if kind == "npy.parquet":
        pl.DataFrame({"row": [2, 0, 1], "article": ["n3", "n7", "n1"]}).write_parquet(folder / "v.parquet")
    else:
        (folder / "v.txt").write_text("\n".join(ids), encoding="utf-8")
    if kind.startswith("npy"):
        np.save(folder / "v.npy", VECTORS.astype(np.float16))
        return folder / "v.npy"
    save_file({"vectors": VECTORS}, folder / "v.safetensors")
    return folder / "v.safetensors"


@pytest.mark.parametrize("kind", ["npy.txt", "npy.parquet", "parquet", "array", "safetensors"])
def test_articles_find_their_vectors_by_id(tmp_path: Path, kind: str):
    table, found = article_vectors(in_file(tmp_path, kind), IDS)
    assert table.dtype == np.float32
    assert table.tolist() == [[-1, 0], [3, 4.5], [0, 0]]
    assert found.tolist() == [True, True, False]


@pytest.mark.parametrize("kind", ["parquet", "safetensors", "npy.txt", "npy.parquet"])
def test_ids_that_are_numbers_are_found_however_the_file_has_them(tmp_path: Path, kind: str):
    ids = pl.Series([3, 1, 9])
    if kind == "parquet":
        pl.DataFrame({"id": [7, 1, 3], "vector": VECTORS.tolist()}).write_parquet(tmp_path / "v.parquet")
    elif kind == "safetensors":
        save_file({"ids": np.array([7, 1, 3]), "table": VECTORS}, tmp_path / "v.safetensors")
    else:
        np.save(tmp_path / "v.npy", VECTORS)
        if kind == "npy.txt":
            (tmp_path / "v.txt").write_text("7\n1\n3\n", encoding="utf-8")
        else:
            pl.DataFrame({"id": [7, 1, 3]}).write_parquet(tmp_path / "v.parquet")
    table, found = article_vectors(tmp_path / f"v.{kind.partition('.')[0]}", ids)
    assert table.tolist() == [[-1, 0], [3, 4.5], [0, 0]]
    assert found.tolist() == [True, True, False]


def test_of_an_id_that_stands_twice_the_first_counts(tmp_path: Path):
    pl.DataFrame({"id": ["a", "b", "a"], "vector": VECTORS.tolist()}).write_parquet(tmp_path / "v.parquet")
    assert article_vectors(tmp_path / "v.parquet", pl.Series(["a"]))[0].tolist() == [[1, 2]]


def test_files_that_hold_no_vectors_of_articles_say_what_was_expected(tmp_path: Path):
    def refused(said: str, name: str, error: type[Exception] = DataError) -> None:
        with pytest.raises(error, match=said):
            article_vectors(tmp_path / name, IDS)

    refused("There is no file or folder", "nowhere.npy")
    write(tmp_path / "v.csv")
    refused(r"are read from \.npy, \.parquet, \.safetensors, or an encoder", "v.csv")
    np.save(tmp_path / "v.npy", VECTORS)
    refused("which articles the rows of v.npy are: put v.txt or v.parquet", "v.npy")
    np.save(tmp_path / "p.npy", np.array([{"a": 1}]), allow_pickle=True)
    refused("does not read as an array", "p.npy")
    np.save(tmp_path / "t.npy", np.array([["a"]]))
    refused("expected numbers", "t.npy")
    pl.DataFrame({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}).write_parquet(tmp_path / "u.parquet")
    refused("from 1 to 2 members: expected numbers, as many in each", "u.parquet")
    pl.DataFrame({"id": ["a"], "x": [1.0]}).write_parquet(tmp_path / "w.parquet")
    refused(r"a column of lists of numbers, and rows; it has id \(String\), x \(Float64\)", "w.parquet")
    pl.DataFrame({"id": ["n1"], "vector": [[float("nan")]]}).write_parquet(tmp_path / "n.parquet")
    refused("not finite", "n.parquet")
    write(tmp_path / "torn.safetensors")
    refused("does not read as safetensors", "torn.safetensors")
    save_file({"a": VECTORS, "b": VECTORS}, tmp_path / "two.safetensors")
    refused(r"has 2 tables among its tensors \(a, b\)", "two.safetensors")
    save_file({"ids": np.zeros(3, np.float32), "a": VECTORS}, tmp_path / "f.safetensors")
    refused("expected whole numbers, one for each of 3 rows", "f.safetensors")


# --- of articles, from an encoder's folder --------------------------------------------------------------------

TEXTS = pl.Series(
    ["rain over the coast", "cup final", None, "rain over the coast", "the cup of rain, again and again"]
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights over letters, as a folder of transformers."""
    pytest.importorskip("transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    signs = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS]
    tokenizer = Tokenizer(models.WordLevel({sign: n for n, sign in enumerate(signs)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As published ones do: padding and truncation of the file are not those wanted here.
    tokenizer.enable_padding(length=40)
    tokenizer.enable_truncation(5)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(signs), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=34,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def by_hand(folder: Path, text: str) -> NDArray[np.float32]:
    """The mean of the last layer over all tokens of one text, without padding."""
    import torch
    from transformers import BertModel

    letters = [1 if sign not in LETTERS else 4 + LETTERS.index(sign) for sign in text]
    ids = torch.tensor([[2, *letters[:30], 3]])
    with torch.inference_mode():
        layer = BertModel.from_pretrained(folder).eval()(ids).last_hidden_state
    return layer[0].mean(dim=0).numpy()


def test_an_encoder_s_vectors_are_means_over_the_tokens_that_are_there(
    encoder: Path, monkeypatch: pytest.MonkeyPatch
):
    def offline(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", offline)
    table, found = article_vectors(encoder, pl.Series(range(5)), TEXTS)
    assert found.tolist() == [True, True, False, True, True]
    assert table[2].tolist() == [0] * 16
    for row in (0, 1, 3, 4):
        assert table[row] == pytest.approx(by_hand(encoder, TEXTS[row]), abs=1e-6)


def copied(folder: Path, place: Path, *, without: str = "") -> Path:
    for file in folder.iterdir():
        if file.name != without:
            (place / file.name).write_bytes(file.read_bytes())
    return place


@pytest.mark.parametrize("lacking", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_is_no_encoder_is_refused(encoder: Path, tmp_path: Path, lacking: str):
    folder = copied(encoder, tmp_path, without=lacking)
    said = "no safetensors in it" if lacking.startswith("model") else f"it lacks {lacking}"
    with pytest.raises(SavedModelError, match=said):
        article_vectors(folder, pl.Series(range(5)), TEXTS)


def test_weights_that_would_be_unpickled_are_refused(encoder: Path, tmp_path: Path):
    folder = copied(encoder, tmp_path, without="model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SavedModelError, match="would be unpickled"):
        article_vectors(folder, pl.Series(range(5)), TEXTS)


@pytest.mark.parametrize("told", [{"pooling_mode_mean_tokens": False}, {"pooling_mode": "cls"}])
def test_an_encoder_that_takes_no_mean_is_refused(encoder: Path, tmp_path: Path, told: dict[str, Any]):
    folder = copied(encoder, tmp_path)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match="no means over tokens"):
        article_vectors(folder, pl.Series(range(5)), TEXTS)


def test_an_encoder_needs_text(encoder: Path):
    with pytest.raises(DataError, match="no text for it to read"):
        article_vectors(encoder, IDS)
