"""Several processes that learn together: who they are, what they add up, and weights that they share out.

Under `torchrun` or `accelerate launch` each process is told its number and how many there are. By default each holds
all weights, and gradients are added up. A network too large for that has its layers shared out (FSDP2, Zhao and
others, VLDB 2023; Rajbhandari and others, "ZeRO", SC 2020): each process holds its part of every layer's weights,
gradients and moments, and a layer is whole only while it is computed. What stands beside the layers stays whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def join(device: torch.device) -> tuple[int, int]:
    """Return this process's number and how many there are; joins them where the environment says so."""
    from torch import distributed

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1
    if not distributed.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return distributed.get_rank(), distributed.get_world_size()


def add(tensors: Sequence[Tensor]) -> None:
    """Add up tensors over all processes, in place, in one message; those that are shared out are left as they are."""
    from torch import distributed

    own = [one for one in tensors if not is_part(one)]
    if not own:
        return
    flat = torch.cat([one.reshape(-1) for one in own])
    distributed.all_reduce(flat)
    start = 0
    for one in own:
        one.copy_(flat[start : start + one.numel()].view_as(one))
        start += one.numel()


# --- weights that are shared out ------------------------------------------------------------------------------


def share_out(
    layers: Iterable[nn.Module], device: torch.device, *, beside: Iterable[nn.Parameter] = ()
) -> None:
    """Have each process keep its part of each layer; every process must call it, with the same layers.

    A gradient is then the sum over processes, and stands in parts as well. All processes must go through the layers
    equally often, forwards and backwards. Weights of `beside` stay whole: adapters, which are small.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    _, processes = join(device)
    mesh, whole = init_device_mesh(device.type, (processes,)), set(beside)
    for layer in layers:
        part = fully_shard(layer, mesh=mesh, ignored_params=whole)
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)  # gloo has no other


def is_part(tensor: Tensor) -> TypeGuard[DTensor]:
    """Return whether the tensor is one of which each process holds a part."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def own(tensor: Tensor) -> Tensor:
    """Return what this process holds of a tensor."""
    return tensor.to_local() if is_part(tensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """Return all of a tensor; where it is shared out, every process must ask."""
    return tensor.full_tensor() if is_part(tensor) else tensor


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """Return a whole tensor shared out as `other` is; as it is where `other` is whole."""
    if not is_part(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


def length(tensors: Sequence[Tensor]) -> Tensor:
    """Return the length of tensors as one vector, over all parts."""
    device = own(tensors[0]).device
    squares = torch.zeros(2, device=device)
    for one in tensors:
        squares[int(is_part(one))] += torch.linalg.vector_norm(own(one)).float().square()
    if any(map(is_part, tensors)):
        parts = squares[1:].clone()
        torch.distributed.all_reduce(parts)
        squares[1:] = parts
    return squares.sum().sqrt()
