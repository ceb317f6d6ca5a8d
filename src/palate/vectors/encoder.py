"""Texts to vectors, by a sentence encoder in a folder: the mean of the last layer over the tokens that are there.

Reimers and Gurevych, "Sentence-BERT", EMNLP 2019. The folder is one of transformers, such as all-MiniLM-L6-v2's:
config.json, tokenizer.json and safetensors. It is read as it lies there: no hub is asked, nothing is unpickled, and
code that comes with it is not run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, SavedModelError, listing, need
from palate.pretrained import quiet, safe
from palate.progress import progress
from palate.vocabulary import Vocabulary

TOKENS = 256
"""of a text that are read, at most"""
_BATCH = 64  # texts of like length at a time
_NEEDED = ("config.json", "tokenizer.json")


def encode(folder: Path, texts: pl.Series) -> NDArray[np.float32]:
    """Return the vectors of texts, (texts, size); a text that stands twice is read once.

    Time: about 2 x weights operations a token (of all-MiniLM-L6-v2, 11 million beside its table of words).

    Raises:
        MissingExtra: torch or transformers is not installed.
        SavedModelError: a folder that is no encoder, or whose weights would be unpickled.
        DataError: an encoder that takes something else than the mean, or writes texts.

    """
    for package in ("torch", "transformers"):
        need(package, extra="text", what="an encoder of sentences")
    import torch

    from palate.neural.devices import pick

    network, tokenizer = _read(folder)
    device = pick("auto")
    network = network.to(device).eval()
    distinct, place = Vocabulary.factorise(texts)
    tokens = [one.ids for one in tokenizer.encode_batch(distinct.ids.to_list())]
    order = np.argsort([len(one) for one in tokens], kind="stable")
    table = np.empty((len(tokens), int(network.config.hidden_size)), np.float32)
    with torch.inference_mode(), progress("Encoding", total=len(order), unit="texts") as advance:
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            ids, there = _padded([tokens[row] for row in some])
            told = {"input_ids": ids.to(device), "attention_mask": there.to(device)}
            weight = told["attention_mask"][:, :, None].float()
            total = (network(**told).last_hidden_state.float() * weight).sum(dim=1)
            table[some] = (total / weight.sum(dim=1).clamp(min=1)).cpu().numpy()
            advance(len(some))
    return table[place]


def _padded(tokens: list[list[int]]) -> tuple[Any, Any]:
    """Return (texts, longest) ids, and 1 where there is one: what stands elsewhere is not looked at."""
    import torch

    longest = max(1, *map(len, tokens))
    ids = torch.tensor([[*one, *[0] * (longest - len(one))] for one in tokens])
    there = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in tokens])
    return ids, there


def _read(folder: Path) -> tuple[Any, Any]:
    """Return the network and the tokenizer of a folder."""
    lacking = [name for name in _NEEDED if not (folder / name).is_file()]
    if lacking:
        raise SavedModelError(
            f"{folder} is no encoder of sentences: it lacks {listing(lacking)}. Give a folder with config.json, "
            "tokenizer.json and model.safetensors, such as all-MiniLM-L6-v2's."
        )
    safe(folder)
    _pools_by_mean(folder)
    from tokenizers import Tokenizer
    from transformers import AutoModel

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with quiet():
            network = AutoModel.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
            ).float()
    except Exception as error:  # transformers, tokenizers and safetensors have no error in common
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise SavedModelError(f"{folder}: transformers cannot read it ({words[0][:200]}).") from error
    if network.config.is_encoder_decoder or not hasattr(network.config, "hidden_size"):
        raise DataError(f"{folder} holds a {network.config.model_type}, which is no encoder of sentences.")
    # Some encoders count positions from 2.
    room = int(getattr(network.config, "max_position_embeddings", None) or TOKENS + 2) - 2
    tokenizer.no_padding()
    tokenizer.enable_truncation(max(min(TOKENS, room), 1))
    return network, tokenizer


def _pools_by_mean(folder: Path) -> None:
    """Refuse an encoder that says that its vectors are not means: they would be others than its makers'."""
    about = folder / "1_Pooling" / "config.json"
    if not about.is_file():
        return
    try:
        told = dict(json.loads(about.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise SavedModelError(f"{about} is torn or altered: get the folder again.") from error
    if not told.get("pooling_mode_mean_tokens", told.get("pooling_mode", "mean") == "mean"):
        raise DataError(
            f"{folder}: its vectors are no means over tokens (1_Pooling/config.json), and no others are made here. "
            "Write them to a file with their ids, and give that."
        )
