"""What is made once for all who ask changes no score, and is made once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.models.news import scoring  # noqa: E402
from palate.models.news.reading import Lists, compose  # noqa: E402
from palate.models.news.shown import Shown  # noqa: E402
from tests.models.news.test_network import ARTICLES, CANDIDATES, READERS, World, nets  # noqa: E402

NETS = list(nets())


def net_of(name: str) -> Any:
    return nets()[name].float().eval()


def told(world: World) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(READERS), CANDIDATES), world.candidates.ravel().astype(np.int32)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("name", NETS)
def test_scores_are_those_of_the_network(
    name: str, small: bool, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:  # a piece holds next to nothing
        for limit in ("_WORDS", "_READ", "_NUMBERS", "_READERS"):
            monkeypatch.setattr(scoring, limit, 5)
    for seed in range(5):
        world, net = World(seed), net_of(name)
        reader, article = told(world)
        with torch.inference_mode():
            wanted = net(world.batch()).numpy()
        asked = scoring.scorer(net, world.titles, keep=keep)
        found = asked.pairs(world.pasts, world.users, reader, article)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        # Impressions: each reader twice.
        shown = Shown(
            (world.users - 1).astype(np.int32),
            world.pasts,
            np.tile(np.arange(READERS, dtype=np.int32), 2),
            np.arange(0, 2 * len(article) + 1, CANDIDATES),
            np.tile(article, 2),
            np.zeros(2 * len(article), bool),
        )
        np.testing.assert_allclose(scoring.score(asked, shown), np.tile(wanted, 2), rtol=1e-5, atol=1e-5)
        # All articles for each reader, and some.
        every = np.arange(ARTICLES, dtype=np.int32)
        batch = compose(
            world.titles,
            world.pasts,
            world.users,
            np.repeat(np.arange(READERS), ARTICLES),
            np.tile(every, READERS),
        )
        with torch.inference_mode():
            whole = net(batch).numpy().reshape(READERS, ARTICLES)
        for columns in (every, every[[7, 3, 12]], every[:0]):
            found = asked.every(world.pasts, world.users, columns)
            np.testing.assert_allclose(found, whole[:, columns], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["paper", "authors", "tutorial"])
def test_npa_reads_each_article_once_for_all_who_ask(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, net = World(1), net_of(f"npa {form}")
    reader, article = told(world)
    read: list[int] = []
    plain = type(net).read

    def counting(self: Any, tapped: Any, titles: Any) -> Any:
        read.append(sum(len(group) for group in titles))
        return plain(self, tapped, titles)

    monkeypatch.setattr(type(net), "read", counting)
    monkeypatch.setattr(type(net), "forward", None)  # in which each pair would have numbers of its own
    asked = scoring.scorer(net, world.titles, keep=True)
    for _ in range(3):
        asked.pairs(world.pasts, world.users, reader, article)
        asked.every(world.pasts, world.users, np.arange(ARTICLES, dtype=np.int32))
    assert sum(read) == (world.titles.lengths > 0).sum()


def test_nrms_prepares_only_articles_that_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world, net = World(2), net_of("nrms residual=True")
    rows: list[int] = []
    net.past.inward.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    asked = scoring.scorer(net, world.titles, keep=True)
    one = Lists(np.array([0, 3]), np.array([5, 5, 6], np.int32))
    asked.pairs(one, np.zeros(1, np.int64), np.zeros(2, np.int64), np.array([1, 2], np.int32))
    assert sum(rows) == 2
