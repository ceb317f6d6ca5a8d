"""A stranger as a unit of a machine whose cases are items: the weights that explain their own ratings best.

The trained units are a prior, w ~ N(mean, variance) over them for each weight and bias, and the stranger's own events
are the evidence: the most likely weights under both are a small convex problem (softmax or logistic regression on the
hidden units of the items). Without any events a stranger is the mean user. Cost: some 20 passes over the events of
each stranger, and for a seen machine over the catalogue.
"""

from __future__ import annotations

import numpy as np

from palate.models.algorithm import Floats
from palate.models.rbm.cells import Cells
from palate.models.rbm.machine import Machine, Seen, sigmoid, softplus

_SMALLEST = 1e-4  # variance: where all units agree, a stranger may still differ a little


def folded(machine: Machine, features: Floats, cells: Cells) -> tuple[Floats, Floats]:
    """Return weights (strangers, levels or 1, hidden) and biases (strangers, levels) for strangers.

    Args:
        machine: its units are users. features: (items, hidden) hidden units of the items, as they stand in scoring.
        cells: what the strangers chose or how they rated, items as units.

    """
    from scipy.optimize import minimize

    rows, levels = machine.weight.shape[1], machine.bias.shape[1]
    units = np.concatenate(
        [machine.weight.reshape(machine.n_units, -1), machine.bias], axis=1, dtype=np.float64
    )
    mean, precision = units.mean(0), 1 / (units.var(0) + _SMALLEST)
    features = features.astype(np.float64)
    found = np.empty((len(cells), len(mean)))
    for s in range(len(cells)):
        own = slice(cells.indptr[s], cells.indptr[s + 1])
        item, level = cells.unit[own], cells.level[own]
        if isinstance(machine, Seen):  # what was not chosen is evidence too
            x, target = features, np.zeros((len(features), 1))
            target[item] = 1
        else:
            x, target = features[item], np.eye(levels)[level]

        def loss(unit: Floats, x: Floats = x, target: Floats = target) -> tuple[float, Floats]:
            weight, bias = unit[:-levels].reshape(rows, -1), unit[-levels:]
            logits = bias + machine.strength * (x @ weight.T)
            if isinstance(machine, Seen):
                cost, slope = softplus(logits) - target * logits, sigmoid(logits) - target
            else:
                most = logits.max(1, keepdims=True)
                total = np.log(np.exp(logits - most).sum(1, keepdims=True)) + most
                cost, slope = target * (total - logits), np.exp(logits - total) - target
            pull = precision * (unit - mean)
            of_weight = slope * machine.strength
            if rows == 1:
                of_weight = of_weight.sum(1, keepdims=True)
            gradient = np.concatenate([(of_weight.T @ x).ravel(), slope.sum(0)]) + pull
            return float(cost.sum() + pull @ (unit - mean) / 2), gradient

        found[s] = minimize(loss, mean, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    return found[:, :-levels].reshape(len(cells), rows, -1), found[:, -levels:]
