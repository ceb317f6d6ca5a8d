"""`palate data list | get | describe | convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, Quiet, reads_data
from palate.cli.show import print_json, print_table, write_table

Data = Annotated[str, typer.Argument(metavar="DATA", help="Name of a data set, or a file.")]


def list_sets(as_json: Json = False) -> None:
    """List the data sets that Palate knows by name, and where each one is."""
    from palate import datasets

    known = datasets.names()
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "title": one.title,
                    "licence": one.licence,
                    "size": one.size,
                    "embedded": one.embedded,
                    "present": one.present,
                }
                for one in known
            ]
        )
        return
    rows = [
        (
            one.name,
            one.title,
            one.size,
            one.licence,
            "embedded" if one.embedded else "here" if one.present else "to get",
        )
        for one in known
    ]
    print_table(("name", "title", "size", "licence", "where"), rows)


def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names from `palate data list`.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get data sets: download what is not here yet, check it, and read it once."""
    from palate.cli.reading import load, quieten

    quieten(quiet)
    got = []
    for name in names:
        dataset = load(name, {})
        got.append(
            {"name": dataset.name, "source": dataset.source, "interactions": len(dataset.interactions)}
        )
        if not as_json and not quiet:
            print(f"{dataset.name}: {len(dataset.interactions):,} interactions, from {dataset.source}")
            print(f"  licence: {dataset.licence}")
    if as_json:
        print_json(got)


@reads_data
def describe(data: Data, as_json: Json = False, quiet: Quiet = False, *, reading: dict[str, Any]) -> None:
    """Describe a data set: counts, density, concentration, activity, time, and what will mislead."""
    from palate import datasets
    from palate.cli.reading import load, quieten

    quieten(quiet)
    description = datasets.describe(load(data, reading))
    if as_json:
        print_json(description.to_dict())
    else:
        print(description)


@reads_data
def convert(
    data: Data,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="File to write: csv, tsv, parquet, jsonl or json.")
    ],
    items_out: Annotated[
        Path | None,
        typer.Option("--items-out", metavar="FILE", help="Also write the items with their names."),
    ] = None,
    quiet: Quiet = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Write a data set as one plain table with the columns user, item, value, time, event and basket."""
    from palate.cli.reading import load, quieten
    from palate.errors import DataError

    quieten(quiet)
    dataset = load(data, reading)
    if items_out is not None and dataset.catalogue is None:
        raise DataError(f"{data}: there is no table of items to write; give one with --items FILE.")
    write_table(dataset.interactions.table(), out)
    if items_out is not None and dataset.catalogue is not None:
        write_table(dataset.catalogue.table, items_out)
    if not quiet:
        print(f"{len(dataset.interactions):,} interactions in {out}")


SUB_VERBS = {
    "list": (
        list_sets,
        """
palate data list
palate data list --json
""",
    ),
    "get": (
        get,
        """
palate data get movielens-100k
palate data get movielens-1m movielens-20m
""",
    ),
    "describe": (
        describe,
        """
palate data describe retail
palate data describe ratings.csv --user userId --item movieId --value rating --time timestamp
palate data describe ratings.dat --separator "::" --no-header --json
""",
    ),
    "convert": (
        convert,
        """
palate data convert movietweetings ratings.parquet --items-out movies.jsonl
palate data convert ratings.dat ratings.csv --format dat
palate data convert log.jsonl.gz log.tsv --user customer --item sku --time ts --time-unit ms
""",
    ),
}
