"""Splits by time: inside each user's or item's rows, the last row of each user, or one day for all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.errors import SplitError
from palate.interactions import Interactions
from palate.split.protocol import Cold, Protocol, Split, assemble, one_of, percent, share, validating
from palate.split.rows import TEST, TRAIN, VALID, Rows, Taken, counted, divide, oldest

Order = Literal["time", "file"]
Moment = str | date | float
Seconds = NDArray[np.int64]

_OTHERS_FUTURE = (
    "Every {by} has a boundary of its own, so training sees what other {by}s did after this {by}'s test "
    "rows: what is popular later leaks in. Compare with a split by time."
)


def chronological(
    data: Interactions,
    *,
    ratio: float = 0.75,
    valid: float = 0.0,
    by: Literal["user", "item"] = "user",
    order: Order = "time",
    cold: Cold = "keep",
) -> Split:
    """Train on the oldest `ratio` of each user's (or item's) rows; test on the rest.

    Of n rows exactly `ratio * n` train, rounded (a half to even), and at least one. Equal times go by row
    order. `valid` is the share of train's rows, the latest of each user, that validate instead.
    `order = "file"` takes the rows to stand oldest first and needs no times. Linear time and a sort for each
    user; 9 bytes a row beside the parts. Raises SplitError without times, for a share outside (0, 1), and
    where a part would be empty.
    """
    trains, validates = share("ratio", ratio), share("valid", valid, zero=True)
    one_of("cold", cold, ("keep", "drop"))
    one_of("by", by, ("user", "item"))
    time = _ordering(data, "chronological", order)
    codes, n = (data.user, data.n_users) if by == "user" else (data.item, data.n_items)

    def choose(rows: Rows, part: Fraction) -> Taken:
        wanted = counted(np.bincount(codes[rows], minlength=n), part)
        return oldest(codes[rows], None if time is None else time[rows], wanted)

    part = divide(len(data), choose, trains, validates)
    protocol = Protocol(
        method="chronological",
        params={"ratio": ratio, "valid": valid, "by": by, "order": order, "cold": cold},
        words=f"By {order} order per {by}: the first {percent(trains)} of each {by}'s rows (at least one) "
        f"train{validating(validates)}, the rest test.",
        weakness=_OTHERS_FUTURE.format(by=by),
    )
    advice = (
        f"Every {by} keeps at least one row in train: give a lower ratio, or use method 'time' or 'random'."
    )
    return assemble(data, part, protocol, cold=cold, advice=advice)


def last_out(
    data: Interactions, *, valid: bool | float = False, order: Order = "time", cold: Cold = "keep"
) -> Split:
    """Test on each user's last row; with `valid` (true, or any share), the last but one validates; the rest trains.

    At least one row of every user trains: a user of one row has no test row, a user of two no validation row.
    Equal times go by row order. `order = "file"` takes the rows to stand oldest first and needs no times.
    Cost and errors as `chronological`. The leave-one-out protocol of He et al. (2017, WWW) and, with
    validation, of Kang and McAuley (2018, ICDM), who leave users of fewer than three rows wholly in train.
    """
    one_of("cold", cold, ("keep", "drop"))
    if not isinstance(valid, (int, float, np.bool_, np.number)) or not 0 <= valid <= 1:
        raise SplitError(
            f"valid = {valid!r}: expected true or false; a share between 0 and 1, as others take, counts as true."
        )
    time = _ordering(data, "last-out", order)

    def all_but_last(rows: Rows, _: Fraction) -> Taken:
        sizes = np.bincount(data.user[rows], minlength=data.n_users)
        wanted = np.maximum(sizes - 1, np.minimum(sizes, 1))
        return oldest(data.user[rows], None if time is None else time[rows], wanted)

    part = divide(len(data), all_but_last, Fraction(1), Fraction(int(bool(valid))))
    protocol = Protocol(
        method="last-out",
        params={"valid": bool(valid), "order": order, "cold": cold},
        words=f"Last out, by {order} order: each user's last row tests, "
        f"{'the last but one validates, ' if valid else ''}the rest trains.",
        weakness=_OTHERS_FUTURE.format(by="user")
        + " One row a user also makes each user's figure all or nothing.",
    )
    needs = (
        "three rows (validation takes the last but one; valid = false leaves it out)" if valid else "two rows"
    )
    return assemble(data, part, protocol, cold=cold, advice=f"Some user must have at least {needs}.")


def by_time(data: Interactions, *, at: Moment, valid: Moment = 0.0, cold: Cold = "keep") -> Split:
    """Train on what happened before a moment, test on what happened from then on; one moment for everybody.

    Args:
        data: interactions with times.
        at: an ISO date or time ("2011-10-01", UTC unless it says otherwise; that second is in test), or the
            share of rows that train. Rows of one second are never parted: a share takes the boundary between
            two seconds that is nearest to it.
        valid: likewise inside train: the share of train's rows, the latest, that validate; or a moment before
            `at`.
        cold: what becomes of test rows that train does not know.

    Linear; 8 bytes a row beside the parts. Raises SplitError without times, for a moment that is neither a
    date nor a share, and where a part would be empty.

    """
    one_of("cold", cold, ("keep", "drop"))
    time = _ordering(data, "time", "time")
    assert time is not None
    cut = _boundary("at", at, time)
    part = np.where(time < cut, np.uint8(TRAIN), np.uint8(TEST))
    words = f"By time: rows before {moment(cut)} train, rows from then on test"
    if valid:
        if isinstance(valid, (str, date)):
            valid_cut = _boundary("valid", valid, time)
        else:
            trains = time[part == TRAIN]
            valid_cut = _boundary("at", float(1 - share("valid", valid)), trains) if len(trains) else cut
        part[(part == TRAIN) & (time >= valid_cut)] = VALID
        words += f"; of train, rows from {moment(valid_cut)} on validate"
    protocol = Protocol(
        method="time",
        params={"at": _plain(at), "valid": _plain(valid), "cold": cold},
        words=words + ".",
        weakness="One boundary, one test period: the figure has the luck of that season in it. Users who are "
        "new after it count as misses for models that need a history, and users who left are not tested.",
    )
    advice = f"The times run from {moment(int(time.min()))} to {moment(int(time.max()))}."
    return assemble(data, part, protocol, cold=cold, advice=advice)


def moment(seconds: int) -> str:
    """Return seconds since 1970 as an ISO time, UTC; only the date at midnight.

    >>> moment(1317427200), moment(1317427201)
    ('2011-10-01', '2011-10-01T00:00:01')
    """
    return str(np.datetime64(seconds, "s")).removesuffix("T00:00:00")


def _ordering(data: Interactions, method: str, order: Order) -> Seconds | None:
    """Return the times to order by, None for file order. Raises SplitError where they are missing."""
    one_of("order", order, ("time", "file"))
    if order == "file":
        return None
    if data.time is None:
        other = (
            "use method 'random'"
            if method == "time"
            else "give order = 'file' if the rows stand oldest first"
        )
        raise SplitError(
            f"{method} needs times, and the table has none. Name the column of times, {other}, "
            "or use method 'stratified'."
        )
    return data.time


def _boundary(name: str, at: Moment, time: Seconds) -> int:
    """Return the first second of the later part. `at` is a moment, or the share of rows that come before."""
    if isinstance(at, (str, date)):
        return _seconds(name, at)
    target = int(counted(np.array([len(time)]), share(name, at))[0])
    second = np.partition(time, min(target, len(time) - 1))[min(target, len(time) - 1)]
    below, upto = int((time < second).sum()), int((time <= second).sum())
    if upto < len(time) and (below == 0 or upto - target < target - below):
        return int(time[time > second].min())
    return int(second)


def _seconds(name: str, at: str | date) -> int:
    """Return the first whole second that is not before `at`."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.strip())
        except ValueError:
            raise SplitError(
                f"{name} = {at!r} is no date: expected one such as '2011-10-01' or '2011-10-01T12:00', "
                "or a share such as 0.8."
            ) from None
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return -((datetime(1970, 1, 1, tzinfo=UTC) - at) // timedelta(seconds=1))


def _plain(value: Moment) -> str | float:
    return value.isoformat() if isinstance(value, date) else value
