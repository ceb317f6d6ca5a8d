"""A language model whose layers are shared out among processes while it learns, and put together again after.

The layers hold nearly all weights of a large model, and they alone are shared out; embedding, last normalisation and
head stay whole in every process, so that the chunked head works as it does in one. With LoRA the adapters stay whole.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from palate.errors import NotSupported, PlanError
from palate.neural import devices, processes
from palate.text.align.network import recompute
from palate.text.align.training import Training


def shares(training: Training) -> int:
    """Return how many processes a model is shared out among; 1 where it is not.

    Raises PlanError where one process is alone, or the batch is no multiple of them.
    """
    if not training.shard:
        return 1
    _, many = processes.join(devices.pick(training.device))
    if many == 1:
        raise PlanError(
            "shard = true shares a model out among processes, and there is one: start several with `torchrun "
            "--nproc-per-node=4 -m palate text train ...`, or leave shard out."
        )
    if training.batch % many:
        raise PlanError(
            f"batch = {training.batch} is no multiple of {many} processes, which must all go through the layers "
            f"equally often: take {max(training.batch // many, 1) * many}."
        )
    return many


def share_out(network: Any, training: Training) -> Any:
    """Share out the layers of a network in place, and return it without its numbers, for `put_together`.

    Raises PlanError as `shares` does; NotSupported for a network without layers.
    """
    shares(training)
    lists = [one for one in network.modules() if isinstance(one, nn.ModuleList) and len(one)]
    if not lists:
        raise NotSupported("this network has no list of layers, so it cannot be shared out: leave shard out.")
    device = devices.pick(training.device)
    network.to(device)
    recompute(network, False)  # what it hooks in is of this network, and not of its copy
    empty = _without_numbers(network)
    adapters = [one for one in network.parameters() if one.requires_grad] if training.rank else []
    most = max(len(one) for one in lists)
    layers = next(one for one in lists if len(one) == most)
    processes.share_out(layers, device, beside=adapters)
    recompute(network, training.recompute, deep=training.mode == "two-pass")
    return empty


def put_together(network: Any, empty: Any) -> Any:
    """Return a network that was shared out as a whole one, on the processor; every process must ask."""
    whole = {name: processes.whole(one).detach().cpu() for name, one in network.state_dict().items()}
    empty.load_state_dict(whole, assign=True)
    empty.tie_weights()
    return empty


def _without_numbers(network: Any) -> Any:
    """Return a copy whose parameters have shapes alone."""
    shapes = {
        id(one): nn.Parameter(torch.empty_like(one, device="meta"), one.requires_grad)
        for one in network.parameters()
    }
    return copy.deepcopy(network, shapes)
