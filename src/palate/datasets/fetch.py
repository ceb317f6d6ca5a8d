"""Where named data comes from: the folder PALATE_DATA, the user's cache, then the publisher's address.

A download takes its name only when it is whole. Where the publisher gives a checksum (MovieLens does) it is
checked, and an interrupted download goes on where it stopped. Where there is none (Amazon reviews), it starts
again, only its length is checked, and the user is told. Without a network the error says which file is
missing, where to get it and where to put it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from palate.errors import FetchError

TIMEOUT = 10
"""Seconds without an answer, or without a byte, after which a download gives up"""
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Remote:
    """One file at its publisher's address."""

    file: str
    url: str
    size: str
    """As the publisher says, for people"""
    licence: str
    checksum: str | None = None
    """`md5:...` or `sha256:...`; None where the publisher has none, or changes the file"""
    checksum_url: str | None = None
    """Where the publisher keeps the present MD5, for files that change"""


def cache_folder() -> Path:
    """Return the folder that downloads go to: PALATE_CACHE, or the system's cache folder for `palate`."""
    if given := os.environ.get("PALATE_CACHE"):
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("palate"))


def data_folders() -> list[Path]:
    """Return the folders that are looked into, in order: PALATE_DATA where it is set, then the cache."""
    given = os.environ.get("PALATE_DATA")
    return [*([Path(given).expanduser()] if given else []), cache_folder()]


def find(names: Iterable[str]) -> Path | None:
    """Return the first file or folder called one of `names` (paths below a data folder) that is there."""
    names = list(names)
    for folder in data_folders():
        for name in names:
            if (folder / name).exists():
                return folder / name
    return None


def fetch(remote: Remote, *, offline: bool = False, progress: bool | None = None) -> Path:
    """Return the file in the cache, downloaded when it is not there yet.

    Args:
        remote: what to get.
        offline: never ask the network.
        progress: show a bar on standard error; None shows it on a terminal.

    Raises:
        FetchError: no network (within 10 seconds), an address that does not answer, a wrong checksum. A
            file without a published checksum is accepted, with a line on standard error.

    """
    target = cache_folder() / remote.file
    if target.exists():
        return target
    if offline:
        raise FetchError(_by_hand(remote, "is not on this machine, and offline was asked for"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            f"The cache folder {target.parent} cannot be made ({error.strerror}). Set PALATE_CACHE to"
            " another."
        ) from error
    print(f"Downloading {remote.file} ({remote.size}). Licence: {remote.licence}", file=sys.stderr)
    checksum = remote.checksum or _published_checksum(remote)
    part = target.with_name(f"{target.name}.part")
    if checksum is None:
        print(f"{remote.file}: no published checksum, so only its length can be checked.", file=sys.stderr)
        part.unlink(missing_ok=True)  # nothing could tell a wrongly joined file from a right one
    resumed = part.exists()
    _download(remote, part, progress)
    if checksum is not None and not _matches(part, checksum):
        part.unlink()
        if resumed:  # the file at the address changed in between: once more from the start
            return fetch(remote, progress=progress)
        raise FetchError(
            f"{remote.file} from {remote.url} has another checksum than {checksum}; it was thrown away."
            " Try again; if it stays, the file was changed on the way or by its publisher."
        )
    part.replace(target)
    return target


def _download(remote: Remote, part: Path, progress: bool | None) -> None:
    """Append to `part` what is missing, where the server can; an interruption leaves it for the next try."""
    have = part.stat().st_size if part.exists() else 0
    try:
        with _open(remote.url, {"Range": f"bytes={have}-"} if have else {}) as answer:
            have = have if answer.status == 206 else 0
            expected = have + int(answer.headers.get("Content-Length") or 0)
            with (
                part.open("ab" if have else "wb") as file,
                _bar(remote.file, have, expected, progress) as step,
            ):
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    step(len(chunk))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # every byte is here already: the checksum will tell
            return
        raise FetchError(_by_hand(remote, f"was answered with '{error.code} {error.reason}'")) from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(_by_hand(remote, f"cannot be downloaded ({_short(error)})")) from error
    if part.stat().st_size < expected:
        raise FetchError(
            f"{remote.file}: the connection ended after {part.stat().st_size:,} of {expected:,} bytes."
            " Run this again to go on from there."
        )


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url} is no http address.")
    request = urllib.request.Request(url, headers={"User-Agent": "palate", **headers})  # noqa: S310
    answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310  # http only, see above
    return cast("http.client.HTTPResponse", answer)


def _published_checksum(remote: Remote) -> str | None:
    """Return the MD5 that stands beside the file, or None where the publisher has none."""
    if remote.checksum_url is None:
        return None
    try:
        with _open(remote.checksum_url, {}) as answer:
            found = re.search(rb"\b[0-9a-fA-F]{32}\b", answer.read(4096))
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(_by_hand(remote, f"cannot be downloaded ({_short(error)})")) from error
    return f"md5:{found[0].decode().lower()}" if found else None


def _matches(file: Path, checksum: str) -> bool:
    algorithm, _, expected = checksum.partition(":")
    with file.open("rb") as opened:
        state = hashlib.file_digest(opened, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return state.hexdigest() == expected.lower()


def _by_hand(remote: Remote, what: str) -> str:
    target = Path(os.environ.get("PALATE_DATA") or cache_folder(), remote.file)
    where = f"Get it from {remote.url} and put it into {target.parent}, then run this again."
    return f"{target.name} {what}. {where}"


def _short(error: Exception) -> str:
    """Return the cause in a few words, without the layers that the network libraries put around it."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"no answer in {TIMEOUT} seconds"
    if isinstance(cause, socket.gaierror):
        return "the host's name is not known: no network?"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused: no network?"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "the server's certificate is not valid"
    return str(cause)[:100] or type(cause).__name__


@contextlib.contextmanager
def _bar(name: str, have: int, total: int, progress: bool | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error where it is wanted; yield the function that moves it on."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda amount: None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    with rich_progress.Progress(
        "{task.description}",
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        rich_progress.TransferSpeedColumn(),
        rich_progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(name, total=total or None, completed=have)
        yield lambda amount: bar.advance(task, amount)
