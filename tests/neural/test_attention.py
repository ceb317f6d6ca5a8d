"""Causal attention: the kept weights and torch's fused kernel are one function."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from palate.neural.attention import Attention, with_weights_kept  # noqa: E402

LENGTHS = (1, 2, 31, 32, 63, 64, 65, 128, 200)


@pytest.mark.parametrize("length", LENGTHS)
def test_kept_weights_are_the_fused_kernel(length: int) -> None:
    torch.manual_seed(length)
    attention = Attention(16, heads=1).double()
    outer = torch.randn(3, length, 16, dtype=torch.float64)
    found = []
    for way in (attention._fused, with_weights_kept):
        asked = torch.randn(
            3, length, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
        ).requires_grad_()
        mixed = way(asked)
        mixed.backward(outer)
        found.append((mixed.detach(), asked.grad))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    asked = torch.randn(2, 103, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(with_weights_kept, (asked,), fast_mode=True)


@pytest.mark.parametrize("length", LENGTHS)
def test_no_place_sees_what_comes_after_it(length: int) -> None:
    torch.manual_seed(0)
    attention = Attention(8, heads=1)
    x = torch.randn(1, length, 8, requires_grad=True)
    seen = length // 2
    (of_x,) = torch.autograd.grad(attention(x)[0, seen].sum(), x)
    assert (of_x[0, seen + 1 :] == 0).all()
    assert (of_x[0, : seen + 1] != 0).any(1).all()


def test_which_way_is_taken_follows_from_what_is_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int]] = []
    fused = Attention._fused

    def noted(self: Attention, asked: torch.Tensor) -> torch.Tensor:
        taken.append((self.heads, asked.shape[1]))
        return fused(self, asked)

    monkeypatch.setattr(Attention, "_fused", noted)
    one, two = Attention(8, heads=1), Attention(8, heads=2)
    for length in (31, 32, 1_024, 1_025):
        one(torch.randn(1, length, 8))
    assert taken == [(1, 31), (1, 1_025)]
    two(torch.randn(1, 64, 8))
    with torch.no_grad():
        one(torch.randn(1, 64, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        one(torch.randn(1, 65, 8))
    assert taken[2:] == [(2, 64), (1, 64), (1, 65)]
