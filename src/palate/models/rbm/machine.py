"""The machine itself: visible and hidden units, their energy, and what follows from it.

With v the units that are on at their levels and h the hidden units, each 0 or 1,

    E(v, h) = - sum_u b[u, v_u] - sum_j c_j h_j - sum_u s[v_u] w[u, v_u] . h - sum_u d_u . h

and P(v, h) is exp(-E) over its sum. Given v the hidden units are independent, and given h the visible ones are:

    P(h_j = 1 | v) = sigmoid(c_j + sum_u s[v_u] w[u, v_u, j] + d_uj)
    P(v_u = k | h) ~ exp(b[u, k] + s_k w[u, k] . h)

`Rated`: a unit is on where there is a rating, which is its level; the other units are no part of the case's machine
(Salakhutdinov, Mnih and Hinton, ICML 2007). Weights for each level and s = 1, or one row for all, w[u, k] = w[u], with
strengths s from -1 to 1 along the scale. d, where asked for, is that paper's conditional: being rated says something.
`Seen`: all units of the catalogue belong to it, and one that is off has energy 0 (a binary machine).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.models.algorithm import Floats
from palate.models.rbm.cells import Cells

_NUMBERS = 2**22  # numbers made at a time where all levels of many cells are


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def softplus(x: Floats) -> Floats:
    """Return log(1 + exp(x))."""
    return np.asarray(np.logaddexp(0, x, dtype=x.dtype))


@dataclass
class Machine:
    """Weights and biases of one machine, and what can be said of cells and hidden units."""

    weight: Floats
    """(units, levels or 1, hidden)"""
    bias: Floats
    """(units, levels)"""
    hidden_bias: Floats
    """(hidden)"""
    given: Floats
    """(units, hidden), or (0, hidden) where being rated says nothing"""
    strength: Floats
    """(levels)"""
    values: Floats
    """(levels) the rating that a level stands for"""

    @property
    def n_units(self) -> int:
        """Visible units."""
        return len(self.weight)

    @property
    def n_hidden(self) -> int:
        """Hidden units."""
        return len(self.hidden_bias)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def copy(self) -> Self:
        """Return a machine of its own."""
        return type(self)(**{name: array.copy() for name, array in self.arrays().items()})

    def sound(self, *, finite: bool = False) -> bool:
        """Return whether the arrays are shaped as one machine; and, when asked, all numbers are finite."""
        units, rows, hidden = self.weight.shape
        return bool(
            self.bias.shape[0] == units
            and self.strength.shape == self.values.shape == self.bias.shape[1:]
            and rows in (1, self.bias.shape[1])
            and self.hidden_bias.shape == (hidden,)
            and self.given.shape in ((units, hidden), (0, hidden))
            and (not finite or all(np.isfinite(array).all() for array in self.arrays().values()))
        )

    # --- hidden units -------------------------------------------------------------------------------------------

    def inputs(self, cells: Cells, dtype: Any = None) -> Floats:
        """Return what the hidden units of each case are told, (cases, hidden): bias and sum over its cells."""
        from palate.kernels import rbm as kernel

        total = np.empty((len(cells), self.n_hidden), dtype or self.weight.dtype)
        total[:] = self.hidden_bias
        kernel.add_inputs(
            cells.indptr, cells.unit, cells.level, self.weight, self.strength, self.given, total
        )
        return total

    def told(self, cells: Cells) -> Floats:
        """Return what each cell alone says to the hidden units, (cells, hidden)."""
        row = cells.level if self.weight.shape[1] > 1 else 0
        said = self.weight[cells.unit, row] * self.strength[cells.level, None].astype(np.float64)
        return np.asarray(said + self.given[cells.unit] if len(self.given) else said)

    def hidden(self, cells: Cells) -> Floats:
        """Return P(hidden unit on | cells), (cases, hidden)."""
        return sigmoid(self.inputs(cells, np.float64))

    def free_energy(self, cells: Cells) -> Floats:
        """Return - log sum over h of exp(-E(v, h)) of each case: the lower, the likelier."""
        visible = np.bincount(cells.case, self.bias[cells.unit, cells.level], len(cells))
        return np.asarray(-visible - softplus(self.inputs(cells, np.float64)).sum(1))

    # --- visible units ------------------------------------------------------------------------------------------

    def logits(self, hidden: Floats, units: NDArray[np.integer]) -> Floats:
        """Return b + s w . h of units at every level, (cases, units, levels)."""
        weight, bias = self.weight[units].astype(np.float64), self.bias[units].astype(np.float64)
        said = (hidden @ weight.reshape(-1, self.n_hidden).T).reshape(len(hidden), *weight.shape[:2])
        return np.asarray(bias + self.strength * said)

    def cell_logits(self, hidden: Floats, case: NDArray[np.integer], unit: NDArray[np.integer]) -> Floats:
        """Return the same for pairs of a case and a unit, (pairs, levels)."""
        out = np.empty((len(case), self.bias.shape[1]))
        step = max(1, _NUMBERS // (self.weight.shape[1] * self.n_hidden))
        for start in range(0, len(case), step):
            some = slice(start, start + step)
            said = np.einsum("prf,pf->pr", self.weight[unit[some]], hidden[case[some]], dtype=np.float64)
            out[some] = self.bias[unit[some]] + self.strength * said
        return out

    def answer(self, logits: Floats) -> Floats:
        """Return what is asked of a unit, (...), from its logits (..., levels)."""
        raise NotImplementedError

    def answers(self, hidden: Floats, units: NDArray[np.integer]) -> Floats:
        """Return the answers of units for each case, (cases, units), made a few units at a time."""
        out = np.empty((len(hidden), len(units)))
        step = max(1, _NUMBERS // max(len(hidden) * self.bias.shape[1], 1))
        for start in range(0, len(units), step):
            out[:, start : start + step] = self.answer(self.logits(hidden, units[start : start + step]))
        return out

    def rebuild(self, cells: Cells, hidden: Floats, rng: np.random.Generator) -> Cells:
        """Draw the visible units given the hidden ones."""
        raise NotImplementedError

    # --- learning -----------------------------------------------------------------------------------------------

    def zeros(self) -> Self:
        """Return arrays of zeros, for gradients and velocities."""
        return type(self)(**{name: np.zeros_like(array) for name, array in self.arrays().items()})

    def add_gradients(self, gradient: Machine, cells: Cells, hidden: Floats, sign: float) -> None:
        """Add sign x d(-E)/d(parameters), hidden units at their probabilities, to `gradient`."""
        from palate.kernels import rbm as kernel

        gradient.hidden_bias += self.weight.dtype.type(sign) * hidden.sum(0)
        kernel.add_gradients(
            cells.indptr,
            cells.unit,
            cells.level,
            hidden,
            self.strength,
            sign,
            gradient.weight,
            gradient.bias,
            gradient.given,
        )


class Rated(Machine):
    """Units on where there is a rating, at its level; the answer is the expected rating."""

    def answer(self, logits: Floats) -> Floats:
        """Return sum over k of value_k P(level k)."""
        p = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(p @ self.values / p.sum(-1))

    def rebuild(self, cells: Cells, hidden: Floats, rng: np.random.Generator) -> Cells:
        """Draw a level for each rating that is there."""
        from palate.kernels import rbm as kernel

        drawn = np.empty(len(cells.unit), np.uint8)
        kernel.draw_levels(
            cells.indptr,
            cells.unit,
            hidden,
            self.weight,
            self.bias,
            self.strength,
            rng.random(len(cells.unit)),
            drawn,
        )
        return Cells(cells.indptr, cells.unit, drawn, cells.n_units)


class Seen(Machine):
    """Units on or off: chosen or not, over the whole catalogue; the answer is P(chosen)."""

    def answer(self, logits: Floats) -> Floats:
        """Return P(unit on)."""
        return sigmoid(logits[..., 0])

    def rebuild(self, cells: Cells, hidden: Floats, rng: np.random.Generator) -> Cells:
        """Draw which units are on."""
        from palate.kernels import rbm as kernel

        # u < sigmoid(x) is u (1 + exp(-x)) < 1; in place, since this is most of the time of learning.
        level = np.empty((cells.n_units, len(hidden)), self.weight.dtype)
        kernel.said_to_units(hidden.astype(level.dtype, copy=False), self.weight[:, 0], level)
        level += self.bias
        np.negative(level, out=level)
        np.exp(np.minimum(level, 80, out=level), out=level)
        level += 1
        level *= rng.random(level.shape, level.dtype)
        indptr, unit = kernel.units_on(level < 1)
        return Cells(indptr, unit, np.zeros(len(unit), np.uint8), cells.n_units)
