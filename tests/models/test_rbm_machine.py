"""The machine against enumeration: energies, gradients and draws of a world small enough to count."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from palate.kernels import rbm as kernel
from palate.models.rbm.cells import Cells
from palate.models.rbm.machine import Machine, Rated, Seen
from palate.models.rbm.training import Schedule, _learn, along

UNITS, LEVELS, HIDDEN = 3, 2, 2


def rated(*, shared: bool = False, given: bool = False, levels: int = LEVELS, seed: int = 0) -> Rated:
    rng = np.random.default_rng(seed)
    return Rated(
        weight=rng.normal(0, 0.8, (UNITS, 1 if shared else levels, HIDDEN)),
        bias=rng.normal(0, 0.5, (UNITS, levels)),
        hidden_bias=rng.normal(0, 0.5, HIDDEN),
        given=rng.normal(0, 0.5, (UNITS if given else 0, HIDDEN)),
        strength=np.linspace(-1, 1, levels) if shared else np.ones(levels),
        values=np.arange(1.0, levels + 1),
    )


def seen(seed: int = 0) -> Seen:
    one = rated(levels=1, seed=seed)
    return Seen(one.weight, one.bias, one.hidden_bias, one.given, one.strength, one.values)


def cells(*cases: dict[int, int]) -> Cells:
    """Make cells of cases told as {unit: level}."""
    indptr = np.cumsum([0, *(len(case) for case in cases)]).astype(np.int64)
    unit = np.array([u for case in cases for u in sorted(case)], np.int32)
    level = np.array([case[u] for case in cases for u in sorted(case)], np.uint8)
    return Cells(indptr, unit, level, UNITS)


def energy(machine: Machine, case: dict[int, int], h: np.ndarray) -> float:
    total = -float(machine.hidden_bias @ h)
    for u, k in case.items():
        row = k if machine.weight.shape[1] > 1 else 0
        total -= machine.bias[u, k] + machine.strength[k] * machine.weight[u, row] @ h
        if len(machine.given):
            total -= machine.given[u] @ h
    return total


def worlds(machine: Machine) -> list[dict[int, int]]:
    """All states of the visible units: levels of all three, or the subsets that are on."""
    if isinstance(machine, Seen):
        every = itertools.product([False, True], repeat=UNITS)
        return [{u: 0 for u in range(UNITS) if on[u]} for on in every]
    every_level = itertools.product(range(machine.bias.shape[1]), repeat=UNITS)
    return [dict(enumerate(levels)) for levels in every_level]


def hiddens() -> list[np.ndarray]:
    return [np.array(h, float) for h in itertools.product([0, 1], repeat=HIDDEN)]


def unnormalised(machine: Machine, case: dict[int, int]) -> float:
    return float(sum(np.exp(-energy(machine, case, h)) for h in hiddens()))


def log_likelihood(machine: Machine, cases: list[dict[int, int]]) -> float:
    total = np.log(sum(unnormalised(machine, case) for case in worlds(machine)))
    return float(np.mean([np.log(unnormalised(machine, case)) - total for case in cases]))


MACHINES = {
    "softmax": rated(),
    "multinomial": rated(shared=True, levels=3),
    "conditional": rated(given=True),
    "seen": seen(),
}
every_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


@every_machine
def test_free_energy_is_the_sum_over_hidden_states(machine: Machine) -> None:
    cases = [*worlds(machine), {1: 0}]
    wanted = [-np.log(unnormalised(machine, case)) for case in cases]
    np.testing.assert_allclose(machine.free_energy(cells(*cases)), wanted, rtol=0, atol=1e-10)


@every_machine
def test_hidden_units_given_visible_ones_are_those_of_the_joint_distribution(machine: Machine) -> None:
    for case in worlds(machine):
        weight = np.array([np.exp(-energy(machine, case, h)) for h in hiddens()])
        wanted = weight @ np.array(hiddens()) / weight.sum()
        np.testing.assert_allclose(machine.hidden(cells(case))[0], wanted, atol=1e-12)


@every_machine
def test_what_cells_tell_adds_up_to_the_inputs(machine: Machine) -> None:
    one = cells(worlds(machine)[-1])
    total = machine.hidden_bias + machine.told(one).sum(0)
    np.testing.assert_allclose(machine.inputs(one)[0], total, atol=1e-12)


def exact_gradient(machine: Machine, cases: list[dict[int, int]]) -> Machine:
    """< d(-E) > under the data less the same under the machine, counted out."""
    gradient = machine.zeros()
    for case in cases:
        machine.add_gradients(gradient, cells(case), machine.hidden(cells(case)), 1 / len(cases))
    chance = np.array([unnormalised(machine, case) for case in worlds(machine)])
    for case, p in zip(worlds(machine), chance / chance.sum(), strict=True):
        machine.add_gradients(gradient, cells(case), machine.hidden(cells(case)), -p)
    return gradient


DATA = [0, 0, 3, 1, -1, -1, -1]


@every_machine
def test_the_gradient_is_that_of_the_likelihood_by_finite_differences(machine: Machine) -> None:
    cases = [worlds(machine)[n] for n in DATA]
    gradient = exact_gradient(machine, cases)
    for name in ("weight", "bias", "hidden_bias", "given"):
        for place in np.ndindex(getattr(machine, name).shape):
            sides = []
            for change in (1e-5, -1e-5):
                moved = machine.copy()
                getattr(moved, name)[place] += change
                sides.append(log_likelihood(moved, cases))
            slope = (sides[0] - sides[1]) / 2e-5
            assert getattr(gradient, name)[place] == pytest.approx(slope, abs=1e-8), (name, place)


def schedule(**more: Any) -> Schedule:
    usual = {
        "epochs": 1,
        "batch": 10,
        "learning_rate": 0.1,
        "sharing": 0.0,
        "momentum": 0.0,
        "l2": 0.0,
        "keep_prob": 1.0,
        "cd_steps": (1,),
        "persistent": False,
        "seed": 0,
    }
    return Schedule(**(usual | more))


@every_machine
def test_long_chains_give_the_gradient_of_the_likelihood(machine: Machine) -> None:
    cases, repeats = [worlds(machine)[n] for n in DATA], 6_000
    many = cells(*cases * repeats)
    gradient = machine.zeros()
    none = np.zeros((0, HIDDEN), bool), np.zeros(0, bool)
    places = np.arange(len(many))
    _learn(machine, gradient, many, schedule(cd_steps=(40,)), 0, *none, places, np.random.default_rng(1))
    exact = exact_gradient(machine, cases)
    for name in ("weight", "bias", "hidden_bias", "given"):
        # 42,000 chains: a mean of numbers in [-1, 1] has a standard error below 0.005.
        np.testing.assert_allclose(getattr(gradient, name), getattr(exact, name), atol=0.02)


@every_machine
def test_draws_of_visible_units_pass_a_chi_square_test(machine: Machine) -> None:
    h, n = np.array([1.0, 0.0]), 30_000
    cases = worlds(machine)
    weight = np.array([np.exp(-energy(machine, case, h)) for case in cases])
    full = cells(*[worlds(machine)[-1]] * n)
    drawn = machine.rebuild(full, np.tile(h, (n, 1)), np.random.default_rng(5))
    found = np.zeros(len(cases))
    code = np.zeros(n, int)
    if isinstance(machine, Seen):
        np.add.at(code, drawn.case, 2 ** (UNITS - 1 - drawn.unit))
    else:
        levels = machine.bias.shape[1]
        np.add.at(code, drawn.case, drawn.level * levels ** (UNITS - 1 - drawn.unit.astype(int)))
    np.add.at(found, code, 1)
    assert chisquare(found, n * weight / weight.sum()).pvalue > 1e-3


@every_machine
def test_a_long_chain_visits_states_as_often_as_they_are_likely(machine: Machine) -> None:
    n = 20_000
    rng = np.random.default_rng(3)
    state = cells(*[worlds(machine)[-1]] * n)
    for _ in range(40):
        hidden = (rng.random((n, HIDDEN)) < machine.hidden(state)).astype(float)
        state = machine.rebuild(state, hidden, rng)
    chance = np.array([unnormalised(machine, case) for case in worlds(machine)])
    code = np.zeros(n, int)
    base = 2 if isinstance(machine, Seen) else machine.bias.shape[1]
    digit = 1 if isinstance(machine, Seen) else state.level.astype(int)
    np.add.at(code, state.case, digit * base ** (UNITS - 1 - state.unit.astype(int)))
    found = np.bincount(code, minlength=len(chance))
    assert chisquare(found, n * chance / chance.sum()).pvalue > 1e-3


def test_levels_that_share_move_by_their_places_on_the_scale() -> None:
    gradient = np.random.default_rng(0).normal(size=(4, 5, 3))
    place = along(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert place.tolist() == [-1, -0.5, 0, 0.5, 1]
    mixed = 0.3 * np.eye(5) + 0.7 * np.outer(place, place)
    wanted = np.einsum("kl,ulf->ukf", mixed, gradient)
    weight, velocity = np.ones((4, 5, 3)), np.zeros((4, 5, 3))
    kernel.step_together(weight, velocity, gradient, place, 0.7, 0.1, 0.9, 0.5)
    np.testing.assert_allclose(weight, 1 + 0.1 * (wanted - 0.5), atol=1e-12)
    assert (gradient == 0).all()


def test_only_units_with_a_rating_are_touched() -> None:
    machine = rated()
    gradient = machine.zeros()
    none = np.zeros((0, HIDDEN), bool), np.zeros(0, bool)
    batch = cells({0: 1}, {0: 0, 2: 1})
    _learn(machine, gradient, batch, schedule(), 0, *none, np.arange(2), np.random.default_rng(0))
    assert (gradient.weight[1] == 0).all()
    assert (gradient.bias[1] == 0).all()
    assert (gradient.weight[0] != 0).any()


def test_a_level_that_nobody_gave_has_a_gradient_only_from_dreams() -> None:
    machine = rated(levels=3)
    gradient = exact_gradient(machine, [{0: 0, 1: 0, 2: 0}])
    assert (gradient.bias[:, 1:] < 0).all()
    np.testing.assert_allclose(gradient.bias.sum(1), 0, atol=1e-12)  # levels of a unit are one choice
