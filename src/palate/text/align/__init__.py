"""Teaching a language model from long texts: SFT, and what prefers one side of a pair (I-ORPO, ORPO, DPO, SimPO).

I-ORPO shows one text under the instruction that it follows and under one that it does not. The loss needs of each side
only the log-probability of the text, so there are two ways to its gradient, which give the same one:

    joint      both sides in one batch
    two-pass   the other side first, without a graph; then each side alone, the other a constant, and with `recompute`
               a group of layers at a time: the least memory, for a third more work or somewhat above

A step is of `batch` pairs, `micro` of them at a time; -log P is divided by the tokens of the whole step and the
preference by its pairs, so how a step is cut changes nothing (and neither does the number of processes, nor whether
the model is shared out among them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palate.errors import DataError
from palate.neural import devices, loop
from palate.text.align import sharding
from palate.text.align.network import as_the_adapter, recompute, trainable
from palate.text.align.pairs import Pair, token_pairs
from palate.text.align.task import Alignment, Weights
from palate.text.align.training import PRESETS, Method, Preset, Training, preset
from palate.text.language_model import LanguageModel, to_precision

__all__ = ["PRESETS", "Method", "Outcome", "Pair", "Preset", "Training", "align", "preset"]


_CUT = {"device", "epochs", "patience", "mode", "micro", "recompute", "shard"}
"""settings by which no gradient changes, but for what dropout draws"""


@dataclass(frozen=True)
class Outcome:
    """A trained model, and how it came about."""

    model: LanguageModel
    trace: list[dict[str, float]]
    """a row for each round"""
    notes: tuple[str, ...]
    """what was cut or left out"""
    trained: int
    """how many weights were trained"""
    training: Training
    """the settings; where an adapter went on, those of LoRA are its own"""


def align(
    model: LanguageModel,
    pairs: Sequence[Pair],
    training: Training,
    *,
    valid: Sequence[Pair] = (),
    checkpoint: Path | None = None,
    note: Callable[..., None] | None = None,
) -> Outcome:
    """Train a model on pairs; it is changed in place, and returned as an adapter around it where LoRA was asked for.

    With LoRA and `precision = "bfloat16"` the weights that stay as they are become bfloat16, which halves them.

    Args:
        model: what to start from.
        pairs: what to learn; SFT reads the preferred side alone.
        training: how.
        valid: pairs of other sources: when to stop, and which round's weights to keep.
        checkpoint: folder of the state after each round; a training that was stopped goes on from there.
        note: is told each round's figures.

    Raises:
        PlanError, DataError: an empty prompt or answer, a pair too long, a pair whose sides are the same.
        PalateError: the first losses are no finite numbers, or memory ran out.

    """
    rows, notes = token_pairs(model, pairs, training, "pair")
    held, more = token_pairs(model, valid, training, "validation pair")
    notes += more
    if not rows:
        raise DataError("no pair is left to learn. " + " ".join(notes))
    devices.return_memory()
    training, told = as_the_adapter(model, training)
    notes += told
    identity = _identity(model, rows, held, training) if checkpoint is not None else ""
    if training.rank and training.precision == "bfloat16":
        to_precision(model.network, training.precision)
    network = trainable(model, training)
    empty = sharding.share_out(network, training) if training.shard else None
    trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
    task = Alignment(Weights(network), rows, held, training, sharding.shares(training))
    steps = len(task.batches(np.random.default_rng(0))) * training.epochs
    trace: list[dict[str, float]] = []

    def keep(**row: float) -> None:
        trace.append(row)
        if note is not None:
            note(**row)

    course = loop.Course(
        epochs=training.epochs,
        rounds=training.rounds,
        learning_rate=training.learning_rate,
        seed=training.seed,
        weight_decay=training.weight_decay,
        betas=(0.9, 0.999),
        warmup=round(training.warmup * steps),
        schedule="cosine",
        clip=training.clip,
        patience=training.patience,
        device=training.device,
        precision=training.precision,
        unit="pairs",
        checkpoint=checkpoint,
        identity=identity,
        about={"model": f"{training.method} of {model.name}", **training.model_dump(exclude=_CUT)},
        advice=(
            f"Lower max_tokens, or micro ({training.micro}); set mode = two-pass, recompute = true, precision "
            "= bfloat16."
        ),
        remedy=f"Lower learning_rate ({training.learning_rate:g}), or set clip = 1.",
    )
    if training.method == "dpo":
        task.look_up_reference(devices.pick(training.device))
    loop.train(task, course, keep)
    network.eval()
    recompute(network, False)
    if empty is not None:
        network = sharding.put_together(network, empty)
    base = (model.base or model.name) if training.rank else ""
    return Outcome(
        LanguageModel(network, model.tokenizer, model.name, model.template, base),
        trace,
        tuple(notes),
        trained,
        training,
    )


def _identity(model: LanguageModel, rows: list[Any], held: list[Any], training: Training) -> str:
    """Return a digest of what a checkpoint belongs to.

    Not of how a step is cut, which changes no gradient: so a training that ran out of memory goes on in less.
    """
    told = sorted(training.model_dump(exclude=_CUT).items())
    return hashlib.sha256(repr((model.digest(), model.template, told, rows, held)).encode()).hexdigest()
