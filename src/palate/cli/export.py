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
    """Write the network of a fitted model as ONNX.

    sasrec: codes of items in, scores of the whole catalogue out; beside it FILE.items.csv, whose codes they are.
    nrms, npa: codes of words in, scores of candidates out; beside it FILE.words.csv. What was seen is not left out.
    """
    from palate.cli.reading import model_at

    written = model_at(model).export(out)
    beside = sorted(written.parent.glob(f"{written.stem}.*.csv"))
    if as_json:
        print_json({"network": str(written), "codes": [str(file) for file in beside]})
    elif not quiet:
        print(f"{written}, and what its codes mean: {', '.join(map(str, beside))}")
