"""One request over the network, to one address, and what comes back: an answer, or a fault with its reason."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

from palate.errors import FetchError, PlanError
from palate.text.endpoint.journal import json_object
from palate.text.endpoint.ledger import Answer

KEY = "PALATE_ENDPOINT_KEY"
"""The variable that holds the key"""
LARGEST = 16 << 20
"""Bytes of a response after which it is given up"""
PATIENCE = 60.0
"""Seconds between two tries at most, whatever the server asks for"""
_CONNECTING = 10.0  # seconds
_SECRET = 12  # signs of a key; a shorter one, such as "EMPTY", is none
_AGAIN = (408, 409, 425, 429)  # and all from 500 on: the same request may be answered later
_MAYBE_CHARGED = (400, 408)  # by some, for a prompt that a filter refused or work that took too long
_FINAL = {
    401: f"it does not take the key. Set the variable {KEY} to one that it takes",
    402: "it wants to be paid first. See to the account; what was answered is kept",
    403: f"it does not let this key in. Set the variable {KEY} to one that may use the model",
    404: "it has no such path or no such model. Mend the address (most end in /v1) or the model's name",
}


class Fault(Exception):
    """A try that failed. `free`: surely not charged; `after`: seconds the server asks for; `last`: never heals."""

    def __init__(self, reason: str, *, free: bool = False, after: float = 0.0, last: bool = False) -> None:
        super().__init__(reason)
        self.free, self.after, self.last = free, after, last


class Unreachable(Fault):
    """No connection was made, so nothing was sent."""


class Wire:
    """The way to one address. Every request has a connection of its own, so threads share nothing."""

    def __init__(self, url: str, timeout: float, *, plain_http: bool) -> None:
        """Look at the address and the key; opens no socket. Raises PlanError where one cannot be right."""
        self.url, self._timeout = url, timeout
        secure, self._host, self._port, self._path = address(url, plain_http)
        self._context = ssl.create_default_context() if secure else None
        self._key = os.environ.get(KEY, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise PlanError(f"the variable {KEY} holds characters that no key has. Set it anew.")
        self._live: set[socket.socket] = set()

    def send(self, body: bytes, most: tuple[int, int], stopped: Callable[[], bool] = bool) -> Answer:
        """Return the answer to a request whose worst case in tokens is `most`; `stopped` is asked before it is sent.

        Raises Fault for what another try, or another request, may heal; FetchError for what none will.
        """
        connection = self._connect()
        line, response, data = connection.sock, None, bytearray()
        self._live.add(line)
        with _limit(line, self._timeout) as late:
            try:
                if stopped():  # asked when `hang_up` would see the line: one of the two ends it
                    raise Unreachable("it was stopped before it was sent", free=True)
                connection.request("POST", self._path, body, self._headers())
                response = connection.getresponse()
                while chunk := response.read1(1 << 16):
                    data += chunk
                    if len(data) > LARGEST:
                        raise Fault(f"an answer of more than {LARGEST >> 20} MB")
                if late.is_set():  # an answer of no stated length ends where the line does
                    raise TimeoutError
                if response.length:
                    raise http.client.IncompleteRead(bytes(data), response.length)
            except (OSError, ValueError, http.client.HTTPException) as error:
                if late.is_set() or isinstance(error, TimeoutError):
                    raise Fault(f"no whole answer in {self._timeout:g} seconds") from None
                raise Fault(f"the connection broke ({type(error).__name__})") from None
            finally:
                self._live.discard(line)
                if response is not None:
                    response.close()  # which has the socket for itself where the server says that it will close it
                connection.close()
        told = bytes(data)
        if len(self._key) >= _SECRET:  # some servers repeat it; it belongs on no screen and on no disk
            told = told.replace(self._key.encode(), b"***")
        if response.status != 200:
            raise self._refused(response, told)
        return read(told, most)

    def hang_up(self) -> None:
        """End what is on its way: whoever waits for it gets a Fault."""
        for line in list(self._live):
            _end(line)

    def _connect(self) -> http.client.HTTPConnection:
        wait = min(self._timeout, _CONNECTING)
        if self._context is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=wait)
        else:
            made = http.client.HTTPSConnection(self._host, self._port, timeout=wait, context=self._context)
        try:
            made.connect()
        except ssl.SSLCertVerificationError as error:
            made.close()
            raise FetchError(f"{self.url}: its certificate is not valid ({error.verify_message}).") from None
        except (OSError, UnicodeError) as error:
            made.close()
            raise Unreachable(str(error) or "no connection", free=True) from None
        made.sock.settimeout(self._timeout)
        return made

    def _headers(self) -> dict[str, str]:
        told = {"Content-Type": "application/json", "User-Agent": "palate", "Connection": "close"}
        return told | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _refused(self, response: http.client.HTTPResponse, data: bytes) -> Exception:
        """Return the error of a status that is not 200, with the server's own words, cleaned."""
        status, error = response.status, (json_object(data) or {}).get("error")
        said = str(error.get("message", "") if isinstance(error, dict) else error or "")
        said = clean(said)
        words = f"'{status} {clean(response.reason)}'" + (f": {said.rstrip('.')}" if said else "")
        if 300 <= status < 400:
            return FetchError(
                f"{self.url} sends on to {clean(response.headers.get('Location', 'nowhere'))}, and no redirect is"
                " followed. Give the address that it moved to, if you trust it."
            )
        final = _FINAL.get(402 if "insufficient_quota" in str(error) else status)
        if final is not None:
            return FetchError(f"{self.url} answered {words}: {final}.")
        heals, told = status in _AGAIN or status >= 500, response.headers.get("Retry-After")
        return Fault(words, free=_is_free(status, told), after=seconds(told), last=not heals)


