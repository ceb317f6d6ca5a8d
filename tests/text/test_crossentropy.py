"""The loss of a language model, taken apart, against torch and the textbook."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import PlanError
from palate.text import crossentropy
from palate.text.crossentropy import STEP, from_logits, from_probabilities, joined

torch = pytest.importorskip("torch")


def logits(seed: int, positions: int = 6, vocabulary: int = 50, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (positions, vocabulary))


@pytest.mark.parametrize("spread", [0.01, 3.0, 60.0])
def test_the_loss_and_its_gradient_are_torchs(spread: float):
    z = torch.tensor(logits(1, spread=spread), requires_grad=True)
    came = torch.tensor([0, 7, 49, 3, 3, 20])
    theirs = torch.nn.functional.cross_entropy(z, came, reduction="none")
    theirs.sum().backward()
    ours = from_logits(z.detach().numpy(), came.numpy())
    np.testing.assert_allclose(ours.nats, theirs.detach().numpy(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.gradient_norm, z.grad.norm(dim=1).numpy(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.p - 1, z.grad[range(6), came].numpy(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.gradient_sum, 0, atol=1e-9)


def test_a_model_that_knows_nothing_loses_the_logarithm_of_its_vocabulary():
    told = from_logits(np.zeros((1, 49_152)), [5])
    assert told.nats[0] == pytest.approx(10.8027, abs=5e-5)
    assert told.bits[0] == pytest.approx(math.log2(49_152))
    assert told.entropy[0] == pytest.approx(told.nats[0])
    assert crossentropy.perplexity(told.nats[0]) == pytest.approx(49_152)


def test_of_equals_the_smaller_id_stands_first():
    told = from_logits([[0.0, 2.0, 2.0, 0.0, 2.0]], [4], shown=4)
    assert told.rank.tolist() == [3]
    assert told.runners.tolist() == [[1, 2, 4, 0]]


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_ranks_and_runners_are_a_stable_sort(seed: int, vocabulary: int):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 4, (3, vocabulary)).astype(float)  # many ties
    came = rng.integers(0, vocabulary, 3)
    told = from_logits(z, came, shown=5)
    order = np.argsort(-z, axis=1, kind="stable")
    np.testing.assert_array_equal(told.runners, order[:, :5])
    assert [list(row).index(one) + 1 for row, one in zip(order, came, strict=True)] == told.rank.tolist()


def test_a_step_down_the_gradient_loses_what_the_first_order_says():
    z, came = logits(3), np.array([1, 2, 3, 4, 5, 6])
    told = from_logits(z, came)
    falls = told.nats - told.stepped
    assert (falls > 0).all()
    # the rest is of second order: step^2 / 2 times a curvature below 1 times |p - y|^2
    assert (np.abs(falls - STEP * told.gradient_norm**2) <= STEP**2 / 2 * told.gradient_norm**2 + 1e-12).all()


def test_the_classroom_example():
    told, gradient = from_probabilities([0.3, 0.5, 0.2], 0)
    assert told.nats[0] == pytest.approx(1.204, abs=5e-4)
    assert told.rank[0] == 2
    np.testing.assert_allclose(gradient, [-0.7, 0.5, 0.2], atol=1e-12)
    assert gradient.sum() == pytest.approx(0, abs=1e-12)


def test_what_is_certain_costs_nothing_and_has_no_gradient():
    told, gradient = from_probabilities([0.0, 1.0], 1)
    assert (told.nats[0], told.gradient_norm[0], told.entropy[0]) == (0, 0, 0)
    assert gradient.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("probabilities", "target", "words"),
    [
        ([0.3, 0.5], 0, "sum to 0.8"),
        ([1.0], 0, "at least two"),
        ([0.5, 0.7, -0.2], 0, "from 0 to 1"),
        ([0.5, float("nan")], 0, "from 0 to 1"),
        ([0.5, 0.5], 2, "0 to 1"),
        ([0.5, 0.5], -1, "0 to 1"),
        ([1.0, 0.0], 1, "infinite"),
    ],
)
def test_what_is_no_distribution_is_refused(probabilities: list[float], target: int, words: str):
    with pytest.raises(PlanError, match=words):
        from_probabilities(probabilities, target)


def test_broken_logits_are_refused_and_the_place_is_named():
    z = logits(1)
    z[4, 2] = np.nan
    with pytest.raises(PlanError, match="position 4 holds NaN"):
        from_logits(z, np.zeros(6, int))
    with pytest.raises(PlanError, match="expected ids from 0 to 49"):
        from_logits(logits(1), np.full(6, 50))
    with pytest.raises(PlanError, match=r"\(6, 50\)"):
        from_logits(logits(1), [1])


def test_a_text_in_parts_is_the_text():
    z, came = logits(2), np.arange(6)
    whole, parts = from_logits(z, came), joined([from_logits(z[:2], came[:2]), from_logits(z[2:], came[2:])])
    for name in ("p", "nats", "rank", "runners", "stepped"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_the_memory_is_six_arrays_beside_the_given_one():
    z = logits(4, 10, 20_000)
    came = [1] * 10
    from_logits(z, came)
    tracemalloc.start()
    from_logits(z, came)
    most = tracemalloc.get_traced_memory()[1] / z.nbytes
    tracemalloc.stop()
    assert 5.5 < most < 6.5
