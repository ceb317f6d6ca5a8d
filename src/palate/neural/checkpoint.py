"""The state of a training after an epoch: one file, whole or not at all, that can run nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from palate.atomic import whole
from palate.errors import DataError, SavedModelError

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


def read(folder: Path, identity: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return what `write` wrote; None where nothing stands.

    Raises SavedModelError for a torn file, or one of another training.
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
            f"{path} belongs to another training (other data or parameters): give another checkpoint folder, or remove "
            "it to start anew."
        )
    return tensors, numbers
