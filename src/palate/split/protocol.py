"""What a split is: its parts, its protocol in words with the weakness, the counts a reader must know."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.errors import SplitError
from palate.interactions import Interactions
from palate.split.rows import CONTEXT, TEST, TRAIN, VALID, VALID_CONTEXT

Cold = Literal["keep", "drop"]


@dataclass(frozen=True)
class Protocol:
    """How the parts were made: method and parameters, and plain sentences for a report to print."""

    method: str
    """Name in a plan: `random`, `stratified`, `chronological`, `last-out`, `time`, `new-users`, `new-items`,
    `given`."""
    params: dict[str, object]
    """Every parameter, defaults filled in."""
    words: str
    """What was done, with the exact counts."""
    weakness: str
    """What a figure measured this way does not tell."""


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of one split. Each part has its own vocabularies: what train lacks, train does not know."""

    train: Interactions
    """What models are fitted on."""
    test: Interactions
    """What they are judged by."""
    valid: Interactions | None
    """For tuning; taken out of train, so the test part is the same with and without it."""
    context: Interactions | None
    """New users only: the test users' rows that the model is shown (and not fitted on)."""
    valid_context: Interactions | None
    """New users only: the same for the validation users."""
    protocol: Protocol
    """How the parts came about, and what that hides."""
    cold_rows: int
    """Test rows whose user or item train does not know, counted before `cold = "drop"` takes them out."""
    cold_users: int
    """Distinct users of the test part that train does not know (new users are known by their context)."""
    cold_items: int
    """Distinct items of the test part that train does not know."""
    seen_rows: int
    """Test rows whose user and item stand together in train (in the context, for new users): repeats."""
    source: Interactions = field(repr=False)
    """What the parts were cut from (for `given`: train and validation, joined)."""
    fits: NDArray[np.bool_] = field(repr=False)
    """The rows of `source` that may be fitted on before the test: train and validation."""
    candidates: Interactions | None = None
    """Given splits only: what is to be ranked for each test user, where the parts came with lists."""

    def train_and_valid(self) -> Interactions:
        """Return train and validation as one table, in the source's order, to fit again before the test."""
        return self.train if self.valid is None else self.source.select(self.fits)


def assemble(
    data: Interactions, part: NDArray[np.uint8], protocol: Protocol, *, cold: Cold, advice: str
) -> Split:
    """Cut `data` by each row's `part` and count. Raises SplitError with `advice` where a part is left empty.

    A validation or context part is made where `part` has such a row or `protocol.params` asks for validation.
    """

    def cut(code: int) -> Interactions | None:
        rows = part == code
        return data.select(rows) if rows.any() else None

    train, test, valid = cut(TRAIN), cut(TEST), cut(VALID)
    for name, value in (("train", train), ("test", test), ("valid", valid)):
        if value is None and (name != "valid" or protocol.params.get("valid")):
            raise SplitError(
                f"{protocol.method}: no row is left for the {name} part, of {len(data):,} rows. {advice}"
            )
    assert train is not None
    assert test is not None
    fits = (part != TEST) & (part != CONTEXT)
    return measured(
        train,
        test,
        valid,
        cut(CONTEXT),
        cut(VALID_CONTEXT),
        protocol=protocol,
        cold=cold,
        source=data,
        fits=fits,
    )