def _is_free(status: int, retry_after: str | None) -> bool:
    """Tell whether a refusal is surely not charged.

    From 500 on the work may have been done, and its answer lost between a gateway and the server behind it. Only a 503
    that names a time to come again says that the request was turned away at the door.
    """
    if status >= 500:
        return status == 503 and retry_after is not None
    return (
        status >= 300 and status not in _MAYBE_CHARGED
    )  # below, somebody between has made an answer another one


@contextlib.contextmanager
def _limit(line: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """End the line when the time is over: a server that drips never meets the socket's own limit, of each piece."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(line)

    guard = threading.Timer(seconds, end)
    guard.daemon = True
    guard.start()
    try:
        yield late
    finally:
        guard.cancel()


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be over already
        line.shutdown(socket.SHUT_RDWR)


def address(url: str, plain_http: bool) -> tuple[bool, str, int | None, str]:
    """Return whether to use TLS, host, port and path. Raises PlanError for an address that must not be used.

    >>> address("http://127.0.0.1:8000/v1/", plain_http=False)
    (False, '127.0.0.1', 8000, '/v1/chat/completions')
    """
    wanted = "Expected one such as http://127.0.0.1:8000/v1 or https://example.org/v1."
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PlanError(f"'{clean(url)}' is no address ({error}). {wanted}") from None
    if "@" in parts.netloc:
        raise PlanError(
            f"the address holds a name or a password; a key belongs into the variable {KEY}. {wanted}"
        )
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise PlanError(f"'{clean(url)}' is no http address, or has more than a path. {wanted}")
    if parts.scheme == "http" and not plain_http and not _is_here(host):
        raise PlanError(
            f"{clean(url)} is another machine, and http is not encrypted. Use https, or ask for plain http."
        )
    path = urllib.parse.quote(parts.path.rstrip("/").removesuffix("/chat/completions"), safe="/%:@+,;=~")
    return parts.scheme == "https", host, port, f"{path}/chat/completions"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read(data: bytes, most: tuple[int, int]) -> Answer:
    """Return the answer in a whole response. Without `usage` its cost is assumed to be the most it can be.

    Raises Fault for what is no answer and does not say what it cost.
    """
    content = json_object(data)
    if content is None:
        raise Fault(f"no JSON object came, but '{clean(data[:60].decode('utf-8', 'replace'))}'")
    usage = content.get("usage")
    counts = (
        [usage.get(f"{part}_tokens") for part in ("prompt", "completion")] if isinstance(usage, dict) else []
    )
    told = [one for one in counts if isinstance(one, int) and 0 <= one < 1 << 48]
    try:
        choice = content["choices"][0]
        text, cut = choice["message"]["content"], choice.get("finish_reason") == "length"
    except (LookupError, TypeError, AttributeError):
        text, cut = None, False
    if not isinstance(text, str):
        if len(told) < 2:
            raise Fault("the answer has no choices, and tells no usage")
        text = ""  # paid, though of no use
    prompts, answers = told if len(told) == 2 else most
    text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair could not be written later
    return Answer(text, prompts, answers, len(told) < 2, cut, str(content.get("id", ""))[:100])


def seconds(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header, at most PATIENCE; 0 for what is neither number nor date.

    >>> seconds("3"), seconds("86400"), seconds("Wed, 21 Oct 2015 07:28:00 GMT"), seconds("soon"), seconds("nan")
    (3.0, 60.0, 0.0, 0.0, 0.0)
    """
    try:
        wait = float(retry_after or 0)
    except ValueError:
        try:
            wait = parsedate_to_datetime(retry_after or "").timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return min(wait, PATIENCE) if wait > 0 else 0.0


def clean(text: str) -> str:
    r"""Return a stranger's words fit for a terminal: printable, on one line, not long.

    >>> clean("bad\x1b[31m\nthing")
    'bad [31m thing'
    """
    line = "".join(sign if sign.isprintable() else " " for sign in text[:400])
    return " ".join(line.split())[:200]
