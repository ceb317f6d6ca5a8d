"""`palate explain`: what of a user's past makes the score of an item."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json, Model
from palate.cli.show import print_json, print_table, shown
from palate.cli.style import bold
from palate.errors import PlanError

if TYPE_CHECKING:
    import polars as pl

    from palate.catalogue import Catalogue

EXAMPLES = """
palate explain models/sar --user 1 --item "The Matrix (1999)"
palate explain models/sar --history "Inception (2010)" --item 0133093 --json
"""


def explain(
    model: Model,
    *,
    item: Annotated[str, typer.Option("--item", "-i", metavar="ITEM", help="The item: an id or a name.")],
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="ID", help="A user the model knows.")
    ] = None,
    history: Annotated[
        str | None, typer.Option("--history", metavar="ITEMS", help="Items of a new user, ids or names.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", "-k", metavar="N", min=1, help="How many reasons  [default: all]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what each past item adds to the score of an item: baseline and contributions sum to the score."""
    from palate.cli.ids import item_ids, title, user_ids
    from palate.cli.reading import model_at

    if (user is None) == (history is None):
        raise PlanError("explain: say for whom, in exactly one way: --user ID or --history ITEMS.")
    recommender = model_at(model)
    items, catalogue = recommender.items, recommender.catalogue
    asked = item_ids(_quoted(item), items, catalogue, "--item")[0]
    reasons = recommender.explain(
        user=user_ids(_quoted(user), recommender.users, "--user")[0] if user is not None else None,
        history=item_ids(history, items, catalogue, "--history") if history is not None else None,
        item=asked,
        k=k,
    )
    words, remarks = getattr(reasons, "words", None), getattr(reasons, "remarks", ())  # of networks of news
    if as_json:
        contributions = reasons.contributions.to_dicts()
        sums = {"item": reasons.item, "score": reasons.score, "baseline": reasons.baseline}
        facts = {**sums, "contributions": contributions}
        if words is not None:
            facts |= {"words": words.to_dicts(), "remarks": list(remarks)}
        print_json(facts)
        return
    print(bold(f"{title(asked, catalogue)}: score {shown(float(reasons.score))}"))
    if reasons.contributions.is_empty():
        print("Nothing in the history speaks for it or against it.")
    else:
        _print(reasons.contributions, catalogue)
    rest = reasons.score - reasons.baseline - float(reasons.contributions["contribution"].sum())
    if len(reasons.contributions) == k and abs(rest) > 1e-6 * abs(reasons.score):
        print(f"and {shown(rest)} from the rest of the history")
    if reasons.baseline:
        print(f"and {shown(float(reasons.baseline))} {reasons.baseline_is}")
    if words is not None and not words.is_empty():
        print_table(("word", "attention", "costs to leave out"), words.rows())
    for remark in remarks:
        print(remark)


def _quoted(word: str) -> str:
    """One id or name: a comma in it is its own."""
    return '"' + word.replace('"', '""') + '"'


def _print(reasons: pl.DataFrame, catalogue: Catalogue | None) -> None:
    columns: dict[str, list[object]] = {
        "adds": reasons["contribution"].to_list(),
        "item": reasons["item"].to_list(),
    }
    if catalogue is not None and catalogue.name is not None:
        columns[catalogue.name] = list(catalogue.names(reasons["item"]))
    columns["value"] = reasons["value"].to_list()
    if "time" in reasons.columns:
        columns["when"] = [_day(second) for second in reasons["time"].to_list()]
    print_table(list(columns), zip(*columns.values(), strict=True))


def _day(second: int | None) -> str:
    return "" if second is None else datetime.fromtimestamp(second, tz=UTC).date().isoformat()