def measured(
    train: Interactions,
    test: Interactions,
    valid: Interactions | None,
    context: Interactions | None,
    valid_context: Interactions | None,
    *,
    protocol: Protocol,
    cold: Cold,
    source: Interactions,
    fits: NDArray[np.bool_],
    candidates: Interactions | None = None,
) -> Split:
    """Count cold and seen test rows, take the cold ones out where asked, and say all of it in the words."""
    before = len(test)
    cold_users, cold_items, cold_rows = _cold(train, context, test)
    n_cold = int(cold_rows.sum())
    if cold == "drop":
        test = _without(test, cold_rows, "test", protocol)
        if valid is not None:
            valid = _without(valid, _cold(train, valid_context, valid)[2], "valid", protocol)
    seen = _seen(context if context is not None else train, test)

    words = [protocol.words, f"{_rows(train)} train"]
    words[-1] += f", {_rows(valid)} validate" if valid is not None else ""
    words[-1] += f", {_rows(context)} are shown as context" if context is not None else ""
    words[-1] += f", {_rows(test)} test."
    if n_cold:
        unknown = f"{_many(cold_users, 'user')} and {_many(cold_items, 'item')} that train does not know"
        fate = "were dropped" if cold == "drop" else "stay, misses for models that know rows alone"
        words.append(f"{n_cold:,} of {before:,} test rows are cold ({unknown}); they {fate}.")
    if seen:
        words.append(
            f"{_many(seen, 'test row')} repeat{'s' if seen == 1 else ''} a pair that the model was shown."
        )
    return Split(
        train=train,
        test=test,
        valid=valid,
        context=context,
        valid_context=valid_context,
        protocol=replace(protocol, words=" ".join(words)),
        cold_rows=n_cold,
        cold_users=cold_users,
        cold_items=cold_items,
        seen_rows=seen,
        source=source,
        fits=fits,
        candidates=candidates,
    )


def _cold(
    train: Interactions, context: Interactions | None, other: Interactions
) -> tuple[int, int, NDArray[np.bool_]]:
    """Return how many users and items of `other` are unknown, and a flag for each row that has one."""
    user = train.users.encode(other.users.ids) < 0
    if context is not None:
        user &= context.users.encode(other.users.ids) < 0
    item = train.items.encode(other.items.ids) < 0
    return int(user.sum()), int(item.sum()), user[other.user] | item[other.item]


def _without(part: Interactions, cold: NDArray[np.bool_], name: str, protocol: Protocol) -> Interactions:
    if cold.all():
        raise SplitError(
            f"{protocol.method}: every {name} row has a user or an item that train does not know, so "
            "cold = 'drop' leaves none. Give cold = 'keep', or train on more rows."
        )
    return part.select(~cold) if cold.any() else part


def _seen(shown: Interactions, test: Interactions) -> int:
    """Count the test rows whose pair stands in `shown`. Linear; 8 bytes a row of each."""
    from palate.kernels import order, partition

    item = shown.items.encode(test.items.ids)[test.item]
    user = shown.users.encode(test.users.ids)[test.user]
    known = user >= 0
    if not known.all():
        user, item = user[known], item[known]
    earlier = order.group(shown.user, shown.n_users)
    later = order.group(user, shown.n_users)
    return int(partition.count_met(*earlier, shown.item, *later, item, shown.n_items))


def _rows(part: Interactions) -> str:
    return f"{_many(len(part), 'row')} of {_many(part.n_users, 'user')}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def share(name: str, value: object, *, zero: bool = False) -> Fraction:
    """Return a share between 0 and 1 as the fraction it was written as. Raises SplitError for others.

    `zero` allows 0, which means none. Shares are told apart to a millionth.
    """
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value):
        if 0 < value < 1 or (zero and value == 0):
            return Fraction(float(value)).limit_denominator(1_000_000)
        hint = f" Did you mean {value / 100:g}?" if 1 < value < 100 else ""
    else:
        hint = ""
    allowed = "0 (none) or a share between 0 and 1" if zero else "a share between 0 and 1 (neither included)"
    raise SplitError(f"{name} = {value!r}: expected {allowed}, such as {0.1 if zero else 0.75}.{hint}")


def generator(seed: object) -> np.random.Generator:
    """Return a generator of its own for `seed`: NumPy's global state is neither read nor set."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise SplitError(f"seed = {seed!r}: expected a whole number from 0 up, such as 42.")
    return np.random.default_rng(int(seed))


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise SplitError unless `value` is one of `choices`."""
    if value not in choices:
        raise SplitError(f"{name} = {value!r}: expected {' or '.join(map(repr, choices))}.")


def percent(value: Fraction) -> str:
    """Return a share as a reader says it.

    >>> percent(Fraction(3, 4))
    '75 %'
    """
    return f"{float(100 * value):.6g} %"


def validating(valid: Fraction) -> str:
    """Return what a sentence says of the validation share, nothing where there is none."""
    return f" ({percent(valid)} of these validate)" if valid else ""
