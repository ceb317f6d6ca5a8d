"""`palate text generate`: requests in, texts out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json
from palate.cli.text_options import Named, Template
from palate.errors import DataError

EXAMPLES = """
palate text generate suri/test.jsonl --out generations.jsonl
palate text generate requests.jsonl --model models/iorpo --out generations.jsonl --temperature 1 --max-tokens 1024
palate text generate suri/test.jsonl --limit 20 --out generations.jsonl --json
"""


def generate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="An instruction set of `text build`, or JSON lines of id and prompt."
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="JSON lines; a file that stands there is gone on with."
        ),
    ],
    model: Named = "smollm2",
    template: Template = None,
    temperature: Annotated[
        float,
        typer.Option("--temperature", metavar="T", help="0: the likeliest token; 1: as the model believes."),
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option("--top-p", metavar="P", help="Of the likeliest tokens, as few as hold so much.")
    ] = 1.0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", metavar="N", help="Of a text at most.")] = 512,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first requests.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of what is drawn.")] = 42,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Have a language model write a text for each request, a line each; a run that was stopped goes on."""
    from palate.cli.reading import quieten
    from palate.text import language_model
    from palate.text.generate import Sampling
    from palate.text.generate import generate as write

    quieten(quiet)
    requests, beside = _requests(data)
    how = Sampling(temperature, top_p, max_tokens, seed)
    done = write(language_model.load(model, template=template), requests[:limit], how, out=out, beside=beside)
    if as_json:
        print_json([asdict(one) for one in done])
    elif not quiet:
        cut = sum(not one.ended for one in done)
        print(f"{len(done):,} texts, {sum(one.tokens for one in done):,} tokens, in {out}")
        if cut:
            print(f"{cut:,} of them were cut at {max_tokens:,} tokens: the model had not ended them.")


def _requests(data: Path) -> tuple[list[tuple[str, str]], dict[str, dict[str, Any]]]:
    """Return ids with requests, and of an instruction set its columns that a judge is asked about."""
    from palate.text.corpus import rows
    from palate.text.suri import read

    first = next(rows(data), None)
    if first is not None and "prompt_chosen" in first[1]:
        examples = read(data)
        return [(one.id, one.chosen) for one in examples], {
            one.id: {
                "main_ins": one.goal,
                "constraints": [contrast.chosen.text for contrast in one.contrasts],
            }
            for one in examples
        }
    found = []
    for number, (where, row) in enumerate(rows(data), start=1):
        name, prompt = row.get("id", str(number)), row.get("prompt")
        if not isinstance(prompt, str) or not isinstance(name, str | int):
            raise DataError(f"{where}: a row has a text prompt, and an id if you like.")
        found.append((str(name), prompt))
    if not found:
        raise DataError(f"{data.name} has no row.")
    return found, {}
