"""A data set on one screen: how much, how concentrated, how old, and what will mislead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from palate.cli.show import Figure, print_table, shown
from palate.cli.style import bold

if TYPE_CHECKING:
    from palate.datasets.describe import Bar, Counts, Description

_BAR = 40  # columns of the longest bar


def print_portrait(one: Description) -> None:
    """Print a description for people."""
    print(bold(f"{one.name}: {one.rows:,} interactions of {one.users:,} users and {one.items:,} items"))
    facts = list(_facts(one))
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        print(f"  {name:<{width}}  {fact}")
    print()
    names = list(one.by_user.quantiles)
    print_table(
        ("rows of", "mean", *names, "Gini", "top 1 % have"),
        (_counts(who, counts) for who, counts in (("a user", one.by_user), ("an item", one.by_item))),
    )
    for title, counts in (("Users by their rows", one.by_user), ("Items by their rows", one.by_item)):
        print(f"\n{bold(title)}")
        _bars(counts.histogram)
    for title, lines in (("While reading", one.notes), ("What will mislead", one.warnings)):
        if lines:
            print(f"\n{bold(title)}")
            print("\n".join(f"- {line}" for line in lines))


def _facts(one: Description) -> Iterator[tuple[str, str]]:
    yield (
        "pairs",
        f"{one.pairs:,}, {_percent(one.density)} of all; {_percent(one.repeated_share)} of rows repeat one",
    )
    if one.values is not None:
        values = one.values
        span = f"{shown(values.min)} to {shown(values.max)}, mean {shown(values.mean)}"
        yield "values", f"{span}; {values.distinct:,} different ones"
    if one.times is not None:
        tied = f"{_percent(one.times.tied_share)} of a user's neighbouring rows share a time"
        yield "times", f"{one.times.first} to {one.times.last} ({one.times.days:,.0f} days); {tied}"
    if one.events is not None:
        yield "events", ", ".join(f"{name} {rows:,}" for name, rows in one.events.items())
    if one.baskets is not None:
        yield "baskets", f"{one.baskets:,}"
    if one.negative:
        yield "negative", f"{one.negative:,} rows say 'not this'"
    if one.dropped:
        yield "left out", f"{one.dropped:,} bad rows"
    if one.catalogue_items is not None:
        yield "items known", f"{one.catalogue_items:,}, with {', '.join(one.catalogue_columns)}"
    yield "licence", one.licence
    yield "source", one.source


def _counts(who: str, counts: Counts) -> tuple[object, ...]:
    quantiles = (Figure(f"{value:,.0f}") for value in counts.quantiles.values())
    return (who, Figure(f"{counts.mean:,.1f}"), *quantiles, counts.gini, Figure(_percent(counts.top1_share)))


def _bars(bars: tuple[Bar, ...]) -> None:
    most = max(bar.count for bar in bars)
    spans = [
        f"{bar.low:,.0f}" if bar.low == bar.high else f"{bar.low:,.0f} to {bar.high:,.0f}" for bar in bars
    ]
    width = max(map(len, spans))
    for span, bar in zip(spans, bars, strict=True):
        print(f"  {span:>{width}}  {'█' * round(_BAR * bar.count / most) or '▏'} {bar.count:,}")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
