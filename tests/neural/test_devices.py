"""Where and how precisely it is computed changes what is learned by a stated tolerance only."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.errors import OutOfMemory, PlanError  # noqa: E402
from palate.neural import devices  # noqa: E402
from tests.neural.several import chains, small  # noqa: E402

HERE = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
LOSSES = ["ce", "sampled_ce", "gbce", "bce"]


def on(device: str) -> pytest.MarkDecorator:
    """Skip where there is no such device, and say so."""
    return pytest.mark.skipif(not HERE[device], reason=f"no {device} device here")


def losses(**given) -> list[float]:
    """The loss of each epoch."""
    return [row["loss"] for row in small(**given).fit(chains()).fitted.trace]


@pytest.mark.parametrize("device", [name for name, here in HERE.items() if not here])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(PlanError, match=f'device = "{device}" is not to be had here'):
        small(device=device).fit(chains())


def test_auto_is_the_processor_where_there_is_no_card() -> None:
    np.testing.assert_allclose(losses(device="auto"), losses(device="cpu"), rtol=1e-3 if HERE["cuda"] else 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_products_in_bfloat16_learn_what_float32_learns_to_a_twentieth(loss: str) -> None:
    rough, fine = (
        losses(loss=loss, learning_rate=0.02, epochs=8, precision=precision)
        for precision in ("bfloat16", "float32")
    )
    assert fine[0] - fine[-1] > 0.2 * fine[0]  # there is much to learn
    assert rough[0] - rough[-1] == pytest.approx(fine[0] - fine[-1], rel=0.05)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("device", [pytest.param(name, marks=on(name)) for name in HERE])
def test_an_accelerator_learns_what_the_processor_learns_to_a_thousandth(device: str, loss: str) -> None:
    there, here = (small(loss=loss, device=one).fit(chains()) for one in (device, "cpu"))
    for name, array in here.fitted.state.weights.items():
        np.testing.assert_allclose(there.fitted.state.weights[name], array, atol=1e-3, err_msg=name)
    users = [0, 1, 2]
    np.testing.assert_allclose(
        there.score(users=users, items=[3, 4]), here.score(users=users, items=[3, 4]), atol=1e-3
    )


@on("cuda")
@pytest.mark.parametrize("loss", LOSSES)
def test_a_card_learns_in_bfloat16(loss: str) -> None:
    np.testing.assert_allclose(
        losses(loss=loss, device="cuda", precision="bfloat16"), losses(loss=loss), rtol=2e-2
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_memory_that_ran_out_is_one_error_whoever_says_so(error: Exception) -> None:
    with (
        pytest.raises(OutOfMemory, match=r"the memory did not suffice.*Lower it") as told,
        devices.enough_memory("Lower it."),
    ):
        raise error
    assert isinstance(told.value, MemoryError)  # so that a search tries that setting again another time


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), devices.enough_memory("Lower it."):
        raise RuntimeError("shapes cannot be multiplied")


@on("cuda")
def test_the_generators_of_all_cards_stand_where_they_stood() -> None:
    torch.cuda.manual_seed_all(3)
    before = torch.cuda.get_rng_state_all()
    with devices.own_random(7, torch.device("cuda", 0)):
        torch.rand(3, device="cuda")
    assert all(torch.equal(a, b) for a, b in zip(before, torch.cuda.get_rng_state_all(), strict=True))
