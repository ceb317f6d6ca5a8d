"""MF: its step against derivatives of the log loss, its draws, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from palate import Impressions
from palate.errors import PlanError
from palate.kernels.logistic import epoch, step
from palate.models.mf import MF
from tests.worlds import checkerboard, world


def test_strangers_among_impressions_are_scored_by_nobody() -> None:
    """Who has no name in train has no score; who has is scored by it, whatever was shown as the history."""
    data = world(seed=1)
    model = MF(epochs=1, factors=4, seed=1).fit(data)
    known, items = data.users.ids[0], data.items.ids.head(3).to_list()
    shown = Impressions.from_table(
        {"user": [known, "stranger"] if data.users.is_text else [known, 10**9],
         "history": [[], [items[0]]], "candidates": [items, items]}
    )  # fmt: skip
    scores = model.score_impressions(shown).reshape(2, 3)
    assert scores[0] == pytest.approx(model.score(users=[known], items=items)[0])
    assert (scores[1] == -np.inf).all()


def parts(seed: int, users: int = 3, items: int = 4, size: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = ((users, size), (items, size), (users,), (items,), (1,))
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def log_loss(some: list[np.ndarray], u: int, i: int, seen: float) -> float:
    users, items, bias_u, bias_i, level = some
    score = float(users[u] @ items[i] + bias_u[u] + bias_i[i] + level[0])
    return float(np.logaddexp(0, -score if seen else score))


@pytest.mark.parametrize("seen", [0.0, 1.0])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_a_step_is_down_the_slope_of_the_log_loss_and_the_penalty(seen: float, penalty: float) -> None:
    for seed in range(4):
        before = parts(seed)
        wide = [part.astype(np.float64) for part in before]
        after = [part.copy() for part in before]
        rate, u, i, tiny = 0.25, 1, 2, 1e-6
        loss = step(u, i, np.float32(seen), np.float32(rate), np.float32(penalty), *after)
        assert loss == pytest.approx(log_loss(wide, u, i, seen), rel=1e-5)
        touched = {0: u, 1: i, 2: u, 3: i, 4: 0}
        for n, part in enumerate(wide):
            for place in np.ndindex(part.shape):
                if place[0] != touched[n]:
                    assert after[n][place] == before[n][place]
                    continue
                value = part[place]
                sides = []
                for part[place] in (value + tiny, value - tiny):
                    sides.append(log_loss(wide, u, i, seen))
                part[place] = value
                slope = (sides[0] - sides[1]) / (2 * tiny) + penalty * value
                assert after[n][place] == pytest.approx(value - rate * slope, abs=2e-6)


def test_extreme_scores_have_a_finite_loss() -> None:
    for level in (-200.0, 200.0):
        for seen in (0.0, 1.0):
            some = parts(0)
            some[4][0] = level
            loss = step(0, 0, np.float32(seen), np.float32(0.1), np.float32(0), *some)
            assert loss == pytest.approx(abs(level) if (level < 0) == (seen > 0) else 0, abs=10)
            assert all(np.isfinite(part).all() for part in some)


def test_no_choice_is_ever_pushed_down_and_a_user_of_everything_has_no_negatives() -> None:
    # Without factors or a common level to carry them along, items' biases tell who was drawn.
    indptr, chosen = np.array([0, 2, 5], np.int64), np.array([0, 1, 0, 1, 2], np.int32)
    state = [
        np.zeros((2, 1), np.float32),
        np.zeros((3, 1), np.float32),
        *(np.zeros(n, np.float32) for n in (2, 3, 1)),
    ]
    user, order = np.array([0, 0, 1, 1, 1], np.int32), np.arange(5)
    epoch(order[2:], user, indptr, chosen, 50, 7, 0.1, 0.0, *state)
    assert (state[3] > 0).all()  # user 1 has all three items
    before = state[3].copy()
    epoch(order[:2], user, indptr, chosen, 50, 7, 0.1, 0.0, *state)
    assert state[3][2] < before[2]  # the one that user 0 lacks


def test_the_loss_falls_and_ends_below_that_of_knowing_only_how_many_are_chosen() -> None:
    model = MF(factors=8, epochs=60, learning_rate=0.1).fit(checkerboard())
    loss = [row["loss"] for row in model.fitted.trace]
    share = 1 / 9  # one choice to eight negatives
    assert loss[-1] < 0.5 * loss[0]
    assert loss[-1] < -(share * np.log(share) + (1 - share) * np.log(1 - share))


def test_without_factors_the_biases_find_the_log_odds() -> None:
    # Two items, chosen by 30 and 10 of 40 users, each by people who lack the other: every choice of one draws the
    # other. Factors that all begin at zero have no slope. At the best a user's bias makes the chances of the two sum
    # to 1, and the first one's is 3 in 4, so the items' biases lie 2 log 3 apart.
    n, rng = 40, np.random.default_rng(1)
    item = (np.arange(n) >= 30).astype(np.int32)
    user, indptr = np.arange(n, dtype=np.int32), np.arange(n + 1)
    state = [np.zeros(shape, np.float32) for shape in ((n, 1), (2, 1), (n,), (2,), (1,))]
    for turn in range(3_000):
        epoch(rng.permutation(n), user, indptr, item, 1, turn, 0.01, 0.0, *state)
    assert not state[0].any()
    assert state[3][0] - state[3][1] == pytest.approx(2 * np.log(3), rel=0.03)


def test_a_seed_is_one_model_and_another_seed_another() -> None:
    scores = [MF(factors=4, epochs=2, seed=seed).fit(world()).score() for seed in (1, 1, 2)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_steps_that_run_away_are_refused_with_the_epoch() -> None:
    with pytest.raises(PlanError, match=r"no number in epoch \d+: lower learning_rate = 1e\+20"):
        MF(factors=4, learning_rate=1e20).fit(world())


def test_similar_items_are_of_the_same_side_of_the_board() -> None:
    model = MF(factors=8, epochs=60, learning_rate=0.1).fit(checkerboard())
    near = model.similar([0, 1], k=5)
    assert (near["item"] % 2 == near["similar"] % 2).all()
