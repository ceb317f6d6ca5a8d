"""JSON lines that only grow, so that a kill loses nothing; and JSON from strangers, read without trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from palate.atomic import Lines
from palate.errors import DataError, PlanError


class Journal:
    """A file of JSON objects, each kept when `add` returns; a last line that a kill tore is dropped."""

    def __init__(self, path: Path | None, header: dict[str, Any]) -> None:
        """Open or make it, and read its `rows`; without a path nothing is kept.

        Raises PlanError where the file is of another `header`, DataError where it cannot be used.
        """
        self.rows: list[dict[str, Any]] = []
        self._lines = None if path is None else Lines(path)
        if self._lines is None:
            return
        try:
            self._read(f"{path}", self._lines.found, header)
            # It is begun with its first row: a folder in which nothing came about may serve another header.
            self._header = b"" if self._lines.found else json.dumps(header).encode() + b"\n"
            self._lines.found.clear()
            self._lines.drop_torn(self._header or b'{"')
        except BaseException:
            self.close()
            raise

    def _read(self, name: str, lines: list[bytes], header: dict[str, Any]) -> None:
        for number, line in enumerate(lines, start=1):
            row = json_object(line)
            if row is None:
                raise DataError(
                    f"{name}: line {number} is not what Palate writes. Take it out, or give another folder."
                )
            if number > 1:
                self.rows.append(row)
            elif row != header:
                raise PlanError(f"{name} was begun with {row}, and this is {header}. Give another folder.")

    def add(self, row: dict[str, Any], *, through: bool = True) -> None:
        """Write a row: it outlives this process and, written `through` to the disk, this machine's power too.

        One thread at a time. Raises DataError where the disk takes no more.
        """
        if self._lines is not None:
            header, self._header = self._header, b""
            self._lines.add(header + json.dumps(row).encode(), through=through)

    def close(self) -> None:
        """Close the file, so that another process may have it."""
        if self._lines is not None:
            self._lines.close()


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
