"""New users: some users are kept from training, and shown to the model by part of their history only."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from palate.errors import SplitError
from palate.interactions import Interactions
from palate.split.protocol import Cold, Protocol, Split, assemble, generator, one_of, percent, share
from palate.split.rows import CONTEXT, TEST, TRAIN, VALID, VALID_CONTEXT, counted, drawn, oldest

Flags = NDArray[np.bool_]


def new_users(
    data: Interactions,
    *,
    users: float = 0.1,
    context: float = 0.5,
    valid: float = 0.0,
    seed: int = 42,
    cold: Cold = "keep",
) -> Split:
    """Hold a random share of users out whole; show the model part of their history, test on the rest.

    Args:
        data: interactions; with times the older rows are shown, without times a random part is.
        users: share of the users of two rows or more that are held out (rounded, a half to even; at least
            one). Users of one row cannot be both shown and tested: they train.
        context: share of each held-out user's rows that is shown: rounded, but at least one row is shown and
            at least one tested.
        valid: share of the remaining users of two rows or more that validate, in the same way.
        seed: of the draw.
        cold: what becomes of test rows whose item train does not know (users are known by their context).

    Linear time and a sort for each held-out user. Raises SplitError for a share outside (0, 1) and where a
    part would be empty. Strong generalisation in the words of Marlin (2004); see Liang et al. (2018, WWW).

    """
    held, shown = share("users", users), share("context", context)
    validates, rng = share("valid", valid, zero=True), generator(seed)
    one_of("cold", cold, ("keep", "drop"))
    sizes = np.bincount(data.user, minlength=data.n_users)
    eligible = rng.permutation(np.flatnonzero(sizes >= 2))
    if len(eligible) == 0:
        raise SplitError(
            "new-users: no user has two rows, one to show and one to test. "
            "Use method 'random', or 'time' where there are times."
        )
    n_test = int(counted(np.array([len(eligible)]), held)[0])
    n_valid = int(counted(np.array([len(eligible) - n_test]), validates)[0]) if validates else 0

    part = np.full(len(data), TRAIN, np.uint8)
    for chosen, later, earlier in (
        (eligible[:n_test], TEST, CONTEXT),
        (eligible[n_test : n_test + n_valid], VALID, VALID_CONTEXT),
    ):
        is_chosen = np.zeros(data.n_users, np.bool_)
        is_chosen[chosen] = True
        rows = np.flatnonzero(is_chosen[data.user])
        part[rows] = np.where(_shown(data, rows, is_chosen, shown, rng), np.uint8(earlier), np.uint8(later))

    how = "oldest" if data.time is not None else "randomly drawn"
    also = f" and {percent(validates)} of the others for validation" if validates else ""
    protocol = Protocol(
        method="new-users",
        params={"users": users, "context": context, "valid": valid, "seed": seed, "cold": cold},
        words=f"New users: {percent(held)} of the users with two rows or more{also} are held out of training "
        f"(seed {seed}); the {how} {percent(shown)} of their rows are shown to the model, the rest test it.",
        weakness="Training has the other users' rows of the same period and later, so this measures new "
        "people, not new days; users of one row are never tested.",
    )
    advice = "Give more users, or other shares of users."
    return assemble(data, part, protocol, cold=cold, advice=advice)


def _shown(
    data: Interactions, rows: NDArray[np.int64], chosen: Flags, share: Fraction, rng: np.random.Generator
) -> Flags:
    codes = data.user[rows]
    sizes = np.bincount(codes, minlength=data.n_users)
    wanted = np.where(chosen, np.clip(counted(sizes, share), 1, sizes - 1), 0)
    return drawn(codes, wanted, rng) if data.time is None else oldest(codes, data.time[rows], wanted)
