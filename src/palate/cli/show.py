"""What a verb puts on stdout: aligned tables for people, JSON for programs, files whole or not at all."""

from __future__ import annotations

import json
import math
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.atomic import whole
from palate.cli.style import bold, is_terminal
from palate.errors import PlanError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

_ENDINGS = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl", ".json": "json"}


def print_json(value: Any) -> None:
    """Print a value as JSON; a number that JSON lacks (nan, inf) becomes null."""
    print(json.dumps(_plain(value), ensure_ascii=False, indent=None if isinstance(value, list) else 2))


class Figure(str):
    """A number that is written out already: it stands to the right, as numbers do."""


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headers: numbers to the right, words to the left, cut to the terminal's width."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in headers]
    right = [all(isinstance(value, int | float | Figure | None) for value in column) for column in columns]
    cells = [[str(header), *_written(column)] for header, column in zip(headers, columns, strict=True)]
    widths = [max(map(_width, column)) for column in cells]
    if is_terminal(sys.stdout):
        spare = shutil.get_terminal_size().columns - sum(widths) - 2 * (len(widths) - 1)
        widest = widths.index(max(widths))
        widths[widest] = max(12, widths[widest] + min(spare, 0))
    first, *others = (
        "  ".join(map(_fitted, line, widths, right)).rstrip() for line in zip(*cells, strict=True)
    )
    print("\n".join([bold(first), *others]))


def shown(value: object) -> str:
    """Return a value as people read it: four significant digits, lists joined, nothing for what is absent."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _written(column: list[object]) -> list[str]:
    """Write a column; its floats with the same decimals, so that four digits of the largest are seen."""
    floats = [abs(value) for value in column if isinstance(value, float) and math.isfinite(value)]
    if all(value.is_integer() for value in floats):
        return [f"{value:,.0f}" if isinstance(value, float) else shown(value) for value in column]
    if any(0 < value < 1e-4 for value in floats):
        return [shown(value) for value in column]
    decimals = max(0, 3 - math.floor(math.log10(max(floats)))) if max(floats) >= 1 else 4
    return [f"{value:,.{decimals}f}" if isinstance(value, float) else shown(value) for value in column]


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table to a file named by its ending, whole or not at all.

    Raises `PlanError` for an ending that Palate does not write.
    """
    kind = _ENDINGS.get(path.suffix.lower())
    if kind is None:
        endings = ", ".join(_ENDINGS)
        raise PlanError(
            f"{path}: cannot tell the format; end the name in {endings}.{did_you_mean(path.suffix, _ENDINGS)}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        _write(frame, temporary, kind)


def _write(frame: pl.DataFrame, path: Path, kind: str) -> None:
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "jsonl":
        frame.write_ndjson(path)
    elif kind == "json":
        frame.write_json(path)
    else:
        frame.write_csv(path, separator="\t" if kind == "tsv" else ",")


def _fitted(cell: str, width: int, right: bool) -> str:
    while _width(cell) > width:
        cell = cell[:-2] + "…"
    padding = " " * (width - _width(cell))
    return padding + cell if right else cell + padding


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return _plain(value.tolist())
    return value
