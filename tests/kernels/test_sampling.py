"""Negatives against sets, and evenness against chance."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.kernels.sampling import negatives, unchosen


def csr(chosen: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.cumsum([0, *map(len, chosen)]).astype(np.int64)
    return indptr, np.array([i for some in chosen for i in sorted(some)], np.int32)


def drawn(
    chosen: list[set[int]], n_items: int, users: np.ndarray, *, per: int = 4, seed: int = 0,
    target: np.ndarray | None = None, places: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    out = np.full((len(users), per), -7, np.int32)
    came = np.zeros(len(users), np.int32) if target is None else target.astype(np.int32)
    where = np.arange(len(users)) if places is None else places
    negatives(*csr(chosen), n_items, users.astype(np.int32), came, where, seed, out)
    return out


@given(st.sets(st.integers(0, 30)), st.integers(1, 31))
def test_the_item_of_a_rank_is_that_of_the_sorted_rest(chosen: set[int], n_items: int) -> None:
    chosen = {i for i in chosen if i < n_items}
    items = np.array([-5, *sorted(chosen), -5], np.int32)  # what lies about the row is not read
    rest = sorted(set(range(n_items)) - chosen)
    assert [unchosen(items, 1, 1 + len(chosen), np.int64(rank)) for rank in range(len(rest))] == rest


def test_no_chosen_item_is_drawn_and_every_other_one_is() -> None:
    chosen = [set(), {0, 1, 2}, {19}, set(range(19)), set(range(0, 20, 2))]
    users = np.tile(np.arange(5), 200)
    found = drawn(chosen, 20, users)
    for user, some in enumerate(chosen):
        assert set(found[users == user].ravel().tolist()) == set(range(20)) - some


def test_of_a_user_who_chose_everything_any_but_the_target_is_drawn() -> None:
    found = drawn([{0, 1, 2}], 3, np.zeros(90), target=np.arange(90) % 3)
    for target in range(3):
        assert set(found[target::3].ravel().tolist()) == {0, 1, 2} - {target}
    assert (drawn([{0}], 1, np.array([0])) == 0).all()  # there is no other


def test_a_row_has_its_own_draws_whatever_stands_beside_it() -> None:
    chosen, users = [{1}, set(), {0, 1, 2, 3}], np.arange(300) % 3
    target, places = np.arange(300) % 4, np.arange(300)
    whole = drawn(chosen, 4, users, target=target, places=places)
    some = np.random.default_rng(0).permutation(300)[:80]
    assert np.array_equal(
        drawn(chosen, 4, users[some], target=target[some], places=places[some]), whole[some]
    )


def test_all_unchosen_items_are_drawn_equally_often() -> None:
    chosen, n = {3, 4, 7, 11}, 200_000
    found = drawn([chosen], 20, np.zeros(n // 4))
    counts = np.bincount(found.ravel(), minlength=20)
    free = np.setdiff1d(np.arange(20), sorted(chosen))
    expected = n / len(free)
    chi_square = ((counts[free] - expected) ** 2 / expected).sum()
    assert chi_square < 37.7  # 15 degrees of freedom: one seed in a thousand is above


def test_draws_do_not_hang_together() -> None:
    found = drawn([set()], 1000, np.zeros(50_000), per=2) / 1000 - 0.5
    other = drawn([set()], 1000, np.zeros(50_000), per=2, seed=1) / 1000 - 0.5
    pairs = (found[:, 0], found[:, 1]), (found[:-1, 1], found[1:, 0]), (found[:, 0], other[:, 0])
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


@pytest.mark.parametrize("seed", [0, 2**62])
def test_threads_change_nothing_and_seeds_do(seed: int) -> None:
    users, chosen = np.arange(5000) % 3, [{1, 2}, {5}, set()]
    threads = numba.get_num_threads()
    found = drawn(chosen, 50, users, seed=seed)
    try:
        numba.set_num_threads(1)
        assert np.array_equal(drawn(chosen, 50, users, seed=seed), found)
    finally:
        numba.set_num_threads(threads)
    assert (drawn(chosen, 50, users, seed=seed + 1) != found).mean() > 0.9


def test_nobody_asked_is_nothing_drawn() -> None:
    assert drawn([{0}], 3, np.empty(0)).shape == (0, 4)
