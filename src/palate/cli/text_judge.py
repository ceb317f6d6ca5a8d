"""`palate text judge`: a model behind an address judges texts, and says what its judgement is worth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json, print_table
from palate.cli.text_options import ModelName, Url, asks_endpoint, opened, print_price
from palate.errors import DataError, listing

if TYPE_CHECKING:
    from palate.text.judge import Report

EXAMPLES = """
palate text judge generations.jsonl --endpoint http://127.0.0.1:8000/v1 --model qwen3-32b
palate text judge test.jsonl --endpoint https://example.org/v1 --model large --pairs --labels labels.jsonl
palate text judge test.jsonl --endpoint https://example.org/v1 --model large --dry-run
palate text judge test.jsonl --endpoint https://example.org/v1 --model large --most-tokens 2000000
palate text judge test.jsonl --endpoint https://a.org/v1 --model b --prompt-price 2.5 --answer-price 10 --most-money 5
"""


@asks_endpoint
def judge(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS", help="JSON lines with id, text (or answer), main_ins and constraints."
        ),
    ],
    *,
    endpoint: Url,
    model: ModelName,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels", metavar="FILE", help="People's labels of the same texts; may be given many times."
        ),
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also tell right from violated instructions, in both orders.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FOLDER", help="For the verdicts, and for every answer paid."),
    ] = Path("runs/judge"),
    as_json: Json = False,
    quiet: Quiet = False,
    asking: dict[str, Any],
) -> None:
    """Ask a language model whether texts do what was asked of them, one constraint at a time.

    A verdict counts only with a quote that stands in the text. Beside the outcome stands the judge's agreement with
    people's labels (`palate text annotate`), or the word "uncalibrated". Answers are kept in the folder: a run that is
    stopped goes on there, and what was answered is not asked, or paid, again. What failed is asked again.
    """
    from palate.atomic import whole
    from palate.cli.reading import quieten
    from palate.text.annotate import read_items, read_labels
    from palate.text.judge import Judge

    quieten(quiet)
    items = read_items(texts)
    people = read_labels(labels or (), items)
    with opened(endpoint, model, out, asking) as asked:
        if "dry_run" in asking:
            print_price(Judge(asked).price(items, pairs=pairs), as_json)
            return
        report = Judge(asked).judge(items, labels=people, pairs=pairs)
    if not report.verdicts and not report.choices:
        raise DataError(
            f"none of {len(report.failed):,} questions was answered; the first: {report.failed[0][1]}"
        )
    with whole(out / "verdicts.jsonl") as path, path.open("w", encoding="utf-8") as file:
        rows = [*map(asdict, report.verdicts), *map(asdict, report.choices)]
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if as_json:
        print_json(report.to_dict())
    else:
        _print_report(report, out, quiet)


def _print_report(report: Report, out: Path, quiet: bool) -> None:
    print_table(("verdict", "constraints"), list(report.counts().items()))
    if report.choices:
        pairs = report.to_dict()["pairs"]
        print(
            f"pairs: {pairs['win']} won in both orders, {pairs['loss']} lost, {pairs['split']} by the order"
        )
    print(report.words())
    if report.failed:
        print(
            f"{len(report.failed):,} questions failed, and are asked again in the next run: "
            f"{listing([what for what, _ in report.failed], limit=3)}."
        )
        print(f"  the first: {report.failed[0][1]}")
    if not quiet:
        print(f"{report.bill.words()} Verdicts: {out / 'verdicts.jsonl'}")
