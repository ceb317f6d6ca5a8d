"""A data set -> files that any tool reads, and that Palate reads back the same."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl

from palate.atomic import whole
from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset
from palate.errors import DataError, did_you_mean

_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "csv": lambda frame, path: frame.write_csv(path),
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "jsonl": lambda frame, path: frame.write_ndjson(path),
}


def convert(dataset: Dataset, path: str | Path, *, format: str | None = None) -> tuple[Path, ...]:
    """Write the interactions to `path`, and the catalogue beside it as `NAME.items.ENDING`; return the paths.

    The ending (or `format`) is parquet, csv, tsv or jsonl, with .gz after it or not. Each file appears whole
    or not at all. Lists become `a|b` in csv and tsv. Raises DataError for another format and a folder that
    cannot be written.
    """
    target = Path(path).expanduser()
    packed = target.name.lower().endswith(".gz")
    stem = Path(target.name[:-3] if packed else target.name)
    kind = format or stem.suffix.lower().removeprefix(".") or "nothing"
    if kind not in _WRITERS:
        hint = did_you_mean(kind, _WRITERS)
        raise DataError(f"Cannot write the format '{kind}'.{hint} Give one of: {', '.join(_WRITERS)}.")
    written = [_write(dataset.interactions.table(), target, kind, packed)]
    if dataset.catalogue is not None:
        beside = target.with_name(f"{stem.stem}.items{stem.suffix}{'.gz' if packed else ''}")
        written.append(_write_catalogue(dataset.catalogue, beside, kind, packed))
    return tuple(written)


def _write(frame: pl.DataFrame, target: Path, kind: str, packed: bool) -> Path:
    with whole(target) as temporary:
        _WRITERS[kind](frame, temporary)
        if packed:
            plain = temporary.with_suffix(".plain")
            try:
                temporary.replace(plain)
                with plain.open("rb") as source, gzip.open(temporary, "wb", compresslevel=6) as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            finally:
                plain.unlink(missing_ok=True)
    return target


def _write_catalogue(catalogue: Catalogue, target: Path, kind: str, packed: bool) -> Path:
    if kind == "parquet" and not packed:
        catalogue.save(target)
        return target
    frame = catalogue.table
    if kind in ("csv", "tsv"):
        lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
        frame = frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join("|") for name in lists)
    return _write(frame, target, kind, packed)
