"""A module without numbers, for weights that are there already."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Untouched(TorchFunctionMode):
    """Whatever fills a tensor in place, by drawing or otherwise, leaves it as it is."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        in_place = name.endswith("_") and not name.startswith("__") and name != "requires_grad_"
        if in_place or name == "__setitem__":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextlib.contextmanager
def without_numbers() -> Iterator[None]:
    """Make modules on the device "meta", where nothing is drawn: `load_state_dict(..., assign=True)` brings numbers.

    On "meta" alone torch still goes through what the start draws, by operators written in Python, and imports its
    compiler for them, which takes longer than all else that a loaded model does for its first list.
    """
    with torch.device("meta"), _Untouched():
        yield
