"""`palate text build`: long texts to an instruction set, each constraint proven both ways."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json
from palate.cli.text_options import asked_for, asks_endpoint, opened, print_price
from palate.errors import DataError, PalateWarning, PlanError, listing

if TYPE_CHECKING:
    from palate.text.backtranslate import Backtranslator, Failure
    from palate.text.constraints.pairing import Corrupter
    from palate.text.corpus import Corpus, Document
    from palate.text.endpoint import Endpoint
    from palate.text.suri import Example, Report

EXAMPLES = """
palate text build --out suri.jsonl
palate text build stories.jsonl.gz --out suri --splits
palate text build books/ --out suri.jsonl --words 256-400 --pieces 4 --constraints 4-8
palate text build books/ --out seen.jsonl --without-kinds tense,mood,ending
palate text build books/ --out unseen.jsonl --kinds tense,mood,ending --constraints 1-3
palate text build books/ --out suri.jsonl --by endpoint --endpoint http://127.0.0.1:8000/v1 --model qwen3-32b --dry-run
palate text build books/ --out suri.jsonl --by local --model models/large
"""


@asks_endpoint
def build(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="'embedded', JSON lines or Parquet with a column text, or a .txt file or folder of them.",
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
    kinds: Annotated[
        str | None,
        typer.Option("--kinds", metavar="NAME,NAME,...", help="Use only these kinds of constraints."),
    ] = None,
    without_kinds: Annotated[
        str | None,
        typer.Option("--without-kinds", metavar="NAME,NAME,...", help="Use all kinds but these."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Take only the first so many texts.")
    ] = None,
    splits: Annotated[
        bool, typer.Option("--splits", help="Write train, dev and test, which share no source.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all that is drawn.")] = 0,
    by: Annotated[
        Literal["rules", "endpoint", "local"],
        typer.Option(
            "--by",
            help="Who finds the constraints: rules, offline and proven; a model at an address; a local one.",
        ),
    ] = "rules",
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="An OpenAI-compatible address, for --by endpoint."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="NAME", help="The model there; or a local one, for --by local."
        ),
    ] = None,
    kept: Annotated[
        Path,
        typer.Option(
            "--kept", metavar="FOLDER", help="For every answer paid, so that a stopped run goes on."
        ),
    ] = Path("runs/backtranslation"),
    as_json: Json = False,
    quiet: Quiet = False,
    asking: dict[str, Any],
) -> None:
    """Make an instruction set of long texts, by rule and offline: what each text does, and the same corrupted.

    Each constraint is true of its text and its corruption false, which is proven before anything is written. The file
    has the columns that Suri publishes, the typed constraints and the source. The same texts and seed give the same
    bytes. With --by endpoint or local a language model writes the instructions, and nothing proves them.
    """
    from palate.cli.reading import quieten
    from palate.text.backtranslate import EndpointBacktranslator
    from palate.text.corpus import documents
    from palate.text.suri import build as build_examples
    from palate.text.suri import split

    quieten(quiet)
    if (endpoint is not None) != (by == "endpoint") or (model is None) != (by == "rules"):
        raise PlanError(
            "--by endpoint needs --endpoint URL and --model NAME, --by local needs --model, --by rules neither."
        )
    if by != "endpoint" and (odd := asked_for(asking)):
        raise PlanError(
            f"{listing(odd)}: for asking an endpoint, and none is asked. Give --by endpoint, or leave it out."
        )
    dry_run = "dry_run" in asking
    if corrupter not in ("exchange", "own"):
        raise PlanError(f"--corrupter {corrupter}: give exchange or own.")
    rule = cast("Corrupter", corrupter)
    only = _kinds(kinds, without_kinds)
    if only is not None and by != "rules":
        raise PlanError("--kinds and --without-kinds choose among what rules prove: they go with --by rules.")
    corpus = documents(source, words=_range("--words", words), pieces=pieces, limit=limit)
    parts: dict[str, tuple[Document, ...]] = (
        split(corpus.documents, seed=seed) if splits else {"": corpus.documents}
    )
    wanted = _range("--constraints", constraints)
    if splits and not dry_run:
        _folder(out)
    made: Callable[[tuple[Document, ...]], list[Example]]
    failed: list[Failure] = []
    with contextlib.ExitStack() as stack:
        asked: Endpoint | None = None
        if by == "rules":
            made = partial(build_examples, seed=seed, constraints=wanted, only=only, corrupter=rule)
        elif endpoint is None:
            made = partial(_translated, _local(str(model), sum(wanted) // 2), kept, failed)
        else:
            asked = stack.enter_context(opened(endpoint, str(model), kept, asking))
            translator = EndpointBacktranslator(asked, constraints=sum(wanted) // 2)
            if dry_run:
                print_price(translator.price(corpus.documents), as_json)
                return
            made = partial(_translated, translator, kept, failed)
        written = _write(parts, made, out, splits)
        bill = asked.bill() if asked is not None else None
    if failed:
        warnings.warn(
            f"{len(failed):,} of {len(corpus.documents):,} texts have no instruction, and are asked for again in the "
            f"next run. The first, {failed[0].id}: {failed[0].reason}",
            PalateWarning,
            stacklevel=2,
        )
    if as_json:
        facts = {
            "texts": len(corpus.documents),
            "cut": corpus.cut,
            "left_out": corpus.left_out,
            "files": written,
        }
        facts |= {"failed": [asdict(one) for one in failed], "bill": None if bill is None else asdict(bill)}
        print_json(facts)
    elif not quiet:
        _print(corpus, written)
        if bill is not None:
            print(bill.words())


def _write(
    parts: dict[str, tuple[Document, ...]],
    made: Callable[[tuple[Document, ...]], list[Example]],
    out: Path,
    splits: bool,
) -> list[dict[str, Any]]:
    """Write what is made of each part, proven where it can be, and return what is told of it."""
    from palate.text.suri import digest, validate, write

    written = []
    for name, members in parts.items():
        try:
            examples = made(members)
        except DataError as error:
            raise DataError(f"part {name}: {error}" if name else str(error)) from error
        report = validate(examples)
        if not report.sound:
            raise DataError(f"{len(report.problems)} constraints are not proven, as {report.problems[0]}.")
        path = write(examples, out / f"{name}.jsonl" if splits else out)
        written.append(_facts(path, digest(path), members, examples, report))
    return written


def _translated(
    translator: Backtranslator, kept: Path, failed: list[Failure], members: tuple[Document, ...]
) -> list[Example]:
    """Return what a language model makes of the texts; what failed is added to `failed`."""
    from palate.text.backtranslate import build_with

    job = build_with(translator, members, kept)
    examples = list(job)
    if not examples:
        raise DataError(
            f"{job.words()} The first: {job.failed[0].reason if job.failed else 'there is no text'}."
        )
    failed += job.failed
    return examples


def _local(name: str, constraints: int) -> Backtranslator:
    from palate.text import language_model
    from palate.text.backtranslate import LocalBacktranslator
    from palate.text.generate import Sampling, answer

    model = language_model.load(name)

    class Local:
        parameters = model.parameters

        def generate(self, prompt: str, max_tokens: int) -> str:
            return answer(model, prompt, Sampling(max_tokens=max_tokens))

    return LocalBacktranslator(Local(), name=name, constraints=constraints)


def _kinds(wanted: str | None, unwanted: str | None) -> list[str] | None:
    """Return the kinds to use; None: all of them."""
    from palate.text.constraints.registry import kind_of
    from palate.text.constraints.registry import kinds as known

    if wanted is not None and unwanted is not None:
        raise PlanError("--kinds names what is used, --without-kinds what is not: give one of the two.")
    if wanted is None and unwanted is None:
        return None
    named = [name.strip() for name in (wanted or unwanted or "").split(",") if name.strip()]
    for name in named or [""]:
        kind_of(name)  # refuses what is none, and names the nearest
    return named if wanted is not None else [name for name in known() if name not in named]


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
