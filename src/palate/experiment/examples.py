"""A few users' recommendations with their reasons in item names, for people to judge with their own eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.evaluation.result import Example, Reason, Recommended
from palate.models import registry
from palate.vocabulary import Id

if TYPE_CHECKING:
    from palate.catalogue import Catalogue
    from palate.evaluation import Evaluation
    from palate.interactions import Interactions
    from palate.models.base import Recommender
    from palate.report.slices import Truth

ITEMS = 5
"""Recommendations shown per user."""
REASONS = 2
"""Reasons shown per recommendation."""
_PAST = 5


def choose_users(rows: NDArray[np.integer[Any]], n: int, *, seed: int) -> NDArray[np.int64]:
    """Return the places of `n` users of varied activity, quietest first: one at random from each n-th part.

    `rows` (users) counts each user's past rows; users without a past are not chosen.
    """
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] > 0]
    if n == 0:
        return np.zeros(0, np.int64)
    random = np.random.default_rng(seed)
    return np.array([random.choice(part) for part in np.array_split(order, n) if len(part)], dtype=np.int64)


def explains(name: str) -> bool:
    """Return whether a model of that name gives the user's own past items as reasons."""
    return "explain" in registry.get(name).verbs


def examples(
    model: Recommender,
    evaluation: Evaluation,
    *,
    past: Interactions,
    truth: Truth,
    catalogue: Catalogue | None,
    places: NDArray[np.int64],
    beyond_train: bool = False,
) -> list[Example]:
    """Return what `model` recommends to the test users at `places`, with reasons where it can give them.

    `past` holds what the model knows of the users: train, or the context of new users; with `beyond_train`
    it holds more of them than the model learnt from.
    """
    histories = past.histories()
    known = model.items.encode(past.items.ids)[past.item] >= 0
    told = []
    for place in places:
        user = evaluation.users[int(place)]
        code = past.users.code(user)
        start, end = (int(at) for at in histories.indptr[code : code + 2])
        history = list(dict.fromkeys(past.items.decode(histories.item[start:end][::-1]).to_list()))
        shown = past.select((past.user == code) & known)
        by_name = model.users.code(user) >= 0 and not (beyond_train and model.folds_in)
        taken = set(truth.item[truth.user == place].tolist())
        codes = evaluation.top[place][:ITEMS]
        codes = codes[codes >= 0]
        items = model.items.decode(codes).to_list()
        recommended = []
        for rank, (item, item_code) in enumerate(zip(items, codes.tolist(), strict=True), start=1):
            # a history brings the events behind the list, times and values too
            who = {"user": user} if by_name else {"history": shown}
            score, because = reasons(model, who, item, catalogue)
            recommended.append(
                Recommended(
                    item=str(item),
                    name=names_of(catalogue, [item])[0],
                    rank=rank,
                    score=score,
                    hit=item_code in taken,
                    reasons=because,
                )
            )
        told.append(
            Example(
                label=evaluation.label,
                user=str(user),
                history_length=len(history),
                history=names_of(catalogue, history[:_PAST]),
                held_out=len(taken),
                recommended=recommended,
            )
        )
    return told


def reasons(
    model: Recommender, who: dict[str, Any], item: Id, catalogue: Catalogue | None
) -> tuple[float | None, list[Reason]]:
    """Return the score, and the past items that speak most for it with their shares of all that does.

    `who` is what `explain` takes: a user or a history.
    """
    if not explains(model.name):
        return None, []
    told = model.explain(item=item, **who)
    spoken = told.contributions.filter(pl.col("contribution") > 0)
    total = float(spoken["contribution"].sum())
    spoken = spoken.head(REASONS)
    names = names_of(catalogue, spoken["item"].to_list())
    parts = zip(spoken["item"].to_list(), names, spoken["contribution"].to_list(), strict=True)
    return float(told.score), [
        Reason(item=str(past), name=name, share=value / total) for past, name, value in parts
    ]


def names_of(catalogue: Catalogue | None, items: list[Any]) -> list[str]:
    """Return how items are called."""
    return catalogue.names(items) if catalogue is not None else [str(item) for item in items]
