"""The loop's decisions: when it stops, what it keeps, how large its steps are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.errors import PalateWarning, PlanError, SavedModelError  # noqa: E402
from palate.neural import devices  # noqa: E402
from palate.neural.adam import AdamW  # noqa: E402
from palate.neural.loop import Course, train  # noqa: E402
from tests.neural.toy import ITEMS, Toy, course, weights  # noqa: E402

ROOT = Path(__file__).parents[2]


class Judged(Toy):
    """A toy whose validation says what is asked of it, and which notes where it stood."""

    def __init__(self, values: list[float]) -> None:
        super().__init__(dropout=0.0)
        self.values, self.stood = values, []

    def validate(self) -> dict[str, float]:
        self.stood.append(weights(self))
        return {"value": self.values[len(self.stood) - 1]}


def moved(task: Judged, a: int, b: int) -> float:
    """How far the weights went from one epoch's end to another's."""
    return max(float(np.abs(task.stood[b][name] - one).max()) for name, one in task.stood[a].items())


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_patience_is_the_epochs_without_a_better_value_and_the_best_is_kept(schedule: str) -> None:
    task = Judged([1.0, 2.0, *[1.0] * 20])
    how = replace(course(epochs=20), schedule=schedule, patience=2, warmup=0)
    train(task, how, lambda **_: None)
    # On a plateau twice more, from the best state.
    assert len(task.stood) == (4 if schedule == "constant" else 8)
    for name, kept in weights(task).items():
        assert np.array_equal(kept, task.stood[1][name])


def test_on_a_plateau_it_goes_on_from_the_best_state_in_smaller_steps() -> None:
    task = Judged([1.0, 2.0, *[1.0] * 20])
    train(task, replace(course(epochs=20), schedule="plateau", patience=2, warmup=0), lambda **_: None)
    fast, slow, slower = moved(task, 1, 2), moved(task, 1, 4), moved(task, 1, 6)
    assert slower < 0.6 * slow
    assert slow < 0.6 * fast


def test_a_run_that_goes_on_after_a_drop_ends_in_the_same_bits(tmp_path) -> None:
    values = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0]
    how = replace(course(epochs=8), schedule="plateau", patience=2, warmup=0)
    whole = Judged(values)
    train(whole, how, lambda **_: None)
    train(Judged(values), replace(how, epochs=4, checkpoint=tmp_path), lambda **_: None)
    again = Judged(values[4:])
    train(again, replace(how, checkpoint=tmp_path), lambda **_: None)
    for name, kept in weights(whole).items():
        assert np.array_equal(kept, weights(again)[name])


class Broken(Judged):
    """Its losses are no numbers."""

    def loss(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, int]:
        loss, count = super().loss(rows, rng)
        return loss * torch.nan, count


def test_the_best_state_before_a_drop_is_sound_for_who_goes_on_too(tmp_path) -> None:
    how = replace(course(epochs=8), schedule="plateau", patience=2, warmup=0)
    whole = Judged([1.0, 2.0, 1.0, 1.0])
    train(whole, replace(how, epochs=4, checkpoint=tmp_path), lambda **_: None)
    again = Broken([1.0] * 4)
    with pytest.warns(PalateWarning, match="in epoch 5, step 1 .*the best state until then is kept"):
        train(again, replace(how, checkpoint=tmp_path), lambda **_: None)
    for name, kept in weights(again).items():
        assert np.array_equal(kept, whole.stood[1][name])


class Noting(Toy):
    """A toy that notes its weights before each step, and may make its gradient so many times as long."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__(dropout=0.0)
        self.times, self.stood = times, []

    def loss(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, int]:
        self.stood.append(weights(self))
        loss, count = super().loss(rows, rng)
        return loss * self.times, count


def steps(task: Noting) -> np.ndarray:
    """How far the weights went in each step, at most: Adam's step of an even gradient is the learning rate."""
    whole = [*task.stood, weights(task)]
    return np.array([max(np.abs(b[name] - a[name]).max() for name in a) for a, b in pairwise(whole)])


def test_the_learning_rate_rises_in_the_warm_up_and_falls_along_a_cosine() -> None:
    how = Course(
        epochs=4, learning_rate=1.0, seed=3, betas=(0.0, 0.0), warmup=3, schedule="cosine", device="cpu"
    )  # without a memory, a step is the sign of the gradient times the rate
    task = Noting()
    train(task, replace(how, patience=100), lambda **_: None)
    done = np.clip((np.arange(12) - 3) / 9, 0, 1)
    wanted = np.where(
        np.arange(12) < 3, (np.arange(12) + 1) / 3, 0.01 + 0.99 * (1 + np.cos(np.pi * done)) / 2
    )
    # Adam's eps makes steps of tiny gradients smaller; the largest is the rate. The best state is kept, so that the
    # last step is not seen.
    np.testing.assert_allclose(steps(task)[:11], wanted[:11], rtol=1e-3)


