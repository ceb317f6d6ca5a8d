"""What stands beside an exported network: tables that say which item, word or user each code is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from palate.atomic import whole


class Exported(NamedTuple):
    """The files that `export` wrote."""

    network: Path
    codes: list[Path]
    """what the codes of its inputs and outputs mean, a table of each kind"""


def write_codes(network: Path, kind: str, ids: pl.Series, *, first: int = 0) -> Path:
    """Write the codes of ids, from `first` on, as `code,KIND` beside a network: NAME.KINDs.csv; returns the path.

    >>> import tempfile
    >>> path = write_codes(Path(tempfile.mkdtemp()) / "model.v1.onnx", "item", pl.Series(["x", "y"]))
    >>> path.name, path.read_text().split()
    ('model.v1.items.csv', ['code,item', '0,x', '1,y'])
    """
    path = network.with_name(f"{network.name.removesuffix('.onnx')}.{kind}s.csv")
    with whole(path) as file:
        pl.DataFrame({"code": np.arange(first, first + len(ids)), kind: ids}).write_csv(file)
    return path
