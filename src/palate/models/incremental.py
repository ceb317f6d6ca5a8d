"""More events, or a user less: what every fitted model knows, after a change, as a refit would have it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError
from palate.interactions import Histories, Interactions
from palate.models.algorithm import Fitted
from palate.models.contexts import signed_histories
from palate.vocabulary import Codes, Vocabulary


@dataclass(frozen=True)
class Change:
    """The new knowledge (its `state` is the old one), and where the old codes went."""

    fitted: Fitted
    users: Codes
    """(old users) new codes, -1 for a user that is gone"""
    items: Codes
    """(old items) new codes, -1 for an item that is gone"""


def extend(fitted: Fitted, events: Interactions) -> Change:
    """Return what is known with more events at the end. Raises DataError when times or kinds of ids do not match."""
    old, new = fitted.histories, signed_histories(events)
    if (old.time is None) != (new.time is None):
        has, lacks = ("train", "the events") if old.time is not None else ("the events", "train")
        raise DataError(f"{has} have times but {lacks} have none: give both or neither.")
    users = _union(fitted.users, events.users, "users")
    items = _union(fitted.items, events.items, "items")
    user_map, item_map = users.encode(fitted.users.ids), items.encode(fitted.items.ids)
    user = np.r_[np.repeat(user_map, old.lengths), np.repeat(users.encode(events.users.ids), new.lengths)]
    item = np.r_[item_map[old.item], items.encode(events.items.ids)[new.item]]
    time = None if old.time is None or new.time is None else np.r_[old.time, new.time]
    histories = _grouped(user, item, np.r_[old.value, new.value], time, len(users))
    # Order matters to the digest: the same events in two steps are another training.
    fingerprint = hashlib.sha256(f"{fitted.fingerprint}+{events.fingerprint}".encode()).hexdigest()
    changed = replace(
        fitted,
        users=users,
        items=items,
        histories=histories,
        popularity=_popularity(histories, len(items)),
        fingerprint=fingerprint,
    )
    return Change(changed, user_map, item_map)


def remove(fitted: Fitted, user: int) -> Change:
    """Return what is known without a user (code); items only they had go too. Raises DataError for the last user."""
    if len(fitted.users) == 1:
        raise DataError("this is the only user of the model: delete the model instead.")
    old = fitted.histories
    others = np.delete(np.arange(len(fitted.users)), user)
    rest = old.select(others)
    used = np.zeros(len(fitted.items), bool)
    used[rest.item] = True
    user_map = np.full(len(fitted.users), -1, np.int32)
    user_map[others] = np.arange(len(others), dtype=np.int32)
    item_map = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
    histories = replace(rest, item=item_map[rest.item])
    gone = hashlib.sha256(f"{fitted.fingerprint}-{fitted.users.ids[user]!r}".encode()).hexdigest()
    changed = replace(
        fitted,
        users=Vocabulary(fitted.users.ids.gather(others)),
        items=Vocabulary(fitted.items.ids.filter(pl.Series(used))),
        histories=histories,
        popularity=_popularity(histories, int(used.sum())),
        fingerprint=gone,
    )
    return Change(changed, user_map, item_map)


def liked_pairs(histories: Histories, n_items: int) -> tuple[NDArray[np.int64], Codes]:
    """Return the distinct items that each user likes, ascending, as CSR."""
    from palate.kernels import order

    liked = histories.value >= 0
    user = np.repeat(np.arange(len(histories), dtype=np.int32), histories.lengths)[liked]
    return order.distinct_pairs(user, histories.item[liked], len(histories), n_items)


def _popularity(histories: Histories, n_items: int) -> NDArray[np.int64]:
    return np.bincount(liked_pairs(histories, n_items)[1], minlength=n_items).astype(np.int64)


def _union(old: Vocabulary, new: Vocabulary, what: str) -> Vocabulary:
    if old.is_text != new.is_text:
        raise DataError(
            f"the {what} of train are {old.kind} ids, those of the events {new.kind}: give the same kind."
        )
    if (old.encode(new.ids) >= 0).all():
        return old
    return Vocabulary.of(pl.concat([old.ids, new.ids]))


def _grouped(
    user: Codes,
    item: Codes,
    value: NDArray[np.float32],
    time: NDArray[np.int64] | None,
    n_users: int,
) -> Histories:
    from palate.kernels import order

    indptr, rows = order.group_by_time(user, time, n_users)
    return Histories(indptr, item[rows], value[rows], None if time is None else time[rows])
