"""What a restricted Boltzmann machine does cell by cell: sums into hidden units, draws of levels, gradients.

Cells are CSR: case c has the visible units `unit[indptr[c]:indptr[c + 1]]`, each at a level. A unit has a row of
weights for each level, (units, levels, hidden), or one row that all levels share, (units, 1, hidden), times the
level's strength. Only cells that are there are touched. One thread: sums have one order, so a seed gives one model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Pointers = NDArray[np.int64]
Codes = NDArray[np.int32]
Levels = NDArray[np.uint8]

# Sums may be taken in the order that fills the registers; NaN and infinity keep their meaning.
_REGISTERS: Any = {"reassoc", "contract", "nsz", "arcp"}


@njit(cache=True, nogil=True)
def by_case(
    case: Codes, unit: Codes, level: Levels, n_cases: int, n_units: int
) -> tuple[Pointers, Codes, Levels]:
    """Return the cells of each case, units ascending: two counting sorts, 5 bytes a cell beside the answer."""
    place = np.zeros(n_units + 1, np.int64)
    for u in unit:
        place[u + 1] += 1
    for u in range(n_units):
        place[u + 1] += place[u]
    first, its_level = np.empty(len(case), np.int32), np.empty(len(case), np.uint8)
    at = place[:-1].copy()
    for e in range(len(case)):
        first[at[unit[e]]], its_level[at[unit[e]]] = case[e], level[e]
        at[unit[e]] += 1
    indptr = np.zeros(n_cases + 1, np.int64)
    for c in case:
        indptr[c + 1] += 1
    for c in range(n_cases):
        indptr[c + 1] += indptr[c]
    units, levels = np.empty(len(case), np.int32), np.empty(len(case), np.uint8)
    at = indptr[:-1].copy()
    for u in range(n_units):
        for e in range(place[u], place[u + 1]):
            c = first[e]
            units[at[c]], levels[at[c]] = u, its_level[e]
            at[c] += 1
    return indptr, units, levels


@njit(cache=True, nogil=True)
def nearest(value: Floats, middle: Floats) -> Levels:
    """Return the level of each value: how many of the rising `middle` points between levels lie below it."""
    level = np.empty(len(value), np.uint8)
    for e in range(len(value)):
        n = 0
        while n < len(middle) and value[e] > middle[n]:
            n += 1
        level[e] = n
    return level


@njit(cache=True, nogil=True)
def count_levels(unit: Codes, level: Levels, n_units: int, n_levels: int) -> NDArray[np.int64]:
    """Return how many cells each unit has at each level, (units, levels)."""
    count = np.zeros((n_units, n_levels), np.int64)
    for e in range(len(unit)):
        count[unit[e], level[e]] += 1
    return count


@njit(cache=True, nogil=True, fastmath=_REGISTERS)
def _add(total: Floats, row: Floats, times: float) -> None:
    factor = row.dtype.type(times)  # a float64 here would halve the speed
    for f in range(len(total)):
        total[f] += factor * row[f]


@njit(cache=True, nogil=True, fastmath=_REGISTERS)
def _dot(one: Floats, other: Floats) -> float:
    total = one[0] * other[0]
    for f in range(1, len(one)):
        total += one[f] * other[f]
    return total  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def add_inputs(
    indptr: Pointers,
    unit: Codes,
    level: Levels,
    weight: Floats,
    strength: Floats,
    given: Floats,
    total: Floats,
) -> None:
    """Add to `total` (cases, hidden) what the cells of each case say to the hidden units.

    Args:
        indptr, unit, level: the cells.
        weight: (units, levels or 1, hidden). strength: (levels).
        given: (units, hidden), for being rated at all; or (0, hidden).
        total: changed in place; its precision is that of the sums.
    """
    shared = weight.shape[1] == 1
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            u, k = unit[e], level[e]
            _add(total[c], weight[u, 0 if shared else k], strength[k])
            if len(given):
                _add(total[c], given[u], 1.0)


@njit(cache=True, nogil=True, fastmath=_REGISTERS)
def said_to_units(hidden: Floats, weight: Floats, said: Floats) -> None:
    """Write weight[u] . hidden[c] to `said` (units, cases), four cases at a time.

    A matrix product in one thread and one order of sums: those of BLAS are free to change with the number of threads,
    and one draw that falls on the other side makes another model.
    """
    n = len(hidden)
    for u in range(len(weight)):
        row = weight[u]
        for c in range(0, n - n % 4, 4):
            one, two, three, four = hidden[c], hidden[c + 1], hidden[c + 2], hidden[c + 3]
            a, b = one[0] * row[0], two[0] * row[0]
            p, q = three[0] * row[0], four[0] * row[0]
            for f in range(1, len(row)):
                a += one[f] * row[f]
                b += two[f] * row[f]
                p += three[f] * row[f]
                q += four[f] * row[f]
            said[u, c], said[u, c + 1], said[u, c + 2], said[u, c + 3] = a, b, p, q
        for c in range(n - n % 4, n):
            said[u, c] = _dot(hidden[c], row)


@njit(cache=True, nogil=True)
def units_on(on: NDArray[np.bool_]) -> tuple[Pointers, Codes]:
    """Return where (units, cases) is true, as CSR by case, units ascending."""
    units, cases = on.shape
    indptr = np.zeros(cases + 1, np.int64)
    for u in range(units):
        for c in range(cases):
            indptr[c + 1] += on[u, c]
    for c in range(cases):
        indptr[c + 1] += indptr[c]
    at, unit = indptr[:-1].copy(), np.empty(indptr[-1], np.int32)
    for u in range(units):
        for c in range(cases):
            if on[u, c]:
                unit[at[c]] = u
                at[c] += 1
    return indptr, unit


@njit(cache=True, nogil=True)
def draw_levels(
    indptr: Pointers,
    unit: Codes,
    hidden: Floats,
    weight: Floats,
    bias: Floats,
    strength: Floats,
    uniform: Floats,
    drawn: Levels,
) -> None:
    """Draw the level of each cell given its case's hidden units.

    P(level k) = exp(bias[u, k] + strength[k] hidden . weight[u, k]) over the sum of all k, by inversion.

    Args:
        indptr, unit: the cells. hidden: (cases, hidden).
        weight, strength: as in `add_inputs`. bias: (units, levels).
        uniform: (cells) in [0, 1). drawn: (cells), written.
    """
    rows, levels = weight.shape[1], bias.shape[1]
    p = np.empty(levels, np.float64)
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            u = unit[e]
            said = _dot(hidden[c], weight[u, 0])
            p[0] = bias[u, 0] + strength[0] * said
            most = p[0]
            for k in range(1, levels):
                if rows > 1:
                    said = _dot(hidden[c], weight[u, k])
                p[k] = bias[u, k] + strength[k] * said
                most = max(most, p[k])
            total = 0.0
            for k in range(levels):
                p[k] = math.exp(p[k] - most)
                total += p[k]
            left, k = uniform[e] * total - p[0], 0
            while left >= 0 and k < levels - 1:
                k += 1
                left -= p[k]
            drawn[e] = k


@njit(cache=True, nogil=True)
def add_gradients(
    indptr: Pointers,
    unit: Codes,
    level: Levels,
    hidden: Floats,
    strength: Floats,
    sign: float,
    weight: Floats,
    bias: Floats,
    given: Floats,
) -> None:
    """Add sign x (what the cells and the hidden units of their cases agree on) to the gradients.

    Args:
        indptr, unit, level: the cells. hidden: (cases, hidden) probabilities. strength: (levels).
        sign: 1 for data, -1 for what the machine dreams, over the number of cases.
        weight, bias, given: gradients, shaped as the parameters; changed in place.
    """
    shared = weight.shape[1] == 1
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            u, k = unit[e], level[e]
            _add(weight[u, 0 if shared else k], hidden[c], sign * strength[k])
            bias[u, k] += sign
            if len(given):
                _add(given[u], hidden[c], sign)


@njit(cache=True, nogil=True, fastmath=_REGISTERS)
def step(
    parameter: Floats, velocity: Floats, gradient: Floats, rate: float, momentum: float, decay: float
) -> None:
    """Take a step uphill with momentum and weight decay, and set the gradient to 0; all flat, in place, in one pass."""
    of = parameter.dtype.type
    m, r, d = of(momentum), of(rate), of(decay)
    for n in range(len(parameter)):
        velocity[n] = m * velocity[n] + r * (gradient[n] - d * parameter[n])
        parameter[n] += velocity[n]
        gradient[n] = 0


@njit(cache=True, nogil=True, fastmath=_REGISTERS)
def step_together(
    parameter: Floats,
    velocity: Floats,
    gradient: Floats,
    place: Floats,
    sharing: float,
    rate: float,
    momentum: float,
    decay: float,
) -> None:
    """Do as `step` on (units, levels, hidden), with ((1 - sharing) I + sharing place place') times the gradient."""
    of = parameter.dtype.type
    m, r, d, own = of(momentum), of(rate), of(decay), of(1 - sharing)
    common = np.empty(parameter.shape[2], parameter.dtype)
    for u in range(len(parameter)):
        common[:] = 0
        for k in range(len(place)):
            _add(common, gradient[u, k], place[k])
        for k in range(len(place)):
            part = of(sharing * place[k])
            p, v, g = parameter[u, k], velocity[u, k], gradient[u, k]
            for f in range(len(common)):
                v[f] = m * v[f] + r * (own * g[f] + part * common[f] - d * p[f])
                p[f] += v[f]
                g[f] = 0
