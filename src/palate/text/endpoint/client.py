"""An endpoint: requests asked until answered, each paid once, many at a time."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from palate.errors import FetchError, PlanError
from palate.text.endpoint.ledger import (
    DIALECTS,
    Answer,
    Bill,
    Dialect,
    Ledger,
    OverBudget,
    Price,
    Request,
    Terms,
    Unanswered,
)
from palate.text.endpoint.wire import PATIENCE, Fault, Unreachable, Wire

_LOOK_UP = 0.2  # seconds
_ALIKE = 3  # first answers that are one and the same refusal of a setting: no matter of this text or that
_GRACE = 3.0  # seconds after Ctrl-C for answers that are on their way, and paid, to arrive

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


class Endpoint:
    """An OpenAI-compatible address and one of its models. Use it in a `with` block, or `close` it.

    Faults (429, 5xx, no answer in time, torn or empty answers, answers that `check` refuses) are tried again,
    `retries` times, after a back-off that doubles from `backoff` seconds and keeps to the server's Retry-After, up to
    a minute. All methods may be called from many threads.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        folder: Path | None = None,
        terms: Terms | None = None,
        threads: int = 4,
        timeout: float = 120.0,
        retries: int = 6,
        backoff: float = 0.5,
        plain_http: bool = False,
        dialect: Dialect | None = None,
    ) -> None:
        """Open the ledger in `folder`; no socket is opened.

        Args:
            url: such as http://127.0.0.1:8000/v1.
            model: its name there.
            folder: where `answers.jsonl` is kept; one folder, one address and model. None: nothing is kept.
            terms: prices and budget.
            threads: requests at the same time.
            timeout: seconds for one request, all in all.
            retries: tries of one request after the first.
            backoff: seconds before the second try.
            plain_http: allow http to another machine; texts and key then travel unencrypted.
            dialect: for a server that refuses max_tokens, a temperature or a response_format.

        Raises:
            PlanError: an address, a number or a key that cannot be right; a folder of another model.
            DataError: a folder that cannot be used.

        """
        terms = Terms() if terms is None else terms
        above = {"threads": threads, "timeout": timeout, "backoff": backoff}
        least = {
            "retries": retries,
            **{name: value for name, value in asdict(terms).items() if value is not None},
        }
        for name, value in (above | least).items():
            if not (0 <= value < math.inf) or (name in above and value == 0):
                raise PlanError(
                    f"{name}={value}: expected {'more than zero' if name in above else 'zero or more'}."
                )
        if terms.money is not None and terms.cost(0, 0) is None:
            raise PlanError(
                "a budget in money needs the prices of a million tokens, of prompts and of answers."
            )
        self.url, self.model, self.threads = url, model, threads
        self.dialect = dialect or Dialect()
        """how requests are written; another one, another request"""
        self._retries, self._backoff = retries, backoff
        self._wire = Wire(url, timeout, plain_http=plain_http)
        self._ledger = Ledger(folder, url, model, terms)
        self._turns: dict[str, threading.Lock] = {}
        self._stop = threading.Event()
        self._dead: Exception | None = None
        self._refusals: list[str] | None = (
            None if self._ledger.answers else []
        )  # None once anything was answered
        self._quiet_until = 0.0

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.journal.close()

    def bill(self) -> Bill:
        """Return what was paid so far, in all runs in the folder."""
        return self._ledger.bill()

    def price(self, requests: Iterable[tuple[Request, Callable[[str], object]]]) -> Price:
        """Return what requests, each with the check of its answer, cost at most. Sends nothing, opens no socket."""
        each: dict[str, tuple[int, int]] = {}
        useful: set[str] = set()
        for request, check in requests:
            key = _key(self._body(request))
            each[key] = request.most()
            with contextlib.suppress(Unanswered):
                self.recall(request, check)
                useful.add(key)
        most = [one for key, one in each.items() if key not in useful]
        prompts, answers = (sum(part) for part in zip((0, 0), *most, strict=True))
        cost = self._ledger.terms.cost(prompts, answers)
        return Price(len(each), len(each) - len(most), prompts // 4, prompts + answers, cost)

    def ask(self, request: Request, check: Callable[[str], _Made]) -> _Made:
        """Return what `check` makes of the answer; it raises ValueError for one that is of no use.

        A usable answer in the ledger is not asked for again. The useless ones of this run count as tries; those of
        earlier runs do not, so that a next run asks again for what failed. `check` may raise Unanswered instead, for
        an answer after which this run shall ask no more.

        Raises:
            Unanswered: no usable answer in all tries, or (OverBudget) no budget for one.
            FetchError: what no other try and no other request would heal: the key, the model, the address, or what
                the server wants otherwise (its first answers of all are one and the same refusal of a setting).
            DataError: the ledger cannot be written.

        """
        body = self._body(request)
        with self._turns.setdefault(
            _key(body), threading.Lock()
        ):  # the same asked twice at once is paid once
            if self._dead is not None:
                raise self._dead
            try:
                return self._ask(body, request.most(), check)
            except Unanswered:
                raise
            except Exception as error:
                self._dead = error
                self._stop.set()
                raise

    def recall(self, request: Request, check: Callable[[str], _Made]) -> _Made:
        """Return what `ask` would without sending anything. Raises Unanswered where the ledger has no usable answer."""
        earlier, now = self._ledger.known(_key(self._body(request)))
        for answer in [*earlier, *now]:
            with contextlib.suppress(ValueError, Unanswered):
                return _checked(answer, check)
        raise Unanswered("not answered yet")

    def _body(self, request: Request) -> bytes:
        return request.body(self.model, self.dialect)

    def _ask(self, body: bytes, most: tuple[int, int], check: Callable[[str], _Made]) -> _Made:
        reasons: list[str] = []
        fault: Fault | None = None
        earlier, now = self._ledger.known(_key(body))
        for answer in earlier:
            with contextlib.suppress(ValueError, Unanswered):
                return _checked(answer, check)
        for answer in now:
            try:
                return _checked(answer, check)
            except ValueError as error:
                reasons.append(str(error))
        while len(reasons) <= self._retries:
            if fault is not None:
                self._rest(len(reasons), fault.after)
            try:
                return _checked(self._pay(body, most), check)
            except ValueError as error:
                reasons, fault = [*reasons, str(error)], None
            except Fault as failed:
                reasons, fault = [*reasons, str(failed)], failed
                if fault.last:
                    self._refused(str(fault))
                    break
            except OverBudget as error:
                if not reasons:
                    raise
                raise OverBudget(f"{error} The last of {len(reasons)} tries: {reasons[-1]}.") from None
        if isinstance(fault, Unreachable):
            raise FetchError(
                f"{self.url} cannot be reached ({fault}). Start the server there, or mend the address."
            )
        raise Unanswered(f"no usable answer in {len(reasons)} tries; the last: {reasons[-1]}")

    def _refused(self, words: str) -> None:
        """Note a refusal; raise FetchError where nothing but this one of a setting has ever come.

        One that names no setting may be of a single text, about which several things are asked.
        """
        refusals = self._refusals
        if refusals is None:
            return
        refusals.append(words)
        if len(refusals) >= _ALIKE and set(refusals) == {words} and any(name in words for name in DIALECTS):
            raise FetchError(
                f"{self.url} refused the first {len(refusals)} requests alike: {words}. Where it names max_tokens, "
                "give --limit-name max_completion_tokens; where it names temperature or response_format, give "
                "--leave-out with that name (from Python: dialect=Dialect(limit, leave_out))."
            )

    def _rest(self, tries: int, after: float) -> None:
        """Wait before the next try. Where the server named a time, nothing else is sent to it meanwhile either."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + after)
        backoff = min(self._backoff * 2.0 ** min(tries - 1, 20), PATIENCE)
        self._stop.wait(max(after, backoff * random.uniform(0.5, 1)))  # noqa: S311 - no secret: it parts the threads

    def _pay(self, body: bytes, most: tuple[int, int]) -> Answer:
        self._stop.wait(max(0.0, self._quiet_until - time.monotonic()))
        number = self._ledger.begin(_key(body), most, self._stop.is_set)
        answer, free = None, False
        try:
            answer = self._wire.send(body, most, self._stop.is_set)
            self._refusals = None
        except Fault as fault:
            free = fault.free
            raise
        except FetchError:
            free = True
            raise
        finally:
            self._ledger.end(number, _key(body), answer, free=free)
        return answer

    def map(self, work: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made | Unanswered]:
        """Call `work`, which may `ask`, on every item in `threads` threads; yield what it gives, in order.

        An item that stays unanswered is yielded as its Unanswered. On Ctrl-C, or where the loop is left, nothing more
        is asked; answers that are on their way have three seconds to arrive and be kept.
        """
        pool = ThreadPoolExecutor(self.threads)
        waiting: deque[Future[_Made | Unanswered]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 4 * self.threads:
                    yield self._outcome(waiting.popleft())
            while waiting:
                yield self._outcome(waiting.popleft())
        except BaseException:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if not self._ledger.landed(_GRACE):
                self._wire.hang_up()
            raise
        finally:
            pool.shutdown()
            self._stop.clear()

    def _outcome(self, future: Future[_Made | Unanswered]) -> _Made | Unanswered:
        # A Ctrl-C that another thread of the process takes wakes nobody: so look up now and then.
        while not wait([future], _LOOK_UP).done:
            pass
        try:
            return future.result()
        except Unanswered as failed:
            if self._dead is not None:  # it was stopped by what another met
                raise self._dead from None
            return failed


def _key(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _checked(answer: Answer, check: Callable[[str], _Made]) -> _Made:
    """Return what `check` makes of an answer. Raises ValueError, with what is wrong in a few words."""
    try:
        if not answer.text.strip():
            raise ValueError("an empty answer")
        return check(answer.text)
    except (ValueError, RecursionError) as error:
        cut = " (it was cut at max_tokens)" if answer.cut else ""
        raise ValueError(f"{error}{cut}") from None
