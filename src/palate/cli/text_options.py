"""Options that the verbs of texts share, written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from palate.cli.options import shares
from palate.cli.show import print_json

if TYPE_CHECKING:
    from palate.text.endpoint import Endpoint, Price

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


def _price(name: str, of: str) -> Any:
    return Annotated[
        float | None,
        typer.Option(f"--{name}", metavar="X", min=0, help=f"Money for a million tokens of {of}."),
    ]


_ASKING: dict[str, tuple[Any, Any]] = {
    "prompt_price": (_price("prompt-price", "prompts"), None),
    "answer_price": (_price("answer-price", "answers"), None),
    "most_money": (
        Annotated[
            float | None,
            typer.Option("--most-money", metavar="X", min=0, help="Never spend more, all runs together."),
        ],
        None,
    ),
    "most_tokens": (
        Annotated[
            int | None,
            typer.Option("--most-tokens", metavar="N", min=0, help="Never use more, all runs together."),
        ],
        None,
    ),
    "threads": (
        Annotated[
            int,
            typer.Option("--threads", metavar="N", min=1, max=64, help="Requests at the same time."),
        ],
        4,
    ),
    "timeout": (
        Annotated[
            float,
            typer.Option("--timeout", metavar="SECONDS", min=0.1, help="For one request, all in all."),
        ],
        120.0,
    ),
    "limit_name": (
        Annotated[
            Literal["max_tokens", "max_completion_tokens"],
            typer.Option("--limit-name", help="What the server calls the most tokens of an answer."),
        ],
        "max_tokens",
    ),
    "leave_out": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--leave-out",
                metavar="NAME",
                help="Do not send temperature, or response_format, to a server that refuses it; may be given twice.",
            ),
        ],
        None,
    ),
    "plain_http": (
        Annotated[bool, typer.Option("--plain-http", help="Allow http, unencrypted, to another machine.")],
        False,
    ),
    "dry_run": (
        Annotated[
            bool,
            typer.Option(
                "--dry-run", help="Say what it costs where each answer is usable at once; send nothing."
            ),
        ],
        False,
    ),
}

asks_endpoint = shares("asking", _ASKING)
"""gives a verb the options of an address that is asked"""


def opened(url: str, model: str, folder: Path, asking: Mapping[str, Any]) -> Endpoint:
    """Return the address that is asked; its answers are kept in a folder, which a dry run does not make."""
    from palate.text.endpoint import Dialect, Endpoint, Terms

    return Endpoint(
        url,
        model,
        folder=folder if folder.exists() or "dry_run" not in asking else None,
        terms=Terms(
            asking.get("prompt_price"),
            asking.get("answer_price"),
            asking.get("most_tokens"),
            asking.get("most_money"),
        ),
        threads=asking["threads"],
        timeout=asking["timeout"],
        plain_http="plain_http" in asking,
        dialect=Dialect(asking["limit_name"], tuple(asking.get("leave_out", ()))),
    )


def asked_for(asking: Mapping[str, Any]) -> list[str]:
    """Return which options of an address were given another value than their default."""
    given = [name for name, one in asking.items() if one != _ASKING[name][1]]
    return [f"--{name.replace('_', '-')}" for name in given]


def print_price(price: Price, as_json: bool) -> None:
    """Print what a job costs."""
    if as_json:
        print_json(asdict(price))
        return
    money = "" if price.most_money is None else f", {price.most_money:,.4f} by the prices given"
    print(f"{price.requests:,} requests, {price.cached:,} of them answered already.")
    print(
        f"At most {price.most_tokens:,} tokens{money} where each answer is usable at once; the prompts are likely "
        f"{price.prompt_tokens:,}."
    )
    print(
        "A bad answer is complained of or asked for again: --most-tokens and --most-money are never passed."
    )
