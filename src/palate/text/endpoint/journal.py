"""JSON lines that only grow, so that a kill loses nothing; and JSON from strangers, read without trust."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

from palate.atomic import lock
from palate.errors import DataError, PlanError


class Journal:
    """A file of JSON objects, each kept when `add` returns; a last line that a kill tore is dropped."""

    def __init__(self, path: Path | None, header: dict[str, Any]) -> None:
        """Open or make it, and read its `rows`; without a path nothing is kept.

        Raises PlanError where the file is of another `header`, DataError where it cannot be used.
        """
        self.rows: list[dict[str, Any]] = []
        self._path, self._lock = path, threading.Lock()
        self._file: BinaryIO | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            lock(self._file, path)
            whole = self._read(path, header)
            self._file.truncate(whole)
            if not whole:
                self.add(header)
        except OSError as error:
            self.close()
            raise DataError(f"{path}: cannot be written ({error.strerror}). Give another folder.") from None
        except BaseException:
            self.close()
            raise

    def _read(self, path: Path, header: dict[str, Any]) -> int:
        """Read what is there; return how many bytes of it are whole lines."""
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].split(b"\n")[:-1], start=1):
            row = json_object(line)
            if row is None:
                raise DataError(
                    f"{path}: line {number} is not what Palate writes. Take it out, or give another folder."
                )
            if number > 1:
                self.rows.append(row)
            elif row != header:
                raise PlanError(f"{path} was begun with {row}, and this is {header}. Give another folder.")
        return whole

    def add(self, row: dict[str, Any], *, through: bool = True) -> None:
        """Write a line: it outlives this process and, written `through` to the disk, this machine's power too.

        Raises DataError where the disk takes no more.
        """
        if self._path is None:
            return
        line = json.dumps(row).encode() + b"\n"
        with self._lock:
            if self._file is None:
                raise DataError(f"{self._path}: closed, after a fault or at the end. Run this again.")
            try:
                self._file.write(line)
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
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # a full disk is told once, by what met it
                file.close()


def json_object(content: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object that this is, or None.

    >>> json_object('{"a": 1}'), json_object("[1]"), json_object("{")
    ({'a': 1}, None, None)
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def json_within(answer: str) -> dict[str, Any]:
    """Return the JSON object in a model's answer; a fence, or thoughts before it, are let pass. Raises ValueError.

    >>> json_within('<think>{</think>Here it is: {"a": 1}')
    {'a': 1}
    """
    said = answer.rpartition("</think>")[2]
    content = json_object(said[said.find("{") : said.rfind("}") + 1])
    if content is None:
        raise ValueError("no JSON object in it")
    return content
