"""`palate fit`: fit one model to a whole data set, and save it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json, Quiet, Sets, reads_data
from palate.cli.processes import together
from palate.cli.show import print_json
from palate.cli.style import program

if TYPE_CHECKING:
    from palate.models.base import Recommender

EXAMPLES = """
palate fit movietweetings --model sar --out models/sar
palate fit retail --model sar --set half_life_days=30 --set similarity=lift --out models/sar-30d
palate fit ratings.csv --user userId --item movieId --value rating --model ease --out models/ease
"""


@reads_data
def fit(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Name of a data set, or a file.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the model is saved.")],
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="NAME", help="Such as sar, ease or rbm; docs/cli.md has all."),
    ] = "sar",
    sets: Sets = None,
    as_json: Json = False,
    quiet: Quiet = False,
    reading: dict[str, Any],
) -> None:
    """Fit one model to all the data and save it in a folder.

    Models of news (nrms, npa, ctr, content) learn from impressions: DATA is mind-demo, say, or a folder of MIND; of it
    they take the train part. For a comparison with a test set, write a plan and `palate run` it. `palate models NAME`
    lists what --set can set. All data train, so nothing stops ncf early; sasrec, nrms and npa keep a tenth aside to
    see when to stop.
    """
    from palate.cli.reading import load, load_impressions, of_impressions, parameters, quieten
    from palate.models import registry
    from palate.models.news.base import NewsModel
    from palate.models.saved import check_place, earlier

    unfitted = registry.create(model, **parameters(sets or []))
    check_place(out)
    with together(getattr(unfitted, "device", "cpu")) as first:
        quieten(quiet or not first)
        fitted: Recommender
        of_news = isinstance(unfitted, NewsModel) and (
            unfitted.needs_impressions or of_impressions(data, reading)
        )
        if of_news:
            news = load_impressions(data, reading)
            started = time.perf_counter()
            fitted = unfitted.fit(news)
            train = news.train.clicks()
        else:
            dataset = load(data, reading)
            started = time.perf_counter()
            fitted = unfitted.fit(dataset.interactions, catalogue=dataset.catalogue)
            train = dataset.interactions
        seconds = time.perf_counter() - started
        if not first:
            return
        replaced = earlier(out)
        fitted.save(out)
        if as_json:
            facts: dict[str, Any] = {
                "users": train.n_users,
                "items": train.n_items,
                "interactions": len(train),
            }
            facts |= {"seconds": seconds, "trace": fitted.fitted.trace, "replaced": replaced or None}
            print_json({"model": str(out), "name": model, "params": fitted.params(), **facts})
        elif not quiet:
            events = "clicks" if of_news else "events"
            counted = f"{len(train):,} {events} of {train.n_users:,} users and {train.n_items:,} items"
            print(f"{model}: fitted to {counted} in {seconds:.1f} s, saved in {out}")
            if ended := _ended(fitted):
                print(ended)
            if replaced:
                print(f"It stands in place of {replaced}.")
            print(f"Next: {program()} recommend {out} --users {train.users.ids[0]}")


def _ended(fitted: Recommender) -> str:
    """Return how a training went that validation watched."""
    from palate.neural.told import closing

    params = fitted.params()
    if not {"epochs", "patience"} <= set(params):
        return ""
    return closing(fitted.fitted.trace, epochs=params["epochs"], patience=params["patience"])
