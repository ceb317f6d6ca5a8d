"""Files that appear whole or not at all: written under a temporary name in the same folder, then renamed.

And files of lines that only grow, so that a kill loses nothing that was done.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from palate.errors import DataError

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]


def may_write(path: str | os.PathLike[str]) -> None:
    """Raise DataError where `whole` would for its folder: before what takes long."""
    with contextlib.suppress(_Looked), whole(path):
        raise _Looked


class _Looked(Exception):
    """Ends a look, so that nothing is written."""


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


class Lines:
    """A file that lines are added to, and that no other process may have meanwhile. Any thread may add."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and read it; nothing in it is changed. Raises DataError where it cannot be used."""
        self._path, self._lock = path, threading.RLock()  # of `add`, which may close
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            lock(self._file, path)
            content = path.read_bytes()
        except OSError as error:
            self.close()
            raise DataError(f"{path}: cannot be written ({error.strerror}). Give another place.") from None
        except BaseException:
            self.close()
            raise
        self._whole = content.rfind(b"\n") + 1
        self.found = content[: self._whole].split(b"\n")[:-1]
        """the whole lines that were there"""
        self._torn = content[self._whole :]

    def drop_torn(self, beginning: bytes) -> None:
        """Cut off a last line that a kill tore. Look at the others first: a file of somebody else stays as it is.

        Raises DataError for one that does not begin with `beginning` or, where it is shorter, is no beginning of it.
        """
        if not (self._torn.startswith(beginning) or beginning.startswith(self._torn)):
            raise DataError(
                f"{self._path}: its last line, {self._torn[:40]!r}, is none that Palate writes, and nothing was "
                "changed. Take that line out, or give another place."
            )
        assert self._file is not None
        try:
            self._file.truncate(self._whole)
        except OSError as error:
            raise DataError(
                f"{self._path}: cannot be written ({error.strerror}). Give another place."
            ) from None

    def add(self, line: bytes, *, through: bool = True) -> None:
        """Write a line: it outlives this process and, written `through` to the disk, this machine's power too.

        Raises DataError where the disk takes no more.
        """
        with self._lock:
            if self._file is None:
                raise DataError(f"{self._path}: closed, after a fault or at the end. Run this again.")
            try:
                self._file.write(line + b"\n")
                self._file.flush()
                if through:
                    os.fsync(self._file.fileno())
            except OSError as error:
                self.close()  # what is torn now is dropped when it is opened again
                raise DataError(
                    f"{self._path}: cannot be written ({error.strerror}). Make room, then run this again."
                ) from None

    def close(self) -> None:
        """Close the file, so that another process may have it."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):  # a full disk is told once, by what met it
                    file.close()


def umask() -> int:
    """Return the permissions that new files of this process lack."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
