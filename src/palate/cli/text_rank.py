"""`palate text rank`: whether a text is likelier under the instruction that it follows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import Figure, print_json, print_table
from palate.cli.style import bold, faint
from palate.cli.text_options import Named, Template
from palate.errors import DataError

if TYPE_CHECKING:
    from palate.evaluation.following import Accuracy, Difference, Group
    from palate.evaluation.significance import Estimate
    from palate.text.rank import Ranking

EXAMPLES = """
palate text rank suri/test.jsonl
palate text rank suri/test.jsonl --model models/iorpo --controls --page ranking.html
palate text rank suri/test.jsonl --specificity 1,1 --draws 5 --tokens 512 --json
palate text rank suri/test.jsonl --out raw.jsonl
palate text rank suri/test.jsonl --model models/iorpo --against raw.jsonl
"""


def rank(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="An instruction set that `text build` wrote.")],
    *,
    model: Named = "smollm2",
    template: Template = None,
    specificity: Annotated[
        list[str] | None,
        typer.Option(
            "--specificity",
            metavar="SHOWN,CORRUPTED",
            help="M,M  M,M/2  M,1  M/2,M/2  1,1; may be given many times.",
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option("--tokens", metavar="N", min=1, help="Read so much of a text, cut at a sentence."),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="N",
            min=1,
            help="Single constraints asked of each text, for 1,1, and their other halves  [default: all]",
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Ask also of texts that the corrupted constraint is true of.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first texts.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which constraints are drawn.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write every trial as JSON lines.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Trials of another model (--out): paired differences; may be given many times.",
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write an HTML page, with where it matters.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a language model which of two instructions a text follows: the share that is right, by specificity.

    A text is read under its instruction and under the corrupted one; it is right where the first makes the text
    likelier. Chance is one half. Intervals resample sources, or chapters where there are few sources.
    """
    from palate.atomic import may_write, whole
    from palate.cli.reading import quieten
    from palate.evaluation.following import paired, ranking_accuracy
    from palate.text import language_model
    from palate.text.rank import rank as ranked
    from palate.text.rank import read_trials
    from palate.text.suri import SPECIFICITIES, read
    from palate.text.suri import specificity as as_numbers

    quieten(quiet)
    for name in specificity or ():
        as_numbers(name, 1)  # refuses what is none
    for path in (out, page):  # before the reading, which takes long
        if path is not None:
            may_write(path)
    others = {str(path): read_trials(path) for path in against or []}
    examples = read(data)[:limit]
    found = ranked(
        language_model.load(model, template=template),
        examples,
        specificities=tuple(specificity) if specificity else SPECIFICITIES,
        tokens=tokens,
        draws=draws,
        controls=controls,
        strips=6 if page is not None else 0,
        seed=seed,
    )
    accuracy = ranking_accuracy(found.trials)
    if out is not None:
        with whole(out) as path, path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found.trials)
    differences: dict[str, tuple[Difference, ...]] = {}
    foreign: DataError | None = None
    for name, trials in others.items():
        try:
            differences[name] = paired(found.trials, trials)
        except DataError as error:  # what was read, and compares, is told first
            foreign = foreign or error
    if page is not None:
        from palate.report.following import write_ranking

        write_ranking(found, accuracy, page, name=data.stem)
    if as_json:
        print_json(_facts(found, accuracy, differences))
    elif not quiet:
        _print(found, accuracy)
        for name, some in differences.items():
            _print_differences(name, some)
        if page is not None:
            print(faint(f"Page: {page}"))
    if foreign is not None:
        raise foreign


def _facts(
    found: Ranking, accuracy: Accuracy, differences: dict[str, tuple[Difference, ...]]
) -> dict[str, Any]:
    told: dict[str, dict[str, Any]] = {}
    for one in accuracy.groups:
        told.setdefault(one.by, {})[one.name] = {
            "accuracy": one.accuracy.mean,
            "ci95": one.accuracy.ci95,
            "n": one.accuracy.n,
            "margin": one.margin,
        }
    return {
        "model": found.model,
        "conventions": found.conventions,
        "resampled": accuracy.clusters,
        "nll": found.nll,
        "notes": list(found.notes),
        **told,
        "against": {name: [asdict(one) for one in some] for name, some in differences.items()},
    }


def _print(found: Ranking, accuracy: Accuracy) -> None:
    titles = {
        "specificity": "shown, corrupted",
        "kind": "1,1 by kind",
        "overlap": "1,1 with a name or keyword of x_w in the text",
        "control": "1,1 on a text that x_l is true of",
        "blind": "by the instructions alone",
    }
    for by, title in titles.items():
        rows = [_row(one) for one in accuracy.groups if one.by == by]
        if rows:
            print(bold(title))
            print_table(("", "right", "95 % interval", "trials", "margin, nats"), rows)
            print()
    print(faint(f"-log P a token of the texts, under what they follow: {found.nll:.4f} nats."))
    for note in (*found.notes, f"Intervals resample {accuracy.clusters}. Chance is 50 %.", found.conventions):
        print(faint(note))


def _print_differences(name: str, differences: tuple[Difference, ...]) -> None:
    print(bold(f"minus {name}, on the same trials"))
    print_table(
        ("", "", "more right", "95 % interval", "p", "trials"),
        (
            (
                one.by,
                one.name,
                Figure(f"{one.accuracy.mean:+.1%}"),
                _interval(one.accuracy, "+.1%"),
                Figure(f"{one.p:.3f}"),
                one.accuracy.n,
            )
            for one in differences
        ),
    )
    print(faint("p flips the signs of whole clusters; it is not corrected for the number of rows."))
    print()


def _row(one: Group) -> tuple[object, ...]:
    return (
        one.name,
        Figure(f"{one.accuracy.mean:.1%}"),
        _interval(one.accuracy, ".1%"),
        one.accuracy.n,
        Figure(f"{one.margin:+.2f}"),
    )


def _interval(found: Estimate, how: str) -> str:
    return "-" if found.ci95 is None else " to ".join(f"{end:{how}}" for end in found.ci95)
