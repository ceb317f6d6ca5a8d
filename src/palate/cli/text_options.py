"""Options that the verbs of texts share, written once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from palate.cli.show import print_json

if TYPE_CHECKING:
    from palate.text.endpoint import Price

Named: TypeAlias = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="smollm2, tiny, a folder of transformers, an adapter, a .gguf file, or hub:OWNER/NAME.",
    ),
]
Template: TypeAlias = Annotated[
    Literal["chat", "plain"] | None,
    typer.Option(
        "--template", help="How a request becomes a prompt  [default: chat, if the model has a template]"
    ),
]

# --- an address that is asked ------------------------------------------------------------------------------

Url: TypeAlias = Annotated[
    str,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="An OpenAI-compatible address; its key in the variable PALATE_ENDPOINT_KEY.",
    ),
]
ModelName: TypeAlias = Annotated[str, typer.Option("--model", metavar="NAME", help="The model's name there.")]
PromptPrice: TypeAlias = Annotated[
    float | None,
    typer.Option("--prompt-price", metavar="X", min=0, help="Money for a million tokens of prompts."),
]
AnswerPrice: TypeAlias = Annotated[
    float | None,
    typer.Option("--answer-price", metavar="X", min=0, help="Money for a million tokens of answers."),
]
MostMoney: TypeAlias = Annotated[
    float | None,
    typer.Option("--most-money", metavar="X", min=0, help="Never spend more, all runs together."),
]
MostTokens: TypeAlias = Annotated[
    int | None, typer.Option("--most-tokens", metavar="N", min=0, help="Never use more, all runs together.")
]
Threads: TypeAlias = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, max=64, help="Requests at the same time.")
]
Timeout: TypeAlias = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="For one request, all in all.")
]
PlainHttp: TypeAlias = Annotated[
    bool, typer.Option("--plain-http", help="Allow http, unencrypted, to another machine.")
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would cost at most; send nothing.")
]


def print_price(price: Price, as_json: bool) -> None:
    """Print what a job costs at most."""
    if as_json:
        print_json(asdict(price))
        return
    money = "" if price.most_money is None else f", {price.most_money:,.4f} by the prices given"
    print(f"{price.requests:,} requests, {price.cached:,} of them answered already.")
    print(f"At most {price.most_tokens:,} tokens{money}; the prompts are likely {price.prompt_tokens:,}.")
