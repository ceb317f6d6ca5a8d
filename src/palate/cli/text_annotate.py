"""`palate text annotate export | import`: texts out to people, on a page of their own machine, and labels back in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json, print_table
from palate.errors import DataError

Texts = Annotated[
    Path,
    typer.Argument(metavar="TEXTS", help="JSON lines with id, text (or answer), main_ins and constraints."),
]


def export(
    texts: Texts,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page to write.")] = Path(
        "label.html"
    ),
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N texts.")
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What stands over the page.")] = (
        "Do these texts do what was asked?"
    ),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one page on which a person labels each constraint of each text: Yes, Partially or No, and where.

    The page works without a network and by keys alone; labels stay in the browser until they are downloaded.
    """
    from palate.text import annotate

    items = annotate.read_items(texts)[:limit]
    annotate.export(items, out, title=title)
    questions = sum(len(one.constraints) for one in items)
    if as_json:
        print_json({"page": str(out), "texts": len(items), "constraints": questions})
    elif not quiet:
        print(f"{len(items):,} texts with {questions:,} constraints, in {out}: open it in a browser.")


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="LABELS", help="Files that people downloaded from the page.")
    ],
    *,
    texts: Annotated[Path, typer.Option("--texts", metavar="FILE", help="The texts that were exported.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="All labels in one file.")] = Path(
        "labels.jsonl"
    ),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check people's labels against the texts, put them into one file, and say how people agree."""
    from palate.text import annotate
    from palate.text.judge.agreement import people_kappa

    labels = annotate.read_labels(files, annotate.read_items(texts))
    if not labels:
        raise DataError("there is no label in these files. Give what people downloaded from the page.")
    annotate.write_labels(labels, out)
    counts = Counter(one.label for one in labels)
    people = sorted({one.annotator for one in labels})
    ties = sum(label is None for label in annotate.majority(labels).values())
    kappa = people_kappa(labels)
    if as_json:
        told = {"labels": {name: counts[name] for name in annotate.LABELS}, "annotators": people}
        print_json(told | {"ties": ties, "kappa": kappa, "file": str(out)})
        return
    print_table(("label", "constraints"), [(name, counts[name]) for name in annotate.LABELS])
    among = "kappa among them undefined" if kappa is None else f"kappa among them {kappa:.2f}"
    print(
        f"{len(labels):,} labels of {len(people)} annotators, {ties:,} constraints without a majority; {among}"
    )
    if not quiet:
        print(f"all in {out}")


EXPORT_EXAMPLES = """
palate text annotate export test.jsonl --out label.html --limit 20
palate text annotate export generations.jsonl --title "Thirty stories"
"""
IMPORT_EXAMPLES = """
palate text annotate import labels-ann.jsonl labels-ben.jsonl --texts test.jsonl --out labels.jsonl
palate text annotate import labels-ann.jsonl --texts generations.jsonl --json
"""
SUB_VERBS = {"export": (export, EXPORT_EXAMPLES), "import": (import_, IMPORT_EXAMPLES)}
