"""What a dropout keeps: the share that was asked for, evenly, and another each time."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.neural.dropout import Dropout  # noqa: E402


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_is_left_out_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(1)
    n = 1_000_000
    found = Dropout(share)(torch.ones(n)).numpy()
    kept = found > 0
    assert set(np.unique(found).tolist()) == {0.0, np.float32(1 / (1 - share))}
    deviation = (n * share * (1 - share)) ** 0.5
    assert abs(kept.sum() - n * (1 - share)) < 4 * deviation
    # Four numbers share a draw: each of the four places is as often kept, and none hangs on its neighbour.
    by_place = kept.reshape(-1, 4)
    assert np.abs(by_place.mean(0) - (1 - share)).max() < 4 * deviation / n * 2
    assert np.abs(np.corrcoef(by_place.T) - np.eye(4)).max() < 0.01


def test_two_calls_leave_out_other_numbers_and_a_seed_the_same() -> None:
    layer, x = Dropout(0.5), torch.ones(7, 11)
    torch.manual_seed(2)
    first, second = layer(x), layer(x)
    torch.manual_seed(2)
    assert first.shape == x.shape
    assert not torch.equal(first, second)
    assert torch.equal(first, layer(x))


def test_a_gradient_passes_where_a_number_passed() -> None:
    x = torch.ones(1_001, requires_grad=True)
    found = Dropout(0.3)(x)
    found.sum().backward()
    assert torch.equal(x.grad, found.detach())


def test_what_does_not_learn_leaves_nothing_out() -> None:
    x = torch.rand(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
