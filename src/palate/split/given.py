"""A split that somebody else made: a published one, or the parts of a competition."""

from __future__ import annotations

import numpy as np
import polars as pl

from palate.errors import SplitError
from palate.interactions import Interactions, Labels
from palate.split.protocol import Cold, Protocol, Split, measured, one_of
from palate.vocabulary import Vocabulary


def given(
    train: Interactions,
    test: Interactions,
    valid: Interactions | None = None,
    *,
    candidates: Interactions | None = None,
    cold: Cold = "keep",
) -> Split:
    """Take parts that were made elsewhere, and count what a reader must know of them.

    `candidates` are the items that are to be ranked for each test user, where they came with lists. Linear in the
    rows. Raises SplitError where ids are integers in one part and text in the other, or where `cold = "drop"` leaves
    nothing.
    """
    one_of("cold", cold, ("keep", "drop"))
    for name, part in (("test", test), ("valid", valid)):
        if part is not None:
            _check_kinds(train, part, name)
    protocol = Protocol(
        method="given",
        params={"cold": cold},
        words="Given: the parts were made elsewhere and are taken as they are.",
        weakness="How the parts were made is not known here: whether training sees the test users' future, "
        "and whether settings were chosen on this test part.",
    )
    source = train if valid is None else joined(train, valid)
    return measured(
        train,
        test,
        valid,
        None,
        None,
        protocol=protocol,
        cold=cold,
        source=source,
        fits=np.ones(len(source), np.bool_),
        candidates=candidates,
    )


def joined(first: Interactions, second: Interactions) -> Interactions:
    """Return the rows of both, first's first. Times, events and baskets stay where both have them."""
    users, user = _merged(first.users, first.user, second.users, second.user)
    items, item = _merged(first.items, first.item, second.items, second.item)
    time = None
    if first.time is not None and second.time is not None:
        time = np.concatenate([first.time, second.time])
    event = _merged_labels(first.event, second.event)
    values = [part.value if event is not None else part.signed_value() for part in (first, second)]
    return Interactions(
        users=users,
        items=items,
        user=user,
        item=item,
        # Where only one side has event types they go, and a dislike must not become a like with them.
        value=np.concatenate(values),
        time=time,
        event=event,
        basket=_merged_labels(first.basket, second.basket),
        has_values=first.has_values or second.has_values,
        negative_events=tuple(dict.fromkeys(first.negative_events + second.negative_events)),
        dropped=first.dropped + second.dropped,
    )


def _merged(
    names: Vocabulary, codes: np.ndarray, other: Vocabulary, others: np.ndarray
) -> tuple[Vocabulary, np.ndarray]:
    merged = Vocabulary.of(pl.concat([names.ids, other.ids]))
    return merged, np.concatenate([merged.encode(names.ids)[codes], merged.encode(other.ids)[others]])


def _merged_labels(first: Labels | None, second: Labels | None) -> Labels | None:
    if first is None or second is None:
        return None
    names, codes = _merged(first.names, first.codes, second.names, second.codes)
    return Labels(codes, names)


def _check_kinds(train: Interactions, part: Interactions, name: str) -> None:
    for role, ours, theirs in (("user", train.users, part.users), ("item", train.items, part.items)):
        if ours.is_text != theirs.is_text:
            raise SplitError(
                f"given: {role} ids are {ours.kind} in train and {theirs.kind} in {name}, so none would be "
                "known. Read both with the same type of ids."
            )
