"""Files that appear whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from palate.errors import DataError

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; after the block it becomes `path`, after an error it is gone.

    A reader therefore sees the old file or the new one, also after Ctrl-C or on a full disk.
    Raises DataError when the folder is missing, cannot be written, or the disk is full.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{target} is a folder; give the name of a file to write.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise DataError(
            f"Cannot write {target}: {error.strerror}. Make the folder or choose another."
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~umask())  # mkstemp makes files private; an ordinary file follows the umask
        temporary.replace(target)
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}. Nothing was changed.") from error
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(made: Path, folder: Path) -> None:
    """Rename a folder to `folder`; an earlier one there goes only when the new one stands, and else comes back."""
    if not folder.exists():
        made.replace(folder)
        return
    earlier = made.with_name(made.name + "-earlier")
    folder.replace(earlier)
    try:
        made.replace(folder)
    except BaseException:
        earlier.replace(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def lock(file: IO[Any], path: Path) -> None:
    """Keep other processes from locking a file as long as this one has it open; nothing where a system has no locks.

    Raises DataError where another has it.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{path}: another process writes there now. Wait for its end, or give another name."
        ) from None


def umask() -> int:
    """Return the permissions that new files of this process lack."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
