"""What is watched while a machine learns: free energy, and how well it rebuilds train and foretells validation rows.

    free_energy   mean of some train cases; not normalised, so what tells is where its course changes; a joint
                  model notes seen_free_energy of one machine, then rated_free_energy of the other
    train_nll     - log P(chosen), mean over choices of train that are the machine's own input; a seen machine
    train_rmse    of the expected rating against the rating that was part of the input; a rating machine
    valid_nll, valid_rmse   the same for validation rows, which are no input: where these turn, training is too long

Watching draws no random number and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Interactions
from palate.models.rbm.cells import Cells
from palate.models.rbm.machine import Machine, Rated
from palate.models.rbm.training import Schedule
from palate.vocabulary import Codes, Vocabulary

_CASES = 100
_PAIRS = 5_000


@dataclass
class Curves:
    """Told of each epoch, it notes the figures."""

    train: Cells
    valid: tuple[Codes, Codes, NDArray[np.float32]] | None
    """case, unit and value of validation rows"""
    schedule: Schedule
    note: Callable[..., None]
    free_energy: str
    """the name of that figure: it is no quantity that two machines share"""
    begun: float = field(default_factory=perf_counter)

    def __post_init__(self) -> None:
        """Choose what is watched, evenly over the data."""
        step = max(1, len(self.train) // _CASES)
        self._sample = self.train.take(np.arange(0, len(self.train), step))
        self._rebuilt = _some(self._sample.case, self._sample.unit, self._sample.level)
        if self.valid is not None:
            case, unit, value = _some(*self.valid)
            cases, place = np.unique(case, return_inverse=True)
            self._told = self.train.take(cases)
            self._pairs = (place, unit, value)

    def __call__(self, epoch: int, machine: Machine) -> None:
        """Note the figures of an epoch (from 1)."""
        name = "rmse" if isinstance(machine, Rated) else "nll"
        case, unit, level = self._rebuilt
        numbers = {
            self.free_energy: float(machine.free_energy(self._sample).mean()),
            f"train_{name}": self._error(machine, self._sample, case, unit, machine.values[level]),
        }
        if self.valid is not None:
            numbers[f"valid_{name}"] = self._error(machine, self._told, *self._pairs)
        seconds = perf_counter() - self.begun
        self.note(epoch=epoch, k=self.schedule.steps(epoch - 1), **numbers, seconds=seconds)

    def _error(
        self,
        machine: Machine,
        told: Cells,
        case: NDArray[np.integer],
        unit: NDArray[np.integer],
        value: NDArray[np.floating],
    ) -> float:
        hidden = self.schedule.keep_prob * machine.hidden(told)
        answer = machine.answer(machine.cell_logits(hidden, case, unit))
        if isinstance(machine, Rated):
            return float(np.sqrt(np.mean((answer - value) ** 2)))
        return float(-np.log(np.maximum(answer, 1e-300)).mean())


def rows_of(
    valid: Interactions | None, users: Vocabulary, items: Vocabulary, *, by_item: bool
) -> tuple[Codes, Codes, NDArray[np.float32]] | None:
    """Return the validation rows that train can judge, as case, unit and value; None where there are none."""
    if valid is None:
        return None
    valid = valid.positive()
    user = users.encode(valid.users.ids)[valid.user]
    item = items.encode(valid.items.ids)[valid.item]
    known = (user >= 0) & (item >= 0)
    if not known.any():
        return None
    case, unit = (item, user) if by_item else (user, item)
    return case[known], unit[known], valid.value[known]


def _some(*columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    step = max(1, len(columns[0]) // _PAIRS)
    return tuple(column[::step] for column in columns)
