"""`palate data list | get | describe | convert`."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json, Quiet, reads_data
from palate.cli.portrait import print_portrait
from palate.cli.show import print_json, print_table
from palate.cli.style import bold
from palate.errors import PlanError

if TYPE_CHECKING:
    from palate.datasets import DatasetInfo, NewsDataset

Data = Annotated[str, typer.Argument(metavar="DATA", help="Name of a data set, or a file.")]


def list_sets(
    word: Annotated[
        str | None, typer.Argument(metavar="WORD", help="Only sets with this in their name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the data sets that Palate knows by name, and where each one is."""
    from palate import datasets
    from palate.datasets import news

    known = [one for one in [*datasets.names(), *news.infos()] if word is None or word.lower() in one.name]
    if as_json:
        print_json([asdict(one) for one in known])
        return
    many = [one for one in known if word is None and one.name.startswith("amazon-") and not one.present]
    print_table(
        ("name", "title", "size", "where", "licence"),
        (
            (one.name, one.title, one.size, _where(one), re.split("[:;,(]", one.licence)[0].strip())
            for one in known
            if one not in many
        ),
    )
    if many:
        print(f"and {len(many)} categories of Amazon reviews to get: palate data list amazon")


def _where(one: DatasetInfo) -> str:
    return "embedded" if one.embedded else "here" if one.present else "to get"


def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names from `palate data list`.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get data sets: download what is not here yet, check it, and read it once."""
    from palate.cli.reading import load, load_impressions, quieten
    from palate.datasets import Dataset
    from palate.datasets.news import is_news

    quieten(quiet)
    got: list[dict[str, object]] = []
    for name in names:
        dataset = load_impressions(name, {}) if is_news(name) else load(name, {})
        what = "interactions" if isinstance(dataset, Dataset) else "impressions"
        rows = (
            len(dataset.interactions)
            if isinstance(dataset, Dataset)
            else len(dataset.first("train", "valid", "test"))
        )
        got.append({"name": dataset.name, "source": dataset.source, what: rows})
        if not as_json and not quiet:
            print(f"{dataset.name}: {rows:,} {what}, from {dataset.source}")
            print(f"  licence: {dataset.licence}")
    if as_json:
        print_json(got)


@reads_data
def describe(data: Data, as_json: Json = False, quiet: Quiet = False, *, reading: dict[str, Any]) -> None:
    """Describe a data set: counts, density, concentration, activity, time, and what will mislead."""
    from palate import datasets
    from palate.cli.reading import load, load_impressions, of_impressions, quieten

    quieten(quiet)
    if of_impressions(data, reading):
        _describe_news(load_impressions(data, reading), as_json)
        return
    description = datasets.describe(load(data, reading))
    if as_json:
        print_json(description.to_dict())
    else:
        print_portrait(description)


def _describe_news(news: NewsDataset, as_json: bool) -> None:
    facts = news.facts()
    of_parts = (note for part in news.parts().values() for note in part.notes)
    notes = list(dict.fromkeys([*news.notes, *of_parts]))
    if as_json:
        print_json({"name": news.name, **facts, "notes": notes, "licence": news.licence})
        return
    print(bold(f"{news.name}: articles, and what readers were shown"))
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"  {name:<{width}}  {f'{value:.1%}' if name.startswith('share') else f'{value:,.0f}'}")
    for note in notes:
        print(f"- {note}")


@reads_data
def convert(
    data: Data,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="File to write: csv, tsv, jsonl or parquet, .gz or not.")
    ],
    quiet: Quiet = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Write a data set as plain tables: the choices, and beside them the items as NAME.items.ENDING.

    The columns are user, item, value, time, event and basket, as far as the data has them. News is written as MIND's
    files, news.tsv and behaviors.tsv of each part, in the folder OUT.
    """
    from palate import datasets
    from palate.cli.reading import load, load_impressions, of_impressions, quieten

    quieten(quiet)
    if out.exists() and out.resolve() == Path(data).expanduser().resolve():
        raise PlanError(f"data convert: {out} is what is read: give another file to write.")
    if of_impressions(data, reading):
        parts = datasets.to_mind(load_impressions(data, reading), out)
        if not quiet:
            print(f"news.tsv and behaviors.tsv in {', '.join(map(str, parts))}")
        return
    dataset = load(data, reading)
    paths = datasets.convert(dataset, out)
    if not quiet:
        print(f"{len(dataset.interactions):,} interactions in {paths[0]}")
        for path in paths[1:]:
            print(f"their items in {path}")


SUB_VERBS = {
    "list": (
        list_sets,
        """
palate data list
palate data list movielens
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
palate data convert movietweetings ratings.csv
palate data convert movietweetings ratings.parquet
palate data convert ratings.dat ratings.csv --format dat
palate data convert news-world mind-like
palate data convert log.jsonl.gz log.tsv --user customer --item sku --time ts --time-unit ms
""",
    ),
}
