"""Sharing, trimming and grouping change nothing: scores and gradients are those of the plain, padded networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from palate.models.news import network, padded  # noqa: E402
from palate.models.news.reading import Lists, compose  # noqa: E402
from palate.neural.devices import autocast  # noqa: E402
from palate.neural.dropout import Dropout  # noqa: E402

WORDS, ARTICLES, READERS, CANDIDATES, LONGEST, CLICKS = 20, 15, 6, 4, 7, 5
SIZES = {"dropout": 0.0}


def lists(lengths: NDArray[np.int64], member: NDArray[np.integer]) -> Lists:
    return Lists(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), member.astype(np.int32))


class World:
    """Random titles (one without words), histories (one empty, one of blank articles), people and candidates."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        lengths = rng.integers(1, LONGEST + 1, ARTICLES)
        lengths[3] = 0
        self.titles = lists(lengths, rng.integers(0, WORDS, lengths.sum()))
        clicks = rng.integers(1, CLICKS + 1, READERS)
        clicks[1] = 0
        past = rng.integers(0, ARTICLES, clicks.sum())
        past[: clicks[0]] = 3
        self.pasts = lists(clicks, past)
        self.users = rng.integers(0, 4, READERS)
        self.candidates = rng.integers(-1, ARTICLES, (READERS, CANDIDATES))

    def batch(self) -> Any:
        reader = np.repeat(np.arange(READERS), CANDIDATES)
        return compose(self.titles, self.pasts, self.users, reader, self.candidates.ravel())

    def slots(self, articles: NDArray[np.integer]) -> tuple[Any, Any]:
        """The words of articles (-1: none) padded to the longest of all, and which are there."""
        table, there = (
            np.zeros((*articles.shape, LONGEST), np.int64),
            np.zeros((*articles.shape, LONGEST), bool),
        )
        for place, article in np.ndenumerate(articles):
            if article >= 0:
                words = self.titles.member[self.titles.indptr[article] : self.titles.indptr[article + 1]]
                table[place][: len(words)], there[place][: len(words)] = words, True
        return torch.from_numpy(table), torch.from_numpy(there)

    def padded(self) -> tuple[Any, ...]:
        past = np.full((READERS, CLICKS), -1)
        for row in range(READERS):
            mine = self.pasts.member[self.pasts.indptr[row] : self.pasts.indptr[row + 1]]
            past[row, : len(mine)] = mine
        return *self.slots(past), *self.slots(self.candidates)


def nets(word_size: int = 8) -> dict[str, Any]:
    torch.manual_seed(0)
    words = torch.randn(WORDS, word_size)
    found: dict[str, Any] = {
        f"nrms residual={residual}": network.NRMS(
            words.clone(), heads=2, head_size=4, query_size=5, residual=residual, **SIZES
        )
        for residual in (False, True)
    }
    for form in ("paper", "authors", "tutorial"):
        found[f"npa {form}"] = network.NPA(
            words.clone(), 3, filters=6, width=3, user_size=4, query_size=5, form=form, **SIZES
        )
    for net in found.values():
        net.double()
        with torch.no_grad():  # so that they are seen
            net.blank.normal_()
            net.stranger.normal_()
    return found


def of_plain(net: Any, world: World) -> Any:
    if isinstance(net, network.NRMS):
        return padded.nrms(net, *world.padded())
    return padded.npa(net, torch.from_numpy(world.users), *world.padded())


@pytest.mark.parametrize("name", list(nets()))
@pytest.mark.parametrize("seed", range(5))
def test_scores_and_gradients_are_those_of_the_plain_network(name: str, seed: int):
    world, net = World(seed), nets()[name]
    pull = torch.linspace(-1, 1, READERS * CANDIDATES, dtype=torch.float64)
    ours, gradients = [], []
    for scores in (net(world.batch()), of_plain(net, world).reshape(-1)):
        net.zero_grad()
        (scores * pull).sum().backward()
        ours.append(scores.detach())
        gradients.append(
            {which: one.grad.clone() for which, one in net.named_parameters() if one.grad is not None}
        )
    torch.testing.assert_close(ours[0], ours[1], rtol=0, atol=1e-10)
    assert gradients[0].keys() == gradients[1].keys()
    for which, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][which], rtol=0, atol=1e-10, msg=which)


@given(seed=st.integers(0, 10_000), order=st.permutations(range(READERS)), kept=st.integers(1, READERS))
@settings(max_examples=30, deadline=None)
def test_a_score_does_not_hang_on_batch_mates_or_order(seed: int, order: list[int], kept: int):
    world, some = World(seed), np.array(order[:kept])
    for net in nets().values():
        with torch.no_grad():
            whole = net(world.batch()).view(READERS, CANDIDATES)
            turned = world.candidates[some][:, ::-1]
            reader = np.repeat(np.arange(kept), CANDIDATES)
            batch = compose(world.titles, world.pasts.select(some), world.users[some], reader, turned.ravel())
            alone = net(batch).view(kept, CANDIDATES).flip(1)
        torch.testing.assert_close(alone, whole[some], rtol=0, atol=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_what_is_rectified_in_place_is_dropout_of_relu(share: float):
    dropout = Dropout(share)
    x, pull = torch.randn(7, 9), torch.randn(7, 9)
    found = []
    for way in (network.rectified, lambda given, dropout: dropout(torch.relu(given))):
        given = x.clone().requires_grad_()
        torch.manual_seed(5)
        out = way(given * 1, dropout)
        (out * pull).sum().backward()
        found.append((out.detach(), given.grad))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert bool((found[0][0] == 0).any())
    with torch.no_grad():
        torch.testing.assert_close(
            network.rectified(x.clone(), dropout.eval()), torch.relu(x), rtol=0, atol=0
        )


@pytest.mark.parametrize("name", list(nets()))
def test_a_step_in_bfloat16_is_near_that_in_float32(name: str):
    world, net = World(3), nets()[name].float().train()
    gradients = []
    for precision in ("float32", "bfloat16"):
        net.zero_grad()
        with autocast(torch.device("cpu"), precision):
            scores = net(world.batch())
        scores.float().square().sum().backward()
        assert all(bool(one.grad.isfinite().all()) for one in net.parameters() if one.grad is not None)
        gradients.append(net.words.weight.grad.clone())
    torch.testing.assert_close(
        gradients[1], gradients[0], rtol=0.1, atol=0.05 * float(gradients[0].abs().max())
    )


def test_people_begin_near_nobody_in_particular():
    for form in ("paper", "authors", "tutorial"):
        net = network.NPA(
            torch.randn(5, 4), 2_000, filters=6, width=3, user_size=8, query_size=5, dropout=0.0, form=form
        )
        assert 0.04 < float(net.users.weight.detach().std()) < 0.06


def test_each_article_and_each_word_stands_once():
    world = World(1)
    batch = world.batch()
    slots = np.concatenate([world.pasts.member, world.candidates.ravel()])
    told = {int(article) for article in slots if article >= 0 and world.titles.lengths[article]}
    assert sum(len(group) for group in batch.titles) == len(told)
    words = np.concatenate([world.titles.select(np.array([article])).member for article in told])
    assert batch.words.tolist() == sorted(set(words.tolist()))
    padding = sum(int((group == len(batch.words)).sum()) for group in batch.titles)
    assert padding <= 0.25 * sum(group.numel() for group in batch.titles)
