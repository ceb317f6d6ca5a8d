"""Options that the verbs of texts share, written once."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer

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
