"""`palate submit`: the file that MIND's leaderboard takes."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json, Model, Quiet
from palate.cli.show import print_json
from palate.errors import DataError, PlanError

if TYPE_CHECKING:
    from palate.datasets.newsdata import Part

_PARTS: tuple[Part, ...] = ("test", "valid", "train")
"""the first that is there is ranked"""

EXAMPLES = """
palate submit models/nrms mind-large --out prediction.zip
palate submit models/nrms MINDlarge_test.zip --out prediction.zip
"""


def submit(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="News with a part without labels: a name, or MIND's folder or zip."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The zip to write.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rank what the test part of MIND shows, and write it as MIND's leaderboard takes it.

    The zip holds prediction.txt: of each impression its number and the ranks of its articles. Articles that the model
    does not know are read first. A set without such a part gives the ranks of the part to measure on. No other part is
    read.
    """
    from palate.cli.reading import load_impressions, model_at, quieten
    from palate.evaluation.impressions import write_submission
    from palate.models.news.base import NewsModel

    quieten(quiet)
    if Path(data).is_file() and not data.endswith(".zip"):
        raise PlanError(
            f"submit: {data} is a file, and MIND's leaderboard takes ranks of MIND: give a name such as mind-large, or "
            "MIND's folder or zip."
        )
    fitted, news = model_at(model), load_impressions(data, {}, only=_PARTS)
    if isinstance(fitted, NewsModel):
        fitted = fitted.with_articles(news.articles)
    shown = news.first(*_PARTS)
    scores = fitted.score_impressions(shown)
    if (scores == -inf).all():
        raise DataError(
            f"{model}: this {fitted.name} knows no article of {news.name}: fit it to {news.name} first."
        )
    path = write_submission(out, shown, scores)
    if as_json:
        print_json({"submission": str(path), "impressions": len(shown)})
    elif not quiet:
        print(f"{len(shown):,} impressions ranked, in {path}")
