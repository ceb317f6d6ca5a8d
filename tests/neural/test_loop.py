"""The loop's decisions: when it stops, what it keeps, how large its steps are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.neural.loop import train  # noqa: E402
from tests.neural.toy import Toy, course, weights  # noqa: E402


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


def test_parallel_loops_of_numba_do_not_change_the_threads_of_torch() -> None:
    """Both stand on OpenMP: the first parallel loop of numba sets the number of threads of torch as well."""
    threads = torch.get_num_threads()
    seen = []

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
        torch.set_num_threads(threads)
    assert set(seen) == {threads}
