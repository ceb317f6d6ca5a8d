"""What in a data set will mislead whoever evaluates on it, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palate.datasets.describe import Description, Times, Values

_TIED = 0.2
_SESSION_HOURS = 1.0


def warnings_about(facts: Description) -> Iterator[str]:
    """Yield one sentence or two for each thing that will mislead: what it is, then what to do."""
    if facts.rows < 1_000 or facts.users < 50:
        yield (
            f"Only {facts.rows:,} rows of {facts.users:,} users: differences between models will be luck;"
            " read the intervals."
        )
    if facts.times is None:
        yield (
            "No times: no split by time and no decay, and models of what comes next take the rows' order for it; any"
            " other split trains on users' futures."
        )
    else:
        yield from _of_times(facts.times, facts)
    if facts.values is not None:
        yield from _of_values(facts.values)
    yield from _of_counts(facts)
    if facts.repeated_share >= 0.05:
        yield (
            f"{facts.repeated_share:.0%} of the rows repeat a pair: exclude_seen takes repetitions out of the"
            " truth. Does a repetition say more than once? Set repeats: keep, sum, first or last."
        )
    if facts.doubled:
        rows = "1 row is" if facts.doubled == 1 else f"{facts.doubled:,} rows are"
        yield (
            f"{rows} another row again (same user, item and time): models that read order (sasrec,"
            " markov, session_knn) take such a row for a step from an item to itself. repeats = first (--repeats first)"
            " leaves one row of a pair."
        )
    if facts.negative:
        yield (
            f"{facts.negative:,} rows say 'not this' (a value below zero or a negative event):"
            " no model takes them for likes."
        )
    if facts.catalogue_items is not None and facts.catalogue_items < facts.items:
        missing = facts.items - facts.catalogue_items
        yield (
            f"The catalogue lacks {missing:,} of {facts.items:,} items ({missing / facts.items:.0%}):"
            " they have no name, and no filter admits them."
        )


def _of_times(times: Times, facts: Description) -> Iterator[str]:
    if times.equal:
        yield "All rows have the same time: order is file order; do not split by time, and leave decay out."
        return
    if times.last < "1980":
        yield (
            f"Times end on {times.last}: they look like places in a history, or like another unit."
            " Per-user order is good; do not split by global time or decay by days; else give time_unit."
        )
    elif times.last > "2100":
        yield f"Times run to {times.last}: the unit looks wrong; give time_unit (ms, us or ns)."
    if times.tied_share >= _TIED:
        word = "baskets" if facts.baskets is not None else "baskets or bulk imports"
        yield (
            f"{times.tied_share:.0%} of consecutive events of a user share a timestamp ({word}): the 'next"
            " item' inside"
            " one is file order. Evaluate by time or by basket, not last-out."
        )
    if times.last >= "1980" and times.median_span_hours < _SESSION_HOURS and facts.by_user.mean >= 2:
        yield (
            f"Half of the users did everything within {times.median_span_hours * 60:.0f} minutes: their"
            " order is the"
            " order of a form or a session, and a split by time leaves most users on one side."
        )


def _of_values(values: Values) -> Iterator[str]:
    if values.distinct == 1:
        yield (
            f"Every value is {values.min:g}: the column says nothing; leave it out (value = false in a plan,"
            " --value none on the command line), and do not report rating errors."
        )
    elif values.min >= 0 and 3 <= values.distinct <= 21 and values.max <= 10:
        yield (
            f"Values of {values.min:g} to {values.max:g} look like ratings: a row counts as relevant"
            " whatever its value"
            " unless you give relevant_from."
        )
    elif values.max > 50 * max(values.mean, 1e-9):
        yield (
            f"Values reach {values.max:,.0f} and their mean is {values.mean:.1f}: a few rows outweigh all"
            " others in"
            " models that add values up."
        )


def _of_counts(facts: Description) -> Iterator[str]:
    users, items = facts.by_user, facts.by_item
    if users.quantiles["median"] < 5:
        yield (
            f"Half of the users have {users.quantiles['median']:.0f} rows or fewer ({users.once:,} have one):"
            " a split leaves them little to learn from; min_user = 5 keeps those with more, and must be"
            " reported."
        )
    if users.top1_share >= 0.15:
        yield (
            f"The busiest 1 % of users hold {users.top1_share:.0%} of the rows (the first alone"
            f" {users.quantiles['max']:,.0f}):"
            " means over rows are theirs; read means over users."
        )
    if items.top1_share >= 0.15:
        yield (
            f"The top 1 % of items hold {items.top1_share:.0%} of the rows: popularity alone will score well;"
            " keep it on the board, and look at coverage and novelty."
        )
    if items.once >= 0.3 * facts.items:
        yield (
            f"{items.once:,} of {facts.items:,} items occur once: nothing can be learnt about them from"
            " pairs;"
            " min_item = 5 leaves them out, and must be reported."
        )
