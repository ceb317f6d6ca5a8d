"""The end of a history: what models that go by the last likes have in common."""

from __future__ import annotations

import numpy as np

from palate.interactions import Histories


def recent(events: Histories, last: int | None = None) -> Histories:
    """Return the likes of each history, without negative events; of these the `last` ones (None: all)."""
    liked = events.value >= 0
    context = np.repeat(np.arange(len(events)), events.lengths)
    if last is not None:
        after = np.cumsum(liked)  # likes up to each event; at the end of a history, all that count against it
        end = np.r_[0, after][events.indptr[1:]]
        liked = liked & (end[context] - after < last)
    elif liked.all():
        return events
    indptr = np.concatenate([[0], np.cumsum(np.bincount(context[liked], minlength=len(events)))]).astype(
        np.int64
    )
    time = None if events.time is None else events.time[liked]
    return Histories(indptr, events.item[liked], events.value[liked], time)
