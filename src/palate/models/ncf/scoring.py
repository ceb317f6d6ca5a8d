"""Scores of all pairs by what was learned: what is linear in a user or an item is made once for each of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from palate.vocabulary import Codes

Weights = dict[str, NDArray[np.float32]]
"""a network's parameters by name, see `network.Network`"""


def depth(weights: Weights) -> int:
    """Return how many layers the MLP has; 0: there is none."""
    return sum(name.startswith("hidden.") and name.endswith(".weight") for name in weights)


def scores(weights: Weights, users: Codes, items: Codes) -> NDArray[np.float32]:
    """Return the logits of all pairs, (users, items).

    Cost: the layers from the second on for each pair, and the first one for each user and item.
    """
    from palate.kernels import towers

    factors, layers = weights["gmf_item"].shape[1], depth(weights)
    output = weights["output"]
    mlp_user, mlp_item = np.zeros((len(users), 0)), np.zeros((len(items), 0))
    if layers:
        first = weights["hidden.0.weight"].astype(
            np.float64
        )  # so that the sums hang on nobody else asked for
        half = first.shape[1] // 2
        mlp_user = weights["mlp_user"][users] @ first[:, :half].T + weights["hidden.0.bias"]
        mlp_item = weights["mlp_item"][items] @ first[:, half:].T
    out = np.empty((len(users), len(items)), np.float32)
    towers.scores(
        weights["gmf_user"][users] * output[:factors],
        towers.tiles(weights["gmf_item"][items]),
        mlp_user.astype(np.float32),
        towers.tiles(mlp_item),
        np.array([len(weights[f"hidden.{n}.bias"]) for n in range(layers)] or [0], np.int64),
        _flat(weights[f"hidden.{n}.weight"] for n in range(1, layers)),
        _flat(weights[f"hidden.{n}.bias"] for n in range(1, layers)),
        output[factors:],
        weights["base"][0],
        out,
    )
    return out


def sound(weights: Weights, n_items: int) -> bool:
    """Return whether the arrays fit each other and so many items: the kernel does not look again."""
    names = {"gmf_user", "gmf_item", "mlp_user", "mlp_item", "output", "base"}
    layers = depth(weights)
    names |= {f"hidden.{n}.{part}" for n in range(layers) for part in ("weight", "bias")}
    if set(weights) != names or any(array.dtype != np.float32 for array in weights.values()):
        return False
    shapes = {name: array.shape for name, array in weights.items()}
    flat = {"output", "base"} | {name for name in names if name.endswith("bias")}
    if any(len(shape) != (1 if name in flat else 2) for name, shape in shapes.items()):
        return False
    sizes = [2 * shapes["mlp_item"][1], *(shapes[f"hidden.{n}.bias"][0] for n in range(layers))]
    return (
        shapes["gmf_item"][0] == shapes["mlp_item"][0] == n_items
        and shapes["gmf_user"] == (shapes["mlp_user"][0], shapes["gmf_item"][1])
        and shapes["mlp_user"][1] == shapes["mlp_item"][1]
        and all(shapes[f"hidden.{n}.weight"] == (sizes[n + 1], sizes[n]) for n in range(layers))
        and shapes["output"] == (shapes["gmf_item"][1] + (sizes[-1] if layers else 0),)
        and shapes["base"] == (1,)
    )


def _flat(arrays: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *(array.ravel() for array in arrays)])
