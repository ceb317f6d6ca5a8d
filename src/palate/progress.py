"""A progress bar for anything over a second: on standard error, only where a person is looking; and what is told there.

with progress("Scoring users", total=n, unit="users") as advance:
    for batch in batches:
        ...
        advance(len(batch))
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 1.0
"""Seconds before a bar appears."""


@contextmanager
def progress(what: str, *, total: int, unit: str = "") -> Iterator[Callable[..., None]]:
    """Yield a function to call with the amount of work just done; shows a bar after a second.

    A second argument of that function is text to show behind the bar: how it goes.

    Nothing is shown (and rich is not imported) when standard error is no terminal, or when the environment
    variable PALATE_PROGRESS is `0`.
    """
    if os.environ.get("PALATE_PROGRESS") == "0" or not sys.stderr.isatty():
        yield lambda amount, words="": None
        return
    start, done, bar, task = time.monotonic(), 0.0, None, None

    def advance(amount: float, words: str = "") -> None:
        nonlocal done, bar, task
        done += amount
        if bar is None and time.monotonic() - start > PATIENCE and done < total:
            bar = _bar(unit)
            bar.start()
            task = bar.add_task(what, total=total, words=words)
        if bar is not None:
            bar.update(task, completed=done, words=words)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def tell(words: str) -> None:
    """Say on standard error what a person should know who does not see a bar; nothing where PALATE_PROGRESS is `0`."""
    if os.environ.get("PALATE_PROGRESS") != "0":
        print(words, file=sys.stderr, flush=True)


def _bar(unit: str) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
        console=Console(stderr=True),
        transient=True,
    )
