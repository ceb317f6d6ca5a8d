"""What every model must do, of a model of news: the same facts, of choices told as impressions.

Each choice of a reader is an impression: the item beside some that the reader never chose, after all that the reader
had chosen before. Items have titles, whose first word says whether the item's place is even. A fact that is not of news
is left out by name, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from palate.catalogue import Catalogue
from palate.errors import DataError
from palate.interactions import Interactions
from palate.models import registry
from palate.models.base import Recommender
from palate.models.news.base import NewsModel
from palate.news import Impressions
from tests.conformance.conformance import Conformance
from tests.worlds import checkerboard

OTHERS = 3

FRESH = """
import sys
import numpy as np, polars as pl, palate
from tests.conformance.news import impressed
folder = sys.argv[1]
model = palate.load_model(folder + "/model")
np.save(folder + "/scores.npy", model.score())
model.recommend(k=7).write_parquet(folder + "/lists.parquet")
again = palate.models.create(model.name, **model.params())
shown, articles = impressed(palate.Interactions.from_table(pl.read_parquet(folder + "/train.parquet")))
again.fit(shown, catalogue=articles)
np.save(folder + "/refitted.npy", again.score())
"""


def impressed(train: Interactions, catalogue: Catalogue | None = None) -> tuple[Impressions, Catalogue]:
    """Return choices as impressions, and items, or those of a catalogue, with titles."""
    rng = np.random.default_rng(0)
    when = np.arange(len(train)) if train.time is None else train.time
    ids = train.items.ids
    rows: dict[str, list[Any]] = {"user": [], "history": [], "candidates": [], "clicked": [], "time": []}
    past: dict[int, list[int]] = {}
    for row in np.lexsort((np.arange(len(train)), when, train.user)).tolist():
        user, item = int(train.user[row]), int(train.item[row])
        others = np.setdiff1d(np.arange(len(ids)), train.item[train.user == user])
        shown = rng.permutation(np.append(rng.permutation(others)[:OTHERS], item))
        before = past.setdefault(user, [])
        rows["user"].append(train.users.ids[user])
        rows["history"].append(ids.gather(before).to_list())
        rows["candidates"].append(ids.gather(shown).to_list())
        rows["clicked"].append((shown == item).tolist())
        rows["time"].append(int(when[row]))
        before.append(item)
    if train.time is None:
        del rows["time"]
    lists = {"history": pl.List(ids.dtype), "candidates": pl.List(ids.dtype)}
    articles = pl.DataFrame({"item": ids}) if catalogue is None else catalogue.table
    titles = [
        f"{'odd' if code % 2 else 'even'} thing{code}"
        for code in train.items.encode(articles["item"]).tolist()
    ]
    return (
        Impressions.from_table(pl.DataFrame(rows, schema_overrides=lists)),
        Catalogue.from_table(
            articles.with_columns(title=pl.Series(titles, dtype=pl.String)), text=("title",)
        ),
    )


@cache
def told(kind: type[NewsModel]) -> type[NewsModel]:
    """Return a model that takes choices, and is told them as impressions."""

    class Told(kind):  # type: ignore[misc, valid-type]
        def fit(self, train: Any, *, valid: Any = None, catalogue: Catalogue | None = None) -> Any:
            shown, articles = impressed(train, catalogue)
            judged = None if valid is None else impressed(valid)[0]
            return super().fit(shown, valid=judged, catalogue=articles)

    return Told


class NewsConformance(Conformance):
    """The facts, of a model of news."""

    model: ClassVar[type[NewsModel]]
    any_order = False
    longer: ClassVar[dict[str, Any]] = {}
    """parameters with which it learns long enough to tell something"""
    learns_words: ClassVar[bool] = True
    """whether it tells even items from odd ones by their titles"""

    # Impressions have no dislikes, no ratings and no types of events.
    test_nothing_but_negative_events_is_refused = None
    test_negative_events_are_seen_but_are_no_likes = None
    test_a_dislike_alone_says_nothing_of_likes = None
    test_event_types_named_negative_stay_so = None
    # Nothing is left to be shown beside a choice, which then tells nothing.
    test_one_user = None
    test_one_item = None
    test_one_row = None
    # They take impressions; see below.
    test_a_table_or_a_data_set_will_do_to_fit = None
    # There always is a catalogue, whose text is read.
    test_where_without_a_catalogue_says_what_to_do = None
    # Train tells the last history and the clicks since, and so no repeat of what stands there already.
    test_the_history_of_a_user_scores_as_the_user = None

    def make(self) -> Recommender:
        return told(self.model)(**self.params)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, train: Interactions) -> Recommender:
        return told(cls.model)(**cls.params).fit(train)

    @pytest.fixture(scope="class")
    @classmethod
    def fresh(
        cls, train: Interactions, fitted: Recommender, tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("fresh")
        fitted.save(folder / "model")
        train.table().write_parquet(folder / "train.parquet")
        alone = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        subprocess.run(
            [sys.executable, "-c", FRESH, str(folder)],
            check=True, timeout=300, env=os.environ | alone, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        return {
            "scores": np.load(folder / "scores.npy"),
            "refitted": np.load(folder / "refitted.npy"),
            "lists": pl.read_parquet(folder / "lists.parquet"),
        }

    def fingerprint(self, train: Interactions) -> str:
        return impressed(train)[0].fingerprint

    def test_the_registry_knows_it(self) -> None:
        assert registry.get(self.model.name) is self.model
        assert self.model.name in registry.news_names()

    def test_checkerboard_the_item_left_of_the_block_comes_first(self) -> None:
        top = told(self.model)(**self.params | self.longer).fit(checkerboard()).recommend(k=3)
        assert top.height == 60
        if self.learns_words:
            assert top.filter(pl.col("rank") == 1)["item"].to_list() == list(range(20))

    def test_choices_alone_are_refused_where_it_learns_from_what_was_not_chosen(
        self, train: Interactions
    ) -> None:
        articles = impressed(train)[1]
        model = self.model(**self.params)
        if self.model.needs_impressions:
            with pytest.raises(DataError, match="learns from impressions"):
                model.fit(train, catalogue=articles)
        else:
            assert np.isfinite(model.fit(train, catalogue=articles).score()).all()

    def test_lists_and_impressions_are_scored_alike(self, train: Interactions, fitted: Recommender) -> None:
        """An impression of all items, after the history of train, has the scores of the user."""
        histories = [
            fitted.items.decode(fitted.fitted.histories.select(np.array([user])).item).to_list()
            for user in range(4)
        ]
        shown = Impressions.from_table(
            {
                "user": fitted.users.ids.head(4).to_list(),
                "history": histories,
                "candidates": [fitted.items.ids.to_list()] * 4,
            }
        )
        scores = np.asarray(fitted.score_impressions(shown)).reshape(4, -1)
        wanted = fitted.score(users=fitted.users.ids.head(4))
        np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)
