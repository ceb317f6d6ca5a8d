"""`palate recommend`: the best unseen items for known users, for a history, or for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from palate.cli.options import Json, K, Model, Quiet, Where
from palate.cli.show import print_json, print_table, write_table
from palate.cli.style import bold, faint
from palate.errors import PlanError, listing
from palate.progress import tell

if TYPE_CHECKING:
    import polars as pl

    from palate.models.base import Recommender

EXAMPLES = """
palate recommend models/sar --users 1,2 --k 5
palate recommend models/sar --history "The Matrix (1999), Inception (2010)" --where "genre has Drama"
palate recommend models/sar --all --out recommendations.csv
palate recommend models/sar --users @users.txt --unknown popular --json
"""

_USERS_SHOWN = 20


def recommend(
    model: Model,
    *,
    users: Annotated[
        str | None,
        typer.Option("--users", "-u", metavar="IDS", help="Users: 1,2,3 or @FILE with one a line."),
    ] = None,
    history: Annotated[
        list[str] | None,
        typer.Option("--history", metavar="ITEMS", help="Items of a new user, ids or names, oldest first."),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every user the model was fitted to.")] = False,
    k: K = 10,
    where: Where = None,
    candidates: Annotated[
        str | None,
        typer.Option("--candidates", metavar="ITEMS", help="Only these items: ids, names or @FILE."),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also items the user already has.")
    ] = False,
    unknown: Annotated[
        Literal["raise", "skip", "popular"],
        typer.Option("--unknown", help="What a user the model lacks gets."),
    ] = "raise",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write csv, tsv, parquet, jsonl or json."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Recommend items: for --users, for a new user's --history, or for --all.

    The answer has the columns user, item, score and rank. With --history, user is the number of the history.
    """
    from palate.cli.ids import item_ids, user_ids
    from palate.cli.reading import model_at

    if sum((users is not None, bool(history), everyone)) != 1:
        raise PlanError(
            "recommend: say for whom, in exactly one way: --users 1,2 or --history ITEMS or --all."
        )
    recommender = model_at(model)
    items, catalogue = recommender.items, recommender.catalogue
    asked = user_ids(users, recommender.users) if users is not None else None
    found = recommender.recommend(
        users=asked,
        histories=[item_ids(one, items, catalogue, "--history") for one in history] if history else None,
        k=k,
        exclude_seen=not include_seen,
        candidates=item_ids(candidates, items, catalogue, "--candidates") if candidates is not None else None,
        where=where,
        unknown=unknown,
    )
    if out is not None:
        write_table(found, out)
        if not quiet:
            print(f"{found.height:,} recommendations for {found['user'].n_unique():,} users in {out}")
    elif as_json:
        print_json(found.to_dicts())
    else:
        _print(found, recommender, "history" if history else "user")
    if asked is not None and unknown == "skip" and not quiet:
        strangers = [one for one in asked if one not in recommender.users]
        if strangers:
            tell(f"skipped, since the model does not know them: {listing(strangers)}")


def _print(found: pl.DataFrame, recommender: Recommender, label: str) -> None:
    if found.is_empty():
        print("Nothing to recommend: nobody asked for is known, no item is left, or everything is seen.")
        return
    catalogue = recommender.catalogue
    groups = found.partition_by("user", maintain_order=True)
    for number, group in enumerate(groups[:_USERS_SHOWN]):
        print(("\n" if number else "") + bold(f"{label} {group['user'][0]}"))
        rows = group.select("rank", "item", "score").rows()
        if catalogue is None or catalogue.name is None:
            print_table(("rank", "item", "score"), rows)
        else:
            names = catalogue.names(group["item"])
            print_table(
                ("rank", "item", catalogue.name, "score"),
                ((rank, item, name, score) for (rank, item, score), name in zip(rows, names, strict=True)),
            )
    if len(groups) > _USERS_SHOWN:
        print(faint(f"\nand {len(groups) - _USERS_SHOWN:,} users more: --out FILE or --json has all."))
