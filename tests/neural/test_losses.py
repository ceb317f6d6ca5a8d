from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from palate.kernels.softmax import exponentials
from palate.neural.losses import binary_cross_entropy, cross_entropy

POSITIONS, ITEMS, SIZE = 37, 23, 8


def drawn(
    dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden vectors, a table and targets."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(POSITIONS, SIZE, dtype=dtype, generator=generator, requires_grad=True)
    table = torch.randn(ITEMS, SIZE, dtype=dtype, generator=generator, requires_grad=True)
    return hidden, table, torch.randint(0, ITEMS, (POSITIONS,), generator=generator)


def plain(hidden, table, target, *, smoothing=0.0, negatives=None, weight=1.0):
    """The same with all logits at once."""
    logits = hidden @ table.T
    if negatives is None:
        logits = logits.scatter_add(
            1, target[:, None], torch.full_like(target[:, None], -math.log(weight), dtype=logits.dtype)
        )
        return functional.cross_entropy(logits, target, reduction="sum", label_smoothing=smoothing)
    others = logits[:, negatives] + math.log(ITEMS / len(negatives))
    others = others.masked_fill(negatives == target[:, None], -math.inf)
    both = torch.cat([logits.gather(1, target[:, None]), others], 1)
    return functional.cross_entropy(both, torch.zeros_like(target), reduction="sum")


def grown(loss, *parameters):
    """Loss and gradients."""
    return loss.item(), torch.autograd.grad(loss, parameters)


LOSSES = {
    "full": lambda h, w, y: cross_entropy(h, w, y, chunk=10),
    "smoothed": lambda h, w, y: cross_entropy(h, w, y, smoothing=0.1, chunk=10),
    "weighed": lambda h, w, y: cross_entropy(h, w, y, weight=0.05, chunk=10),
    "weighed, smoothed": lambda h, w, y: cross_entropy(h, w, y, weight=0.3, smoothing=0.1, chunk=10),
    "sampled": lambda h, w, y: cross_entropy(h, w, y, negatives=torch.tensor([3, 1, 1, 20]), chunk=10),
    "bce": lambda h, w, y: binary_cross_entropy(h, w, y, (y[:, None] + torch.tensor([1, 5])) % ITEMS),
    "gbce": lambda h, w, y: binary_cross_entropy(
        h, w, y, (y[:, None] + torch.tensor([1, 5, 6])) % ITEMS, calibration=0.75
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    hidden, table, target = drawn()
    assert torch.autograd.gradcheck(lambda h, w: LOSSES[name](h, w, target), (hidden, table))


@pytest.mark.parametrize("chunk", [1, 10, 37, 1_000, None])
@pytest.mark.parametrize(("smoothing", "weight"), [(0.0, 1.0), (0.2, 1.0), (0.0, 0.02), (0.2, 0.4)])
def test_chunks_are_the_whole(chunk: int | None, smoothing: float, weight: float) -> None:
    hidden, table, target = drawn(torch.float32)
    how = {"smoothing": smoothing, "weight": weight}
    loss, gradients = grown(cross_entropy(hidden, table, target, **how, chunk=chunk), hidden, table)
    wanted, theirs = grown(plain(hidden, table, target, **how), hidden, table)
    assert loss == pytest.approx(wanted, rel=1e-6)
    for mine, other in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("many", [1, 6])
def test_a_draw_that_is_the_target_does_not_count(many: int, dtype: torch.dtype) -> None:
    hidden, table, target = drawn(dtype)
    negatives = target[:many]
    loss, gradients = grown(cross_entropy(hidden, table, target, negatives=negatives), hidden, table)
    wanted, theirs = grown(plain(hidden, table, target, negatives=negatives), hidden, table)
    assert loss == pytest.approx(wanted, rel=1e-6)
    for mine, other in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_draws_estimate_the_whole() -> None:
    """With the correction, many draws from the catalogue come near the loss over all of it."""
    hidden, table, target = drawn(torch.float32)
    hidden, table = 0.3 * hidden.detach(), table.detach()
    negatives = torch.randint(0, ITEMS, (20_000,), generator=torch.Generator().manual_seed(1))
    assert cross_entropy(hidden, table, target, negatives=negatives).item() == pytest.approx(
        cross_entropy(hidden, table, target).item(), rel=0.01
    )


def test_a_weight_is_what_a_draw_of_others_has_on_average() -> None:
    """Below the fraction line, the target's exponential and those of 3 others, were they drawn again and again."""
    hidden, table, target = drawn()
    with torch.no_grad():
        logits = hidden @ table.T
        mine = logits.gather(1, target[:, None]).exp()
        others = logits.exp().sum(1, keepdim=True)  # the target may be drawn, as any item
        below = mine + 3 / ITEMS * (others - mine)
        wanted = -(mine / below).log().sum()
    found = cross_entropy(hidden, table, target, weight=3 / ITEMS)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_the_power_of_gbce_is_the_papers() -> None:
    """beta = a (t (1 - 1/a) + 1/a): 1 for t = 0, the share that is drawn for t = 1."""
    hidden, table, target = drawn()
    negatives = (target[:, None] + torch.tensor([1, 5, 6])) % ITEMS
    share = 3 / (ITEMS - 1)
    kept = functional.softplus((hidden[:, None] * table[negatives]).sum(-1)).sum()
    positive = -functional.logsigmoid((hidden * table[target]).sum(1)).sum()
    for t, beta in ((0.0, 1.0), (1.0, share), (0.75, 0.25 + 0.75 * share)):
        found = binary_cross_entropy(hidden, table, target, negatives, calibration=t)
        assert found.item() == pytest.approx((kept + beta * positive).item(), rel=1e-12)


def test_large_logits_stay_finite() -> None:
    hidden, table, target = drawn(torch.float32)
    loss, gradients = grown(cross_entropy(300 * hidden, table, target), hidden, table)
    assert math.isfinite(loss)
    assert all(bool(torch.isfinite(one).all()) for one in gradients)


def test_nan_comes_through() -> None:
    hidden, table, target = drawn(torch.float32)
    with torch.no_grad():
        table[11] = math.nan
    assert math.isnan(cross_entropy(hidden, table, target).item())
    assert math.isnan(cross_entropy(hidden, table, target, negatives=torch.tensor([11])).item())


def test_exponentials_are_numpys_to_rounding() -> None:
    logits = np.random.default_rng(0).normal(0, 8, (301, 13)).astype(np.float32)
    largest, total = logits.max(0), np.empty(13, np.float32)
    wanted = np.exp((logits - largest).astype(np.float64))
    exponentials(logits, largest, total)
    np.testing.assert_allclose(logits, wanted, rtol=4e-7)
    np.testing.assert_allclose(total, wanted.sum(0), rtol=4e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_to_foretell_costs_nothing(name: str) -> None:
    _, table, _ = drawn(torch.float32)
    hidden, target = torch.zeros(0, SIZE, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    loss, gradients = grown(LOSSES[name](hidden, table, target), hidden, table)
    assert loss == 0
    assert not any(one.any() for one in gradients)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_as_precise_under_bfloat16_products(name: str) -> None:
    hidden, table, target = drawn(torch.float32)
    wanted, theirs = grown(LOSSES[name](hidden, table, target), hidden, table)
    with torch.autocast("cpu", torch.bfloat16):
        found = LOSSES[name](hidden, table, target)
    loss, gradients = grown(found, hidden, table)
    assert loss == pytest.approx(wanted, rel=1e-6)
    for mine, other in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
