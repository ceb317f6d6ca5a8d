"""Contrastive divergence: raise the likelihood of what is seen by lowering that of what the machine dreams.

The gradient of the log-likelihood is < d(-E) > under the data less the same under the machine (Hinton, "Training
products of experts by minimizing contrastive divergence", 2002). The second is estimated by chains of k steps of Gibbs
sampling that start at the data (CD-k), or go on from where the last batch left them (persistent: Tieleman, ICML 2008).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from palate.errors import PalateWarning
from palate.models.algorithm import Floats
from palate.models.rbm.cells import Cells
from palate.models.rbm.machine import Machine, Rated, Seen, sigmoid
from palate.progress import progress

M = TypeVar("M", bound=Machine)
Watch = Callable[[int, Machine], None]
"""Is told the epoch (from 1) and the machine after it."""
_LEARNED = {"weight": True, "given": True, "bias": False, "hidden_bias": False}  # and whether it decays


@dataclass(frozen=True)
class Schedule:
    """How to learn; `RBM` says what each is."""

    epochs: int
    batch: int
    learning_rate: float
    sharing: float
    momentum: float
    l2: float
    keep_prob: float
    cd_steps: tuple[int, ...]
    persistent: bool
    seed: int

    def steps(self, epoch: int) -> int:
        """Return k of an epoch (from 0): training has as many equal parts as `cd_steps` has numbers."""
        return self.cd_steps[epoch * len(self.cd_steps) // self.epochs]

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch: falling evenly to a twentieth."""
        return self.learning_rate * (1 - 0.95 * epoch / max(self.epochs - 1, 1))

    def inertia(self, epoch: int) -> float:
        """Return the momentum of an epoch: at most a half in the first three, while the direction still turns."""
        return min(self.momentum, 0.5) if epoch < 3 else self.momentum


def begin(
    kind: type[M], cells: Cells, hidden: int, values: Floats, *, shared: bool, given: bool, seed: int
) -> M:
    """Return a machine before training: small random weights, and biases that alone give the frequencies of the data.

    Args:
        kind: `Seen` or `Rated`. cells: the data. hidden: how many hidden units. values: (levels) what levels stand for.
        shared: one row of weights for all levels of a unit. given: weights for being rated at all.
        seed: of the weights.

    """
    from palate.kernels import rbm as kernel

    rng = np.random.default_rng([seed, 0])
    units, levels = cells.n_units, len(values)
    count = kernel.count_levels(cells.unit, cells.level, units, levels)
    if kind is Seen:
        share = (count + 0.5) / (len(cells) + 1)
        bias = np.log(share / (1 - share))
    else:  # a unit of few ratings is drawn to the ratings of all
        overall = (count.sum(0) + 1) / (count.sum() + levels)
        bias = np.log(count + levels * overall) - np.log(count.sum(1, keepdims=True) + levels)
    strength = along(values) if shared else np.ones(levels)
    return kind(
        weight=np.float32(0.01) * rng.standard_normal((units, 1 if shared else levels, hidden), np.float32),
        bias=bias.astype(np.float32),
        hidden_bias=np.zeros(hidden, np.float32),
        given=np.zeros((units if given else 0, hidden), np.float32),
        strength=strength.astype(np.float32),
        values=values,
    )


def along(values: Floats) -> Floats:
    """Return where each level stands on its scale, from -1 to 1; 1 where there is one level."""
    if len(values) == 1:
        return np.ones(1)
    return np.asarray(2 * (values - values[0]) / (values[-1] - values[0]) - 1)


def train(machine: M, cells: Cells, schedule: Schedule, watch: Watch | None = None) -> M:
    """Return the machine after training, which changes it in place.

    Cost: for each rating and epoch about (2 k + 2) x hidden multiply-adds, and k x levels x hidden to draw; a `Seen`
    machine draws all units of its cases, k x units x hidden for each. Every batch also passes over all weights once.
    Where a number becomes infinite it stops, says so, and returns the machine of the epoch before.
    """
    rng = np.random.default_rng([schedule.seed, 1])
    gradient, velocity = machine.zeros(), machine.zeros()
    n_chains = len(cells) if isinstance(machine, Rated) else min(schedule.batch, len(cells))
    chains = np.zeros((n_chains if schedule.persistent else 0, machine.n_hidden), np.bool_)
    started = np.zeros(len(chains), np.bool_)
    with progress("Training rbm", total=schedule.epochs * len(cells), unit="cases") as advance:
        for epoch in range(schedule.epochs):
            before = machine.copy()
            order = rng.permutation(len(cells))
            for start in range(0, len(cells), schedule.batch):
                cases = order[start : start + schedule.batch]
                # Each case of ratings has its own units, and so its own chain; else there is one for each place.
                places = cases if isinstance(machine, Rated) else np.arange(len(cases))
                _learn(machine, gradient, cells.take(cases), schedule, epoch, chains, started, places, rng)
                _step(machine, velocity, gradient, schedule, epoch)
                advance(len(cases))
            if not machine.sound(finite=True):
                warnings.warn(
                    f"rbm: training left the finite numbers in epoch {epoch + 1} of {schedule.epochs}; the machine of "
                    f"the epoch before is kept. Lower learning_rate ({schedule.learning_rate:g}).",
                    PalateWarning,
                    stacklevel=4,
                )
                return before
            if watch is not None:
                watch(epoch + 1, machine)
    return machine


def _learn(
    machine: Machine,
    gradient: Machine,
    cells: Cells,
    schedule: Schedule,
    epoch: int,
    chains: NDArray[np.bool_],
    started: NDArray[np.bool_],
    places: NDArray[np.integer],
    rng: np.random.Generator,
) -> None:
    """Add the gradient of a batch. A hidden unit that is dropped is out of both phases."""
    shape = (len(cells), machine.n_hidden)
    dtype = machine.weight.dtype
    kept = (rng.random(shape, np.float32) < schedule.keep_prob).astype(dtype)
    awake = sigmoid(machine.inputs(cells)) * kept
    state = (rng.random(shape, np.float32) < awake).astype(dtype)
    if len(chains):
        going = started[places]
        state[going] = chains[places[going]] * kept[going]
    for _ in range(schedule.steps(epoch)):
        dream = machine.rebuild(cells, state, rng)
        asleep = sigmoid(machine.inputs(dream)) * kept
        state = (rng.random(shape, np.float32) < asleep).astype(dtype)
    if len(chains):
        chains[places], started[places] = state > 0, True
    machine.add_gradients(gradient, cells, awake, 1 / len(cells))
    machine.add_gradients(gradient, dream, asleep, -1 / len(cells))


def _step(machine: Machine, velocity: Machine, gradient: Machine, schedule: Schedule, epoch: int) -> None:
    from palate.kernels import rbm as kernel

    rate, momentum = schedule.rate(epoch), schedule.inertia(epoch)
    for name, decays in _LEARNED.items():
        parameter, speed, slope = (getattr(of, name) for of in (machine, velocity, gradient))
        decay = schedule.l2 if decays else 0.0
        if name == "weight" and schedule.sharing and machine.weight.shape[1] > 1:
            place = along(machine.values).astype(machine.weight.dtype)
            kernel.step_together(parameter, speed, slope, place, schedule.sharing, rate, momentum, decay)
        elif parameter.size:
            parameter, speed, slope = (array.reshape(-1) for array in (parameter, speed, slope))
            kernel.step(parameter, speed, slope, rate, momentum, decay)
