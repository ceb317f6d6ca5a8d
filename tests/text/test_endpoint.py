"""An endpoint that fails in every way, asked by one that must lose nothing and pay nothing twice.

The server is a mock on this machine's loopback address; nothing leaves it. `serving` is used by the other tests too.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import http.server
import io
import json
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from palate.errors import DataError, FetchError, PlanError
from palate.text.endpoint import Dialect, Endpoint, Journal, OverBudget, Request, Terms, Unanswered, client
from palate.text.endpoint import wire as wiring

KEY = "sk-secret-0123456789"
FAULTS = ("429", "500", "closed", "slow", "html", "torn", "nonsense", "schema", "empty")
PAID = ("slow", "nonsense", "schema", "empty")
"""faults whose answer was made, and charged: a slow one comes too late, the others are of no use"""
TERMS = Terms(prompt_price=3.0, answer_price=15.0)


@dataclass
class Mock:
    """What the server does, and its own books: what it charged for, by the id of the answer."""

    reply: Callable[[dict[str, Any]], str]
    faults: float = 0.0
    kinds: Sequence[str] = FAULTS
    seed: int = 0
    late: float = 1.2
    """seconds that a slow answer takes"""
    takes: float = 0.0
    """seconds that any other takes"""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    charged: dict[str, tuple[str, str, int, int]] = field(default_factory=dict)
    """of each answer: what it was (good, or a fault's name), digest of its request, tokens of prompt and answer"""
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def cost(self, ids: set[str]) -> float:
        """What the server charges for these answers."""
        prompts = sum(self.charged[one][2] for one in ids)
        return (prompts * 3.0 + sum(self.charged[one][3] for one in ids) * 15.0) / 1e6


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the mock says."""

    mock: Mock

    def do_POST(self) -> None:
        mock, size = self.mock, int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:  # who asked was killed while asking
            return
        with mock.lock:
            number = len(mock.asked)
            mock.asked.append(json.loads(body) | {"path": self.path})
            mock.heads.append(dict(self.headers))
            mock.at_once += 1
            mock.most_at_once = max(mock.most_at_once, mock.at_once)
        draw = random.Random(f"{mock.seed} {number}")
        kind = draw.choice(mock.kinds) if draw.random() < mock.faults else "good"
        try:
            time.sleep(mock.late if kind == "slow" else mock.takes)
        finally:  # before the answer leaves: whoever has it may ask again at once
            with mock.lock:
                mock.at_once -= 1
        with contextlib.suppress(ConnectionError):
            self.act(kind, number, body)

    def act(self, kind: str, number: int, body: bytes) -> None:
        if kind.isdigit():
            self.send(int(kind), b'{"error": {"message": "not now"}}')
        elif kind == "closed":
            self.close_connection = True
        elif kind == "html":
            self.send(200, b"<html><title>Maintenance</title></html>")
        elif kind == "torn":
            self.send(200, self.completion("good", number, body, books=False)[:-20])
        else:
            self.send(200, self.completion(kind, number, body))

    def completion(self, kind: str, number: int, body: bytes, *, books: bool = True) -> bytes:
        asked = json.loads(body)
        text = {"nonsense": "Sure! I would love to.", "schema": '{"colour": ["red"]}', "empty": ""}.get(kind)
        text = self.mock.reply(asked) if text is None else text
        prompts = sum(len(one["content"].split()) for one in asked["messages"])
        answers = len(text.split()) + 1
        if books:
            digest = hashlib.sha256(body).hexdigest()
            with self.mock.lock:
                self.mock.charged[f"answer-{number}"] = (kind, digest, prompts, answers)
        choices = [] if kind == "empty" else [{"message": {"role": "assistant", "content": text}}]
        usage = {"prompt_tokens": prompts, "completion_tokens": answers}
        return json.dumps({"id": f"answer-{number}", "choices": choices, "usage": usage}).encode()

    def send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in self.mock.headers.items():
            self.send_header(name, value)
        if status == 429 and "Retry-After" not in self.mock.headers:
            self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


class Server(http.server.ThreadingHTTPServer):
    """With room for all who knock at once: a full queue would make them wait for seconds."""

    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over who went away; tell the rest."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(mock: Mock) -> Iterator[Mock]:
    """Let the mock answer on loopback until the block is over."""
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"mock": mock}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mock.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield mock
    finally:
        server.shutdown()
        thread.join()
        while mock.at_once:  # a slow answer still sleeps
            time.sleep(0.01)
        server.server_close()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALATE_ENDPOINT_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):  # which must not matter
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def mock() -> Iterator[Mock]:
    with serving(Mock(lambda asked: json.dumps({"length": len(asked["messages"][-1]["content"])}))) as one:
        yield one


def endpoint(mock: Mock, folder: Path | None = None, **settings: Any) -> Endpoint:
    quick = {"timeout": 2.0, "backoff": 0.001, "retries": 9, "terms": TERMS}
    return Endpoint(mock.url, "tiny", folder=folder, **(quick | settings))


def question(text: str = "How long is this?", **settings: Any) -> Request:
    return Request((("system", "Count."), ("user", text)), **{"max_tokens": 50, "as_json": True, **settings})


def length(text: str) -> int:
    """The check of these tests: a JSON object with a length."""
    try:
        return int(json.loads(text)["length"])
    except (TypeError, KeyError):
        raise ValueError("no length in it") from None


def ids(folder: Path) -> set[str]:
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()[1:]]
    return {row["id"] for row in rows if row["kind"] == "answer"}


def test_what_is_sent_is_a_chat_completion_and_what_comes_is_its_text_and_its_cost(mock: Mock):
    with endpoint(mock) as asked:
        assert asked.ask(question(), length) == len("How long is this?")
        assert mock.asked == [
            {
                "path": "/v1/chat/completions",
                "model": "tiny",
                "messages": [
                    {"role": "system", "content": "Count."},
                    {"role": "user", "content": "How long is this?"},
                ],
                "max_tokens": 50,
                "temperature": 0.0,
                "response_format": {"type": "json_object"},
            }
        ]
        assert mock.heads[0]["Authorization"] == f"Bearer {KEY}"
        bill = asked.bill()
        assert (bill.answers, bill.prompt_tokens, bill.answer_tokens) == (1, 5, 3)
        assert bill.money == (5 * 3 + 3 * 15) / 1e6 == mock.cost({"answer-0"})
        assert "0.0001 by the prices" in bill.words()


def test_an_answer_is_paid_once_also_in_the_next_run_and_by_many_at_once(mock: Mock, tmp_path: Path):
    mock.takes = 0.05
    with endpoint(mock, tmp_path, threads=8) as asked:
        assert list(asked.map(lambda one: asked.ask(one, length), [question()] * 8)) == [17] * 8
    with endpoint(mock, tmp_path) as again:
        assert again.ask(question(), length) == 17
        assert again.bill().answers == 1
    assert len(mock.asked) == 1


@pytest.mark.parametrize(
    "other", [question("Else?"), question(max_tokens=51), question(temperature=0.5), question(as_json=False)]
)
def test_another_text_or_parameter_is_another_request(mock: Mock, tmp_path: Path, other: Request):
    with endpoint(mock, tmp_path) as asked:
        asked.ask(question(), length)
        asked.ask(other, length)
    assert len(mock.asked) == 2


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_tried_again_and_then_told_while_the_others_go_on(
    mock: Mock, tmp_path: Path, kind: str
):
    mock.late = 0.6
    plain = Handler.act

    def act(self: Handler, _: str, number: int, body: bytes) -> None:
        bad = "bad" in json.loads(body)["messages"][-1]["content"]
        if bad and kind == "slow":
            time.sleep(mock.late)
        plain(self, kind if bad else "good", number, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "act", act)
        with endpoint(mock, tmp_path, retries=2, timeout=0.5) as asked:
            first, bad, last = asked.map(
                lambda text: asked.ask(question(text), length), ["one", "bad", "three"]
            )
            assert (first, last) == (3, 5)
            assert isinstance(bad, Unanswered)
            assert "no usable answer in 3 tries; the last: " in str(bad)
            bill = asked.bill()
    assert len(mock.asked) == 5
    assert bill.answers == (5 if kind in PAID and kind != "slow" else 2)
    assert bill.unsettled == (3 if kind in ("500", "closed", "slow", "html", "torn") else 0)
    assert bill.money == mock.cost(ids(tmp_path))


def test_what_failed_is_asked_again_in_the_next_run_and_what_succeeded_is_not(mock: Mock, tmp_path: Path):
    plain = mock.reply
    mock.reply = lambda asked: (
        "What a question!" if "bad" in asked["messages"][-1]["content"] else plain(asked)
    )
    for run in (1, 2):
        with endpoint(mock, tmp_path, retries=2) as asked:
            assert asked.ask(question("good"), length) == 4
            for _ in range(2):  # in one run it is done once
                with pytest.raises(Unanswered, match="3 tries; the last: Expecting value"):
                    asked.ask(question("bad"), length)
        assert len(mock.asked) == 1 + 3 * run
    mock.reply = plain
    for _ in range(2):
        with endpoint(mock, tmp_path, retries=2) as asked:
            assert [asked.ask(question(text), length) for text in ("good", "bad")] == [4, 3]
            assert asked.bill().money == mock.cost(ids(tmp_path)) == mock.cost(set(mock.charged))
    assert len(mock.asked) == 8


def test_a_next_run_asks_again_within_the_budget_alone(mock: Mock, tmp_path: Path):
    mock.reply = lambda asked: "What a question!"
    with endpoint(mock, tmp_path, retries=0) as asked:
        with pytest.raises(Unanswered, match="1 tries"):
            asked.ask(question(), length)
        paid = asked.bill()
    spent = replace(TERMS, tokens=paid.prompt_tokens + paid.answer_tokens + sum(question().most()) - 1)
    with endpoint(mock, tmp_path, terms=spent) as asked, pytest.raises(OverBudget):
        asked.ask(question(), length)
    assert len(mock.asked) == 1


def test_an_unanswered_of_the_check_ends_the_tries_of_this_run(mock: Mock, tmp_path: Path):
    def never(text: str) -> int:
        raise Unanswered("it falls short")

    for run in (1, 2):
        with endpoint(mock, tmp_path) as asked:
            for _ in range(2):
                with pytest.raises(Unanswered, match="it falls short"):
                    asked.ask(question(), never)
        assert len(mock.asked) == run


def test_a_fifth_of_faults_loses_nothing_and_the_cost_is_exact(mock: Mock, tmp_path: Path):
    mock.faults, mock.seed = 0.2, 3
    texts = ["x" * size for size in range(1, 101)]
    with endpoint(mock, tmp_path, threads=8, timeout=1.0) as asked:
        assert list(asked.map(lambda text: asked.ask(question(text), length), texts)) == list(range(1, 101))
        bill = asked.bill()
    kinds = Counter(kind for kind, *_ in mock.charged.values())
    assert kinds["good"] == 100
    assert bill.answers == sum(count for kind, count in kinds.items() if kind != "slow")
    assert bill.money == mock.cost(
        set(mock.charged) - {one for one, row in mock.charged.items() if row[0] == "slow"}
    )
    assert bill.unsettled >= kinds["slow"]
    assert mock.most_at_once <= 8


def test_a_refused_request_is_not_tried_again(mock: Mock):
    with endpoint(mock) as asked, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Handler, "act", lambda self, *_: self.send(400, b'{"error": {"message": "too long\\u001b[2J"}}')
        )
        with pytest.raises(Unanswered, match=r"1 tries; the last: '400 Bad Request': too long \[2J$"):
            asked.ask(question(), length)
    assert len(mock.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "free"),
    [
        (203, {}, False), (400, {}, False), (408, {}, False), (413, {}, True), (422, {}, True), (429, {}, True),
        (500, {}, False), (502, {}, False), (503, {}, False), (503, {"Retry-After": "0"}, True),
        (504, {"Retry-After": "0"}, False),
    ],
)  # fmt: skip
def test_a_refusal_that_may_have_been_charged_is_held_against_the_budget(
    mock: Mock, monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], free: bool
):
    """A gateway may lose an answer that the server behind it made, and charged."""
    mock.headers = headers
    monkeypatch.setattr(Handler, "act", lambda self, *_: self.send(status, b""))
    worst = TERMS.cost(*question().most())
    with endpoint(mock, retries=1, terms=replace(TERMS, money=worst)) as asked:
        with pytest.raises(Unanswered) as failed:
            asked.ask(question(), length)
        bill = asked.bill()
    assert (bill.unsettled, bill.unsettled_money) == ((0, 0.0) if free else (1, worst))
    heals = status not in (203, 400, 413, 422)
    assert isinstance(failed.value, OverBudget) == (heals and not free)
    assert f"'{status} " in str(failed.value)  # what the server said is told, not the budget alone
    assert len(mock.asked) == (2 if heals and free else 1)


def refuse(self: Handler, _: str, number: int, body: bytes) -> None:
    """Answer as a server that wants things otherwise, and refuses what speaks of bad things."""
    asked = json.loads(body)
    if odd := next((one for one in ("max_tokens", "temperature", "response_format") if one in asked), ""):
        self.send(400, json.dumps({"error": {"message": f"Unsupported parameter: '{odd}'"}}).encode())
    elif "bad" in asked["messages"][-1]["content"]:
        self.send(400, b'{"error": {"message": "filtered"}}')
    else:
        self.send(200, self.completion("good", number, body))


OTHERWISE = Dialect("max_completion_tokens", ("temperature", "response_format"))


def test_a_server_that_refuses_every_request_alike_ends_the_job_with_what_can_be_set(
    mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Handler, "act", refuse)
    texts = list(map(str, range(40)))
    said = (
        r"first 3 requests alike: '400 Bad Request': Unsupported parameter: 'max_tokens'\. "
        r".*--limit-name max_completion_tokens.*--leave-out"
    )
    with endpoint(mock, tmp_path, threads=1) as asked, pytest.raises(FetchError, match=said):
        list(asked.map(lambda text: asked.ask(question(text), length), texts))
    assert len(mock.asked) == 3
    with endpoint(mock, tmp_path, dialect=OTHERWISE) as asked:
        assert list(asked.map(lambda text: asked.ask(question(text), length), texts)) == [1] * 10 + [2] * 30
    assert {*mock.asked[-1]} == {"path", "model", "messages", "max_completion_tokens"}
    assert mock.asked[-1]["max_completion_tokens"] == 50


def test_refusals_of_texts_end_no_job(mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Handler, "act", refuse)
    texts = [
        *(f"bad {number}" for number in range(5)),
        "good",
    ]  # five questions of one text, say, and another's
    for _ in range(2):  # the second run asks for those that are refused alone
        with endpoint(mock, tmp_path, dialect=OTHERWISE) as asked:
            *refused, last = asked.map(lambda text: asked.ask(question(text), length), texts)
        assert last == 4
        assert all(isinstance(one, Unanswered) and "filtered" in str(one) for one in refused)
    assert len(mock.asked) == 11


def test_refusals_that_differ_end_no_job(mock: Mock, monkeypatch: pytest.MonkeyPatch):
    def act(self: Handler, _: str, number: int, body: bytes) -> None:
        self.send(400, json.dumps({"error": f"{5_000 + number} tokens are too long"}).encode())

    monkeypatch.setattr(Handler, "act", act)
    with endpoint(mock) as asked:
        made = list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(6))))
    assert all(isinstance(one, Unanswered) for one in made)


def test_a_dialect_names_what_there_is():
    with pytest.raises(PlanError, match="limit name 'max': expected max_tokens or max_completion_tokens"):
        Dialect("max")
    with pytest.raises(
        PlanError, match="'model' cannot be left out: expected temperature or response_format"
    ):
        Dialect(leave_out=("model",))


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "PALATE_ENDPOINT_KEY"), (402, "account"), (403, "PALATE_ENDPOINT_KEY"), (404, "model's name")],
)
def test_what_cannot_heal_stops_the_job_at_once_and_says_what_to_do(mock: Mock, status: int, said: str):
    with endpoint(mock, threads=2) as asked, pytest.MonkeyPatch.context() as patch:
        content = json.dumps({"error": {"message": f"wrong key {KEY}"}}).encode()
        patch.setattr(Handler, "act", lambda self, *_: self.send(status, content))
        with pytest.raises(FetchError, match=said) as error:
            list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(50))))
        assert asked.bill().unsettled == 0
    assert str(status) in str(error.value)
    assert KEY not in str(error.value)
    assert len(mock.asked) <= 4


def test_a_quota_that_is_used_up_is_no_reason_to_wait(mock: Mock):
    with endpoint(mock) as asked, pytest.MonkeyPatch.context() as patch:
        content = b'{"error": {"message": "pay", "code": "insufficient_quota"}}'
        patch.setattr(Handler, "act", lambda self, *_: self.send(429, content))
        with pytest.raises(FetchError, match="account"):
            asked.ask(question(), length)


def test_no_redirect_is_followed(mock: Mock):
    mock.headers = {"Location": "http://198.51.100.1/v1/chat/completions"}
    with endpoint(mock) as asked, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "act", lambda self, *_: self.send(307, b""))
        with pytest.raises(FetchError, match=r"sends on to http://198\.51\.100\.1.* no redirect is followed"):
            asked.ask(question(), length)
    assert len(mock.asked) == 1


def test_an_address_where_nobody_listens_ends_the_job(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with Endpoint(url, "tiny", folder=tmp_path, retries=2, backoff=0.001) as asked:
        with pytest.raises(FetchError, match=r"cannot be reached.*Start the server"):
            asked.ask(question(), length)
        assert asked.bill().unsettled == 0


def test_the_server_is_left_alone_for_as_long_as_it_asks(mock: Mock):
    mock.headers = {"Retry-After": "0.15"}
    asked_at: list[float] = []
    plain = Handler.act

    def act(self: Handler, _: str, number: int, body: bytes) -> None:
        asked_at.append(time.monotonic())
        plain(self, "good" if number else "429", number, body)

    with endpoint(mock) as asked, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "act", act)
        asked.ask(question(), length)
    assert asked_at[1] - asked_at[0] >= 0.15


def test_a_retry_after_is_a_number_or_a_date_and_has_a_limit():
    soon = email.utils.format_datetime(email.utils.localtime().fromtimestamp(time.time() + 20).astimezone())
    assert 15 < wiring.seconds(soon) <= 20
    assert wiring.seconds("1e9") == wiring.PATIENCE
    assert [wiring.seconds(odd) for odd in (None, "", "-5", "inf", "nan", "soon", "Mon, 99")] == [
        0, 0, 0, wiring.PATIENCE, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "piece", "pause", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0, "more than 1 MB"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" ", 0.01, "no whole answer in 0.2 seconds"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.01, "no whole answer in 0.2 seconds"),
        (b"", b"H", 0.01, "no whole answer in 0.2 seconds"),
    ],
)
def test_an_endless_answer_is_given_up_by_size_and_by_time(
    mock: Mock, monkeypatch: pytest.MonkeyPatch, start: bytes, piece: bytes, pause: float, reason: str
):
    def endless(self: Handler, *_: object) -> None:
        self.wfile.write(start)
        while True:
            self.wfile.write(piece)
            time.sleep(pause)

    monkeypatch.setattr(wiring, "LARGEST", 1 << 20)
    monkeypatch.setattr(Handler, "act", endless)
    timeout = 0.2 if pause else 5
    with endpoint(mock, retries=0, timeout=timeout) as asked, pytest.raises(Unanswered, match=reason):
        asked.ask(question(), length)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"null",
        b'{"choices": 3}',
        b'{"choices": [[]]}',
        b"\xff\xfe",
        b"1" * 5000,
        b'{"usage": []}',
    ],
)
def test_hostile_answers_are_faults_and_no_more(mock: Mock, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setattr(Handler, "act", lambda self, *_: self.send(200, content))
    with endpoint(mock, retries=0) as asked, pytest.raises(Unanswered):
        asked.ask(question(), length)


def test_an_answer_without_usage_is_counted_with_its_worst_case(mock: Mock, monkeypatch: pytest.MonkeyPatch):
    content = json.dumps({"choices": [{"message": {"content": '{"length": 1, "odd": "\\ud800"}'}}]}).encode()
    monkeypatch.setattr(Handler, "act", lambda self, *_: self.send(200, content))
    with endpoint(mock) as asked:
        assert asked.ask(question(), length) == 1
        bill = asked.bill()
    assert (bill.assumed, bill.prompt_tokens, bill.answer_tokens) == (1, *question().most())
    assert "worst case" in bill.words()


def test_the_budget_is_never_passed_and_what_fits_is_done(mock: Mock, tmp_path: Path):
    mock.takes = 0.01
    most = sum(question("0").most())
    with endpoint(mock, tmp_path, threads=8, terms=replace(TERMS, tokens=most + 40)) as asked:
        made = list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(10))))
        bill = asked.bill()
    done = [one for one in made if one == 1]
    assert 1 < len(done) < 10
    assert all(isinstance(one, OverBudget) for one in made if one != 1)
    assert bill.prompt_tokens + bill.answer_tokens <= most + 40
    assert mock.most_at_once == 1  # two worst cases would not have fitted
    with endpoint(mock, tmp_path, terms=replace(TERMS, tokens=10 * most)) as more:
        assert list(more.map(lambda text: more.ask(question(text), length), map(str, range(10)))) == [1] * 10
    assert len(mock.asked) == 10


def test_a_budget_in_money_counts_what_may_have_been_charged(mock: Mock, tmp_path: Path):
    worst = TERMS.cost(*question("0").most())
    assert worst is not None
    mock.faults, mock.kinds = 1.0, ("closed",)
    terms = replace(TERMS, money=1.5 * worst)
    with endpoint(mock, tmp_path, terms=terms) as asked:
        with pytest.raises(OverBudget, match="Raise the budget"):
            asked.ask(question("0"), length)
        bill = asked.bill()
        assert (bill.answers, bill.money, bill.unsettled, bill.unsettled_money) == (0, 0, 1, worst)
        assert "may have been charged" in bill.words()
    with endpoint(mock, tmp_path, terms=terms) as again, pytest.raises(OverBudget):
        again.ask(question("0"), length)
    assert len(mock.asked) == 1


def test_a_dry_run_prices_the_job_without_a_socket(
    mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with endpoint(mock, tmp_path) as asked:
        asked.ask(question("one"), length)
        monkeypatch.setattr(socket, "socket", None)
        monkeypatch.setattr(socket, "create_connection", None)
        price = asked.price((question(text), length) for text in ("one", "two", "two", "three"))
    prompt = sum(question(text).most()[0] for text in ("two", "three"))
    assert (price.requests, price.cached) == (3, 1)
    assert price.most_tokens == prompt + 100
    assert price.most_money == TERMS.cost(prompt, 100)
    assert len(mock.asked) == 1


def test_a_line_that_a_kill_tore_is_dropped_and_asked_again(mock: Mock, tmp_path: Path):
    with endpoint(mock, tmp_path) as asked:
        asked.ask(question("one"), length)
        asked.ask(question("two"), length)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    with endpoint(mock, tmp_path) as again:
        assert again.bill().unsettled == 1
        assert [again.ask(question(text), length) for text in ("one", "two")] == [3, 3]
        assert again.bill().answers == 2
    assert len(mock.asked) == 3
    assert path.read_bytes().endswith(b"}\n")


def test_a_foreign_line_another_model_or_a_second_process_is_refused(mock: Mock, tmp_path: Path):
    with endpoint(mock, tmp_path) as asked:
        asked.ask(question(), length)
        with pytest.raises(DataError, match="another process"):
            endpoint(mock, tmp_path)
    with pytest.raises(PlanError, match=r"'model': 'tiny'.*Give another folder"):
        Endpoint(mock.url, "large", folder=tmp_path)
    path = tmp_path / "answers.jsonl"
    whole = path.read_bytes()
    for odd, said in ((b"[1]\n", "line 4 is not"), (b'{"kind": "answer"}\n', "no line of a ledger")):
        path.write_bytes(whole + odd)
        with pytest.raises(DataError, match=said):
            endpoint(mock, tmp_path)
    path.write_bytes(whole)
    endpoint(mock, tmp_path).close()  # what was refused holds no lock


@pytest.mark.parametrize(
    "content", [b"my notes", b"{", b'{"palate": "answers 2", "endpoint": "other"', b"\0" * 9]
)
def test_a_file_that_is_none_of_ours_is_left_as_it_is(mock: Mock, tmp_path: Path, content: bytes):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)
    if content == b"{":  # what a kill leaves of a first line
        endpoint(mock, tmp_path).close()
        assert path.read_bytes() == b""
        return
    with pytest.raises(DataError, match=r"answers\.jsonl: its last line, b.*is none that Palate writes"):
        endpoint(mock, tmp_path)
    assert path.read_bytes() == content


def test_a_foreign_end_of_a_ledger_is_left_as_it_is(mock: Mock, tmp_path: Path):
    with endpoint(mock, tmp_path) as asked:
        asked.ask(question(), length)
    path = tmp_path / "answers.jsonl"
    whole = path.read_bytes() + b"my notes"
    path.write_bytes(whole)
    with pytest.raises(DataError, match="its last line, b'my notes'"):
        endpoint(mock, tmp_path)
    assert path.read_bytes() == whole


def test_a_full_disk_stops_the_job_before_more_is_paid(mock: Mock, tmp_path: Path):
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with endpoint(mock, tmp_path, threads=1) as asked:
        asked.ask(question("first"), length)
        lines = asked._ledger.journal._lines
        assert lines is not None
        assert lines._file is not None
        lines._file.close()
        lines._file = Full()
        with pytest.raises(DataError, match=r"No space left on device.*Make room"):
            list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(20))))
    assert len(mock.asked) == 1
    assert len(ids(tmp_path)) == 1


def test_an_answer_is_on_the_disk_before_it_is_used(
    mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("on the disk"))

    def check(text: str) -> int:
        done.append("used")
        return length(text)

    with endpoint(mock, tmp_path) as asked:
        asked.ask(question(), check)
    assert done == ["on the disk", "used"]


def test_the_key_is_neither_written_nor_shown_even_where_the_server_repeats_it(mock: Mock, tmp_path: Path):
    mock.reply = lambda asked: f'{{"length": 5, "key": "{KEY}"}}'
    with endpoint(mock, tmp_path, retries=0) as asked:
        assert asked.ask(question(), length) == 5
        assert KEY not in repr(asked)
        mock.reply = lambda asked: KEY
        with pytest.raises(Unanswered) as error:
            asked.ask(question("again"), length)
    assert KEY not in str(error.value)
    written = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert written
    assert all(KEY.encode() not in one.read_bytes() for one in written)


def test_tls_is_verified():
    context = wiring.Wire("https://example.org/v1", 1.0, plain_http=False)._context
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_without_a_key_none_is_sent_and_an_odd_one_is_refused_unseen(
    mock: Mock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PALATE_ENDPOINT_KEY")
    with endpoint(mock) as asked:
        asked.ask(question(), length)
    assert "Authorization" not in mock.heads[0]
    monkeypatch.setenv("PALATE_ENDPOINT_KEY", "secret\r\nX-Other: 1")
    with pytest.raises(PlanError, match="PALATE_ENDPOINT_KEY") as error:
        endpoint(mock)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/v1", "not encrypted"),
        ("http://127.0.0.1.example.org/v1", "not encrypted"),
        ("https://me:pass@example.org/v1", "PALATE_ENDPOINT_KEY"),
        ("http://127.0.0.1:1@example.org/v1", "PALATE_ENDPOINT_KEY"),
        ("file:///etc/passwd", "no http address"),
        ("127.0.0.1:8000", "no http address"),
        ("https://example.org/v1?key=1", "more than a path"),
        ("https://[::1/v1", "no address"),
        ("https://example.org:99999/v1", "no address"),
    ],
)
def test_an_address_that_must_not_be_used_is_refused(url: str, said: str):
    with pytest.raises(PlanError, match=said) as error:
        Endpoint(url, "tiny")
    assert "pass@" not in str(error.value)


def test_an_address_may_be_written_in_several_ways():
    for url in ("https://h.org/v1", "https://h.org/v1/", "https://h.org/v1/chat/completions"):
        assert wiring.address(url, False) == (True, "h.org", None, "/v1/chat/completions")
    for url in ("http://localhost:1/v1", "http://[::1]:1/v1", "http://127.9.9.9:1/v1"):
        assert wiring.address(url, False)[0] is False
    assert wiring.address("http://gpu-box:8000/v1", True)[1] == "gpu-box"


@pytest.mark.parametrize(
    "settings",
    [
        {"threads": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}, {"terms": Terms(tokens=-1)},
        {"terms": Terms(money=1.0)}, {"terms": Terms(1.0, None, money=1.0)},
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_right_is_refused(settings: dict[str, Any]):
    with pytest.raises(PlanError):
        Endpoint("http://127.0.0.1:1/v1", "tiny", **settings)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_what_is_on_its_way_and_asks_nothing_more(mock: Mock, tmp_path: Path):
    mock.takes = 0.1

    def interrupt() -> None:
        while len(mock.asked) < 6:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    with endpoint(mock, tmp_path, threads=4) as asked:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(400))))
        bill = asked.bill()
        assert bill.answers == len(mock.asked) == len(mock.charged) < 20
        assert bill.unsettled == 0
        assert asked.ask(question("later"), length) == 5  # it is of use again


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_waits_for_no_slow_answer_and_names_what_may_have_been_charged(
    mock: Mock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "_GRACE", 0.05)
    mock.takes = 4

    def interrupt() -> None:
        while len(mock.asked) < 2:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    with endpoint(mock, threads=2, timeout=60) as asked:
        threading.Thread(target=interrupt).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            list(asked.map(lambda text: asked.ask(question(text), length), map(str, range(9))))
        assert time.monotonic() - start < 3.5
        assert (asked.bill().answers, asked.bill().unsettled) == (0, 2)


def test_a_loop_that_is_left_asks_nothing_more(mock: Mock):
    with endpoint(mock, threads=2) as asked:
        for made in asked.map(lambda text: asked.ask(question(text), length), map(str, range(100))):
            assert made == 1
            break
        assert len(mock.asked) < 20
    assert threading.active_count() < 10


def test_a_journal_without_a_path_keeps_nothing():
    journal = Journal(None, {})
    journal.add({"a": 1})
    journal.close()
    assert journal.rows == []