def test_a_clipped_gradient_is_as_long_as_was_asked_and_points_where_it_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths: list[float] = []
    step = AdamW.step

    def noted(self: AdamW, learning_rate: float) -> None:
        found = [one.grad.flatten() for one in self.parameters]
        lengths.append(float(torch.linalg.vector_norm(torch.cat(found))))
        step(self, learning_rate)

    monkeypatch.setattr(AdamW, "step", noted)
    for times, clip, wanted in ((1e6, 0.5, 0.5), (1e-6, 0.5, None), (1e6, 0.0, None)):
        lengths.clear()
        train(Noting(times), replace(course(epochs=1), clip=clip), lambda **_: None)
        if wanted is None:
            assert max(lengths) < 1e-4 if times < 1 else min(lengths) > 1e3
        else:
            assert lengths == pytest.approx([wanted] * len(lengths), rel=1e-4)


def test_weight_decay_takes_its_share_of_every_weight() -> None:
    """A rate of 0.1 and a decay of 0.5: a weight without a gradient is 0.95 times itself after a step."""
    task = Noting()
    unseen = np.setdiff1d(np.arange(ITEMS), task.item.numpy())
    assert len(unseen)
    how = Course(epochs=1, learning_rate=0.1, seed=3, weight_decay=0.5, device="cpu", patience=9)
    train(task, how, lambda **_: None)
    before, after = (some["0.weight"][unseen] for some in (task.stood[0], weights(task)))
    np.testing.assert_allclose(after, before * 0.95**3, rtol=1e-5)


def test_a_step_is_that_of_torchs_class_to_the_bit() -> None:
    torch.manual_seed(0)
    mine, theirs = (
        [torch.nn.Parameter(torch.randn(7, 5)), torch.nn.Parameter(torch.randn(3))] for _ in range(2)
    )
    for one, other in zip(mine, theirs, strict=True):
        other.data.copy_(one.data)
    ours = AdamW(mine, betas=(0.9, 0.98), weight_decay=0.1)
    torchs = torch.optim.AdamW(theirs, betas=(0.9, 0.98), weight_decay=0.1, fused=True)
    for step in range(5):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        ours.step(0.01 * (step + 1))
        torchs.param_groups[0]["lr"] = 0.01 * (step + 1)
        torchs.step()
    assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))


def test_a_training_does_not_load_torchs_compiler() -> None:
    code = (
        "import sys; from tests.neural.toy import Toy, course; from palate.neural.loop import train; "
        "train(Toy(), course(epochs=1), lambda **_: None); sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_more_rounds_than_steps_are_refused() -> None:
    with pytest.raises(PlanError, match="rounds = 4, and an epoch has 3 steps"):
        train(Toy(), replace(course(), rounds=4), lambda **_: None)


def test_a_checkpoint_of_older_numerics_is_not_gone_on_with(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(Toy(), course(tmp_path, epochs=2), lambda **_: None)
    monkeypatch.setattr("palate.neural.loop._NUMERICS", 99)
    with pytest.raises(SavedModelError, match="belongs to another training"):
        train(Toy(), course(tmp_path), lambda **_: None)


def test_parallel_loops_of_numba_do_not_change_the_threads_of_torch() -> None:
    """Both stand on OpenMP: the first parallel loop of numba sets the number of threads of torch as well."""
    threads, before, seen = devices.threads(), torch.get_num_threads(), []

    class Counting(Toy):
        def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
            torch.set_num_threads(threads + 1)  # as numba does
            return super().batches(rng)

        def loss(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, int]:
            seen.append(torch.get_num_threads())
            return super().loss(rows, rng)

    try:
        train(Counting(), course(epochs=2), lambda **_: None)
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {threads}


def test_the_bar_names_the_measure_whose_best_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @contextmanager
    def noted(*_: object, **__: object) -> Iterator[Callable[..., None]]:
        yield lambda amount, words="": said.append(words)

    class Ranked(Judged):
        def validate(self) -> dict[str, float]:
            return {"valid_ndcg@10": super().validate()["value"], "valid_mrr": 0.0}

    monkeypatch.setattr("palate.neural.loop.progress", noted)
    train(Ranked([0.25, 0.125]), course(epochs=2), lambda **_: None)
    assert "best" not in said[0]
    assert said[-1].endswith(", best nDCG@10 0.2500")
