"""Folders that transformers reads: safetensors alone, since what is unpickled can run code, and without its chatter."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from palate.errors import SavedModelError


def safe(path: Path, *names: str) -> None:
    """Raise SavedModelError for a folder whose weights would be unpickled, or that has none.

    `names`: of the files that are read, one of which must be there; else any safetensors will do.
    """
    if any((path / name).is_file() for name in names) if names else any(path.glob("*.safetensors")):
        return
    other = sorted(
        one.name for one in path.iterdir() if one.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl")
    )
    raise SavedModelError(
        f"{path}: its weights are {', '.join(other)}, which would be unpickled, and that can run code. Have them "
        "saved as safetensors."
        if other
        else f"{path}: no {names[0] if names else 'safetensors'} in it."
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
