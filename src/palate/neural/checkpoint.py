"""The state of a training after an epoch: one file, whole or not at all, that can run nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from palate.atomic import whole
from palate.errors import DataError, SavedModelError, listing

_NAME = "training.safetensors"


def write(folder: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Write `folder`/training.safetensors; what stood there is replaced when the new file is whole.

    Raises DataError where it cannot be written: a full disk, say.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / _NAME) as path:
            save_file(own, path, {"palate": json.dumps(numbers)})
    except (SafetensorError, OSError) as error:  # safetensors tells of a full disk by an error of its own
        raise DataError(
            f"Cannot write {folder / _NAME} ({error}). Make room, or give another folder: the same call then goes on "
            "from the state that was last kept."
        ) from error


def read(
    folder: Path, identity: str, about: Mapping[str, Any] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return what `write` wrote; None where nothing stands.

    Raises SavedModelError for a torn file, or one of another training: `identity` is another. What differs is told by
    `about`, a model's name and its parameters.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / _NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            numbers = json.loads(file.metadata()["palate"])
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise SavedModelError(f"{path} is torn or altered: remove it, and training starts anew.") from error
    if numbers.get("identity") != identity:
        raise SavedModelError(
            f"{path} belongs to another training{_difference(numbers.get('about'), about)}: give another checkpoint "
            "folder, or remove it to start anew."
        )
    return tensors, numbers


def about(model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training depends on of a model: its name and parameters, but for where it goes and how long.

    How long counts where the learning rate falls along a cosine, which must know its end.
    """
    free = {"checkpoint", "device", "patience"} | (
        set() if params.get("schedule") == "cosine" else {"epochs"}
    )
    return {"model": model} | {name: value for name, value in params.items() if name not in free}


def refuse(folder: Path, about: Mapping[str, Any]) -> None:
    """Raise SavedModelError where a training stands in a folder that is to hold several, each in its own folder."""
    if (folder / _NAME).exists():
        read(folder, "", about)


def _difference(theirs: Any, ours: Mapping[str, Any] | None) -> str:
    """Say in what a training differs from this one."""
    if not isinstance(theirs, dict) or not theirs or not ours:
        return " (other data or parameters)"
    here = json.loads(json.dumps(ours))
    model, own = theirs.get("model"), here.get("model")
    if model != own:
        return f" (it is of {model}; this is {own})"
    other = [name for name in here if theirs.get(name) != here[name]]
    if not other:
        return " (of the same parameters: other data, or another version of Palate)"
    there, this = (
        listing((f"{name} = {json.dumps(one.get(name))}" for name in other), limit=3)
        for one in (theirs, here)
    )
    return f" (it is of {model} with {there}; this is {this})"
