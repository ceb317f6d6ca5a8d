"""One trained machine as a model of contexts and items, whichever of the two its cases are.

By user, a case is a user and the units are items: a context's own events set the hidden units, and a stranger is as
good as a user of train. By item, a case is an item and the units are users: the hidden units of every item are known
from train, and a stranger is a unit that training never saw, for whom `fold_in` finds weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.models.algorithm import Floats
from palate.models.contexts import Contexts
from palate.models.rbm import cells as data
from palate.models.rbm.cells import Cells, Scale
from palate.models.rbm.fold_in import folded
from palate.models.rbm.machine import Machine, Rated, sigmoid
from palate.vocabulary import Codes


@dataclass(frozen=True)
class Part:
    """A machine, the hidden units of all items where its cases are items, and the share of hidden units kept."""

    machine: Machine
    features: Floats | None
    """(items, hidden) P(hidden unit on | item), by item; else None"""
    keep_prob: float
    n_items: int

    def cells(self, contexts: Contexts) -> Cells:
        """Return the contexts' events, items as units."""
        scale = Scale(self.machine.values) if isinstance(self.machine, Rated) else None
        return data.of_events(contexts.events, self.n_items, scale)

    def table(self, contexts: Contexts, columns: Codes) -> Floats:
        """Return the machine's answer for every context and item, (contexts, columns)."""
        if self.features is None:
            return self.machine.answers(self.keep_prob * self.machine.hidden(self.cells(contexts)), columns)
        users = self._users(contexts)
        return users.answers(self.keep_prob * self.features[columns], np.arange(len(contexts))).T

    def pairs(self, contexts: Contexts, place: Codes, items: Codes) -> Floats:
        """Return the machine's answer for context `place[n]` and item `items[n]`, (pairs)."""
        if self.features is None:
            hidden = self.machine.hidden(self.cells(contexts))
            return self.machine.answer(self.machine.cell_logits(self.keep_prob * hidden, place, items))
        users = self._users(contexts)
        return users.answer(users.cell_logits(self.keep_prob * self.features, items, place))

    def without_each(self, cells: Cells, item: int) -> Floats:
        """Return the answer for an item from one context's cells, then without each of them, (1 + cells). By user."""
        every = self.machine.inputs(cells, np.float64)
        hidden = self.keep_prob * sigmoid(np.concatenate([every, every - self.machine.told(cells)]))
        return self.machine.answers(hidden, np.array([item]))[:, 0]

    # --- drawing --------------------------------------------------------------------------------------------------

    def draw_seen(
        self, contexts: Contexts, columns: Codes, steps: int, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Draw which of `columns` each context would choose beside its own, (contexts, columns).

        By user a Gibbs chain of `steps` in which the context's own items stay on; by item one draw.
        """
        own = self.cells(contexts)
        if self.features is not None:
            users = self._users(contexts)
            chance = users.answers(self._drawn(self.features[columns], rng), np.arange(len(contexts))).T
            return rng.random(chance.shape) < chance
        now = own
        for _ in range(steps):
            now = self.machine.rebuild(now, self._drawn(self.machine.hidden(now), rng), rng)
            on = np.zeros((len(own), own.n_units), np.bool_)
            on[now.case, now.unit] = on[own.case, own.unit] = True
            case, unit = (codes.astype(np.int32) for codes in np.nonzero(on))
            now = data.of_rows(case, unit, np.zeros(len(unit), np.uint8), on.shape)
        return on[:, columns]

    def draw_ratings(
        self, contexts: Contexts, place: Codes, items: Codes, rng: np.random.Generator
    ) -> Floats:
        """Draw how context `place[n]` would rate item `items[n]`: the hidden units once, then each rating."""
        if self.features is None:
            drawn = self._drawn(self.machine.hidden(self.cells(contexts)), rng)
            logits = self.machine.cell_logits(drawn, place, items)
        else:
            logits = self._users(contexts).cell_logits(self._drawn(self.features, rng), items, place)
        chance = np.exp(logits - logits.max(1, keepdims=True))
        below = np.cumsum(chance, axis=1)
        level = (rng.random((len(place), 1)) * below[:, -1:] >= below[:, :-1]).sum(1)
        return np.asarray(self.machine.values[level])

    def _drawn(self, hidden: Floats, rng: np.random.Generator) -> Floats:
        return (rng.random(hidden.shape) < self.keep_prob * hidden).astype(np.float64)

    # --- users as units -------------------------------------------------------------------------------------------

    def _users(self, contexts: Contexts) -> Machine:
        """Return a machine whose units are the contexts, in order."""
        assert self.features is not None
        machine = self.machine
        weight, bias = machine.weight[contexts.users], machine.bias[contexts.users]
        strangers = np.flatnonzero(contexts.users < 0)
        if len(strangers):
            cells = self.cells(contexts.select(strangers))
            weight[strangers], bias[strangers] = folded(machine, self.keep_prob * self.features, cells)
        given = np.zeros((0, machine.n_hidden), np.float32)
        return type(machine)(weight, bias, machine.hidden_bias, given, machine.strength, machine.values)


def part_of(machine: Machine, cells: Cells, *, by_item: bool, keep_prob: float, n_items: int) -> Part:
    """Return a trained machine as a part; `cells` are what it was trained on."""
    features = machine.hidden(cells).astype(np.float32) if by_item else None
    return Part(machine, features, keep_prob, n_items)
