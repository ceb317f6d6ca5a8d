"""The end of a history: what models that go by the last likes have in common."""

from __future__ import annotations

import numpy as np

from palate.interactions import Histories


def recent(events: Histories, last: int | None = None) -> Histories:
    """Return the likes of each history, without negative events; of these the `last` ones (None: all)."""
    liked = events.value >= 0
    if last is not None:
        after = np.cumsum(liked)  # likes up to each event; at the end of a history, all that count against it
        end = np.r_[0, after][events.indptr[1:]]
        liked = liked & (np.repeat(end, events.lengths) - after < last)
    elif liked.all():
        return events
    return events.where(liked)
