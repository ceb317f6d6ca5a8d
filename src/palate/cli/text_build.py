"""`palate text build`: long texts to an instruction set, each constraint proven both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json
from palate.errors import DataError, PlanError

if TYPE_CHECKING:
    from palate.text.constraints.pairing import Corrupter
    from palate.text.corpus import Corpus, Document
    from palate.text.suri import Example, Report

EXAMPLES = """
palate text build --out suri.jsonl
palate text build stories.jsonl.gz --out suri --splits
palate text build books/ --out suri.jsonl --words 256-400 --pieces 4 --constraints 4-8
"""


def build(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="'embedded', a file of JSON lines with a column text, or a .txt file or folder of them.",
        ),
    ] = "embedded",
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="File to write; with --splits a folder.")
    ],
    words: Annotated[
        str, typer.Option("--words", metavar="FROM-TO", help="Words of a text; longer ones are cut.")
    ] = "2048-5024",
    pieces: Annotated[
        int, typer.Option("--pieces", metavar="N", min=1, help="Texts taken of a longer one, at most.")
    ] = 1,
    constraints: Annotated[
        str, typer.Option("--constraints", metavar="FROM-TO", help="Constraints of an instruction.")
    ] = "8-14",
    corrupter: Annotated[
        str,
        typer.Option(
            "--corrupter",
            metavar="NAME",
            help="exchange: with what is true of another text; own: each kind's own rule.",
        ),
    ] = "exchange",
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Take only the first so many texts.")
    ] = None,
    splits: Annotated[
        bool, typer.Option("--splits", help="Write train, dev and test, which share no source.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all that is drawn.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make an instruction set of long texts, by rule and offline: what each text does, and the same corrupted.

    Each constraint is true of its text and its corruption false, which is proven before anything is written. The file
    has the columns that Suri publishes, the typed constraints and the source. The same texts and seed give the same
    bytes.
    """
    from palate.cli.reading import quieten
    from palate.text.corpus import documents
    from palate.text.suri import build as build_examples
    from palate.text.suri import digest, split, validate, write

    quieten(quiet)
    if corrupter not in ("exchange", "own"):
        raise PlanError(f"--corrupter {corrupter}: give exchange or own.")
    rule = cast("Corrupter", corrupter)
    corpus = documents(source, words=_range("--words", words), pieces=pieces, limit=limit)
    parts: dict[str, tuple[Document, ...]] = (
        split(corpus.documents, seed=seed) if splits else {"": corpus.documents}
    )
    wanted = _range("--constraints", constraints)
    if splits:
        _folder(out)
    written = []
    for name, members in parts.items():
        try:
            examples = build_examples(members, seed=seed, constraints=wanted, corrupter=rule)
        except DataError as error:
            raise DataError(f"part {name}: {error}" if name else str(error)) from error
        report = validate(examples)
        if not report.sound:
            raise DataError(f"{len(report.problems)} constraints are not proven, as {report.problems[0]}.")
        path = write(examples, out / f"{name}.jsonl" if splits else out)
        written.append(_facts(path, digest(path), members, examples, report))
    if as_json:
        print_json(
            {"texts": len(corpus.documents), "cut": corpus.cut, "left_out": corpus.left_out, "files": written}
        )
    elif not quiet:
        _print(corpus, written)


def _range(option: str, given: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*", given)
    low, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 < low <= high:
        raise PlanError(
            f"{option} {given}: two numbers above 0 were expected, the smaller first, as in 2048-5024."
        )
    return low, high


def _folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be a folder: {error.strerror}. Give another name.") from error


def _facts(
    path: Path, sha256: str, members: tuple[Document, ...], examples: list[Example], report: Report
) -> dict[str, Any]:
    return {
        "file": str(path),
        "sha256": sha256,
        "examples": len(examples),
        "left_out": len(members) - len(examples),
        "constraints": report.constraints,
        "proven": report.proven,
        "per_example": report.per_example,
        "words": report.words,
        "balance": report.balance,
        "kinds": report.kinds,
        "types": report.types,
        "scopes": report.scopes,
        "sources": report.sources,
    }


def _print(corpus: Corpus, written: list[dict[str, Any]]) -> None:
    from palate.cli.show import shown

    left = "; ".join(f"{count:,} {reason}" for reason, count in corpus.left_out.items()) or "none"
    print(f"{len(corpus.documents):,} texts, {corpus.cut:,} of them cut at a sentence; left out: {left}")
    for one in written:
        few, middle, many = one["per_example"]
        print(f"{one['file']}: {one['examples']:,} examples of {len(one['sources'])} sources")
        print(
            f"  {one['constraints']:,} constraints of {len(one['kinds'])} kinds, {few} to {many} each "
            f"(median {shown(middle)}); {one['proven']:,} proven both ways"
        )
        if one["left_out"]:
            print(f"  left out, for too few constraints that another text fails: {one['left_out']:,}")
        print(f"  types: {_counts(one['types'])}; scopes: {_counts(one['scopes'])}")
        print(f"  values as often true as corrupted: {one['balance']:.1%}")
        print(f"  sha256 {one['sha256']}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
