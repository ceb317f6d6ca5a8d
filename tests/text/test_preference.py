"""Losses of pairs: exact and with finite gradients up to certainty, in any precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.text import preference  # noqa: E402
from palate.text.preference import Pairs  # noqa: E402

MEANS = [-5.0, -1.0, -math.log(2), -0.5, -0.1, -1e-2, -1e-3, -1e-5, -1e-7, -1e-9]


def pairs(w: list[float], l: list[float], tokens: int = 100, dtype: torch.dtype = torch.float64) -> Pairs:  # noqa: E741
    n = torch.full((len(w),), tokens)
    return Pairs(
        torch.tensor(w, dtype=dtype, requires_grad=True) * tokens,
        torch.tensor(l, dtype=dtype, requires_grad=True) * tokens,
        n,
        n,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_odds_are_those_of_float64_and_their_gradient_is_finite(dtype: torch.dtype):
    x = torch.tensor(MEANS, dtype=dtype, requires_grad=True)
    found = preference.log_odds(x)
    found.sum().backward()
    exact = x.detach().double().numpy()
    truth = exact - np.log(-np.expm1(exact))
    # log odds are 0 at one half, where only the absolute error says anything
    np.testing.assert_allclose(found.detach().numpy(), truth, rtol=1e-3, atol=1e-6)
    assert torch.isfinite(x.grad).all()
    np.testing.assert_allclose(
        x.grad.float().numpy(), -1 / np.expm1(exact), rtol=1e-2 if dtype == torch.bfloat16 else 1e-3
    )


@pytest.mark.parametrize("value", [0.0, -1e-13, -1e-300, -80.0, -700.0])
def test_at_the_ends_nothing_is_infinite(value: float):
    x = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    found = preference.log_odds(x)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("mean", [*MEANS, 0.0])
def test_sides_that_are_alike_lose_log_2_and_pull_nowhere(mean: float):
    w = torch.tensor([mean * 50], requires_grad=True)
    n = torch.tensor([50])
    loss = preference.odds_ratio(Pairs(w, w, n, n)).sum()
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
    assert abs(w.grad.item()) < 1e-6


@pytest.mark.parametrize("name", ["odds_ratio", "dpo", "simpo"])
def test_gradients_are_finite_differences(name: str):
    n, m = torch.tensor([40, 7, 300]), torch.tensor([41, 9, 280])

    def loss(w: torch.Tensor, l: torch.Tensor) -> torch.Tensor:  # noqa: E741
        reference = Pairs(torch.tensor([-90.0, -9.0, -1.0]), torch.tensor([-80.0, -9.5, -2.0]), n, m)
        found, loss = Pairs(w, l, n, m), getattr(preference, name)
        return (loss(found, reference) if name == "dpo" else loss(found)).sum()

    w = torch.tensor([-100.0, -8.0, -0.01], dtype=torch.float64, requires_grad=True)
    l = torch.tensor([-110.0, -8.5, -0.5], dtype=torch.float64, requires_grad=True)  # noqa: E741
    assert torch.autograd.gradcheck(loss, (w, l), eps=1e-6, atol=1e-6)


def test_dpo_starts_at_log_2_and_is_bpr_of_the_gains():
    p = pairs([-1.0, -2.0], [-1.5, -1.0])
    assert preference.dpo(p, p).tolist() == pytest.approx([math.log(2)] * 2)
    reference = pairs([-1.1, -2.1], [-1.4, -1.3])
    gain = (p.chosen - reference.chosen) - (p.rejected - reference.rejected)
    bpr = -torch.log(torch.sigmoid(0.1 * gain))
    torch.testing.assert_close(preference.dpo(p, reference, beta=0.1), bpr)


def test_the_odds_ratio_is_the_papers_formula():
    p = pairs([-1.0], [-1.5])
    odds = [math.exp(x) / (1 - math.exp(x)) for x in (-1.0, -1.5)]
    expected = -math.log(1 / (1 + odds[1] / odds[0]))
    assert preference.odds_ratio(p).item() == pytest.approx(expected)
    assert p.margin.item() == pytest.approx(0.5)
    steep = -math.log(1 / (1 + (odds[1] / odds[0]) ** 20)) / 20
    assert preference.odds_ratio(p, steepness=20.0).item() == pytest.approx(steep)


@pytest.mark.parametrize("steepness", [1.0, 20.0, 300.0])
def test_the_odds_ratio_pulls_alike_sides_apart_by_one_half_at_any_steepness(steepness: float):
    n = torch.tensor([50])
    w, l = (torch.tensor([-100.0], dtype=torch.float64, requires_grad=True) for _ in range(2))  # noqa: E741
    loss = preference.odds_ratio(Pairs(w, l, n, n), steepness=steepness).sum()
    loss.backward()
    slope = 1 / (1 - math.exp(-2.0)) / 50  # of the log odds, by the sum of log p
    assert loss.item() == pytest.approx(math.log(2) / steepness)
    assert (w.grad.item(), l.grad.item()) == pytest.approx((-slope / 2, slope / 2))


@pytest.mark.parametrize("steepness", [1.0, 20.0])
def test_of_the_odds_ratios_pull_a_quarter_is_left_at_log_7_by_its_steepness(steepness: float):
    n, l = torch.tensor([50]), torch.tensor([-100.0], dtype=torch.float64)  # noqa: E741
    apart = preference.log_odds(l / 50) + math.log(7) / steepness
    w = (50 * torch.nn.functional.logsigmoid(apart)).requires_grad_()
    preference.odds_ratio(Pairs(w, l, n, n), steepness=steepness).sum().backward()
    slope = 1 / (1 - math.exp(w.item() / 50)) / 50  # of the log odds, by the sum of log p
    assert w.grad.item() == pytest.approx(-slope / 8)


def test_simpo_is_at_log_2_where_the_margin_is_as_asked():
    assert preference.simpo(pairs([-1.0], [-1.5]), beta=2.0, gamma=1.0).item() == pytest.approx(math.log(2))
