"""The board for a terminal or a Markdown file, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from palate.evaluation.result import ModelFacts, Result, metric_keys, metric_name
from palate.report.html import figure, interval, places
from palate.report.words import (
    by_time_words,
    data_words,
    few_words,
    headline,
    model_notes,
    rating_words,
    sentences,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

EQUAL = "≈"
"""Marks a model whose difference from the best may be luck."""

HIT = "✓"
"""Marks a recommendation that the user did take."""


def rows(result: Result, *, metrics: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of the board, best model first.

    The primary metric has its interval; `metrics` others follow (None: all); the last columns are seconds.
    """
    equal = result.as_good_as_best()
    others = [key for key in metric_keys(result.models) if key != result.primary][:metrics]
    header = ["#", "model", metric_name(result.primary), "95 % interval"]
    header += [metric_name(key) for key in others]
    if result.by_time:
        header.append("by time")
    header += ["fit s", "rec. s"]

    def cells(place: int, model: ModelFacts) -> list[str]:
        first, digits = model.metrics[result.primary], places(result, result.primary)
        label = f"{model.label} {EQUAL}" if model.label in equal else model.label
        found = [str(place), label, figure(first.mean, digits), interval(first, digits)]
        for key in others:
            found.append(
                figure(model.metrics[key].mean, places(result, key)) if key in model.metrics else "-"
            )
        if result.by_time:
            here = result.by_time.models.get(model.label)
            found.append(figure(here.mean) if here else "-")
        return [*found, f"{model.seconds.fit:.2f}", f"{model.seconds.recommend:.2f}"]

    return header, [cells(place, model) for place, model in enumerate(result.ranking(), start=1)]


def table(result: Result, *, width: int = 120) -> Table:
    """Return the board for rich, the best model in bold, with as many metrics as fit into `width`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    for metrics in range(len(metric_keys(result.models)), -1, -1):
        header, body = rows(result, metrics=metrics)
        if sum(max(map(len, column)) + 3 for column in zip(header, *body, strict=True)) <= width:
            break
    board = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for place, name in enumerate(header):
        board.add_column(name, justify="left" if place == 1 else "right", no_wrap=True)
    for place, cells in enumerate(body):
        board.add_row(*cells, style="bold" if place == 0 else "")
    return board


def show(result: Result, console: Console) -> None:
    """Print the headline, the board, the comparisons in sentences, and the examples with their reasons."""
    from rich.markup import escape

    console.print(f"\n[bold]{escape(headline(result))}[/bold]\n")
    console.print(table(result, width=console.width))
    for note in notes(result):
        console.print(escape(note), style="dim", highlight=False)
    console.print()
    for said in [*sentences(result), *filter(None, [by_time_words(result), rating_words(result)])]:
        console.print(escape(said), highlight=False)
    if result.examples:
        console.print()
        for line in example_lines(result):
            console.print(escape(line), highlight=False)


def notes(result: Result) -> list[str]:
    """Return what a reader of the board must know: marks, the run's own notes, data, protocol and its weakness."""
    said = [*filter(None, [few_words(result)]), *result.notes, *model_notes(result)]
    if result.as_good_as_best():
        said.insert(0, f"{EQUAL} the difference from the best may be luck (paired test, Holm, 5 %).")
    said.append(" ".join(filter(None, [data_words(result), result.split.words, result.split.weakness])))
    return said


def example_lines(result: Result, *, items: int = 3) -> list[str]:
    """Return examples as lines of text, `items` recommendations for each user."""
    label, news = result.examples[0].label, result.data.impressions is not None
    lines = [
        f"How {label} orders what readers were shown, and why ({HIT} clicked):"
        if news
        else f"What {label} recommends, and why ({HIT} taken in the test part):"
    ]
    for example in result.examples:
        past, what = "; ".join(example.history[:3]), "articles" if news else "items"
        lines += ["", f"User {example.user}, {example.history_length} {what} so far, last: {past}"]
        for item in example.recommended[:items]:
            lines.append(f"  {item.rank}. {item.name}{f' {HIT}' if item.hit else ''}")
            if item.reasons:
                because = ", ".join(f"{reason.name} ({100 * reason.share:.0f} %)" for reason in item.reasons)
                lines.append(f"     because of {because}")
    return lines


def to_markdown(result: Result) -> str:
    """Return the board as a Markdown table with the sentences below it."""
    header, body = rows(result)
    lines = [
        f"**{headline(result)}**",
        "",
        _line(header),
        _line([":--" if n == 1 else "--:" for n in range(len(header))]),
    ]
    for place, cells in enumerate(body):
        lines.append(_line([f"**{cell}**" if place == 0 and cell else cell for cell in cells]))
    lines += ["", *(f"- {said}" for said in sentences(result)), "", *notes(result)[-1:]]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
