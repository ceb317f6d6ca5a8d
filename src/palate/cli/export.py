"""`palate export`: a fitted network as a file that other runtimes can run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Json, Model, Quiet
from palate.cli.show import print_json

EXAMPLES = """
palate export models/sasrec --out sasrec.onnx
"""


def export(
    model: Model,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The ONNX file to write.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the network of a fitted model as ONNX, and beside it what its codes mean.

    sasrec: codes of items in (NAME.items.csv), scores of the whole catalogue out. nrms, npa: codes of words
    (NAME.words.csv), of npa also the reader's (NAME.users.csv) in, scores of candidates out. What was seen is not left
    out.
    """
    from palate.cli.reading import model_at

    network, codes = model_at(model).export(out)
    if as_json:
        print_json({"network": str(network), "codes": [str(file) for file in codes]})
    elif not quiet:
        print(f"{network}, and what its codes mean: {', '.join(map(str, codes))}")
