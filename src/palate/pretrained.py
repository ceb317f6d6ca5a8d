"""Folders that transformers reads: safetensors alone, since what is unpickled can run code, and without its chatter."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from palate.errors import SavedModelError

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def safe(path: Path, *names: str) -> None:
    """Raise SavedModelError for a folder whose weights would be unpickled, or that has none.

    `names`: of the files that are read, one of which must be there; else any safetensors will do.
    """
    found = (
        [path / name for name in names if (path / name).is_file()] if names else [*path.glob("*.safetensors")]
    )
    for index in (one for one in found if one.suffix == ".json"):
        _refuse_others(index)
    if found:
        return
    other = sorted(one.name for one in path.iterdir() if one.suffix in _PICKLED)
    raise SavedModelError(
        f"{path}: its weights are {', '.join(other)}, which would be unpickled, and that can run code. Have them "
        "saved as safetensors."
        if other
        else f"{path}: no {names[0] if names else 'safetensors'} in it."
    )


def _refuse_others(index: Path) -> None:
    """Raise SavedModelError for an index of weights that leads to anything but safetensors beside it."""
    try:
        named = {str(one) for one in json.loads(index.read_text("utf-8"))["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SavedModelError(
            f"{index} is torn: it has no weight_map. Have the model saved again."
        ) from error
    bad = sorted(one for one in named if Path(one).name != one or not one.endswith(".safetensors"))
    if bad:
        raise SavedModelError(
            f"{index} leads to {bad[0]}, and only safetensors in the same folder are read: what is unpickled can run "
            "code. Have the weights saved as safetensors."
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' bars and remarks off the terminal meanwhile; peft still calls names that go out of use."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
