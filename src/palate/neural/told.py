"""How a training went, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_WRITTEN = {"ndcg": "nDCG", "auc": "AUC", "mrr": "MRR", "nll": "-NLL"}
"""measures that are not written in small letters; of the loss, validation tells the negative"""


def measure(name: str) -> str:
    """Return a figure of validation as people write it.

    >>> measure("valid_ndcg@10"), measure("valid_impression_auc")
    ('nDCG@10', 'impression AUC')
    """
    words = (word.partition("@") for word in name.removeprefix("valid_").split("_"))
    return " ".join(_WRITTEN.get(word, word) + at + k for word, at, k in words)


def closing(trace: Sequence[Mapping[str, float]], *, epochs: int, patience: int) -> str:
    """Return which epoch was kept, how good it was, and what ended training; nothing where no validation said it.

    Args:
        trace: a row for each epoch or round, as `loop.train` notes them; of several trainings, the last is told.
        epochs: how many were asked for.
        patience: rows without a better one before training stops.

    >>> rows = [{"epoch": n + 1, "valid_ndcg@10": value} for n, value in enumerate([0.2, 0.5, 0.4, 0.3])]
    >>> closing(rows, epochs=40, patience=2)
    'best: epoch 2 of 4, validation nDCG@10 0.5; stopped by patience (2)'
    >>> closing(rows[:2], epochs=2, patience=2)
    'best: epoch 2 of 2, validation nDCG@10 0.5; still rising: raise epochs'
    """
    begins = [place for place, row in enumerate(trace) if place and row["epoch"] <= trace[place - 1]["epoch"]]
    rows = trace[begins[-1] if begins else 0 :]
    name = next((key for key in (rows[0] if rows else {}) if key.startswith("valid_")), "")
    if not name:
        return ""
    values = [row[name] for row in rows]
    best, last = values.index(max(values)), len(rows) - 1
    end = ""
    if best == last:
        end = "; still rising: raise epochs" if rows[last]["epoch"] >= epochs else ""
    elif last - best >= patience:
        end = f"; stopped by patience ({patience})"
    said = f"{measure(name)} {values[best]:.3g}"
    return f"best: epoch {rows[best]['epoch']:g} of {rows[last]['epoch']:g}, validation {said}{end}"
