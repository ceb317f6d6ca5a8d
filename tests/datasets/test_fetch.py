"""Getting named data: where it is looked for, checksums, going on after an interruption, and no network.

The publisher is a server on this machine's loopback address; nothing leaves it.
"""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from palate import datasets
from palate.datasets import fetch as fetching
from palate.datasets import movielens
from palate.datasets.fetch import Remote, fetch
from palate.errors import FetchError

CONTENT = bytes(range(256)) * 4_000
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT under any path; can stop in the middle, ignore ranges, or fail."""

    breaks_after: ClassVar[int | None] = None
    ranges: ClassVar[bool] = True
    status: ClassVar[int] = 200
    md5: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        asked_range = self.headers.get("Range", "")
        type(self).asked.append(asked_range)
        if self.path.endswith(".md5"):
            self.answer(200, self.md5.encode())
            return
        if self.status != 200:
            self.answer(self.status, b"")
            return
        start = int(asked_range[6:-1]) if asked_range and self.ranges else 0
        if start >= len(CONTENT):
            self.answer(416, b"")
            return
        self.answer(206 if start else 200, CONTENT[start:], self.breaks_after)

    def answer(self, status: int, body: bytes, breaks_after: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:breaks_after])

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PALATE_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def remote(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    for name, value in (("breaks_after", None), ("ranges", True), ("status", 200), ("asked", [])):
        monkeypatch.setattr(Publisher, name, value)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/big.bin"
    yield Remote("big.bin", url, "1 MB", "CC0 for the test", CHECKSUM)
    server.shutdown()
    server.server_close()
    thread.join()


def files(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_download_is_whole_and_shows_its_licence(
    remote: Remote, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(remote).read_bytes() == CONTENT
    assert files(cache) == ["big.bin"]
    said = capsys.readouterr().err
    assert "CC0 for the test" in said
    assert "no published checksum" not in said


def test_what_is_in_the_cache_is_not_asked_for_again(remote: Remote) -> None:
    assert fetch(remote) == fetch(remote)
    assert fetch(remote, offline=True).read_bytes() == CONTENT
    assert len(Publisher.asked) == 1


def test_a_progress_bar_goes_to_standard_error(remote: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(remote, progress=True)
    shown = capsys.readouterr()
    assert "big.bin" in shown.err
    assert shown.out == ""


def test_a_wrong_checksum_is_refused_and_leaves_nothing(remote: Remote, cache: Path) -> None:
    wrong = replace(remote, checksum="md5:" + "0" * 32)
    with pytest.raises(FetchError, match="another checksum"):
        fetch(wrong)
    assert files(cache) == []


def test_an_interrupted_download_is_no_file_and_goes_on_next_time(
    remote: Remote, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "breaks_after", 300_000)
    with pytest.raises(FetchError, match="ended after 300,000 of 1,024,000"):
        fetch(remote)
    assert files(cache) == ["big.bin.part"]
    monkeypatch.setattr(Publisher, "breaks_after", None)
    assert fetch(remote).read_bytes() == CONTENT
    assert Publisher.asked == ["", "bytes=300000-"]
    assert files(cache) == ["big.bin"]


def test_a_server_without_ranges_sends_all_of_it_again(
    remote: Remote, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    (cache / "big.bin.part").write_bytes(CONTENT[:1_000])
    monkeypatch.setattr(Publisher, "ranges", False)
    assert fetch(remote).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away_and_fetched_anew(remote: Remote, cache: Path) -> None:
    cache.mkdir()
    (cache / "big.bin.part").write_bytes(b"something else")
    assert fetch(remote).read_bytes() == CONTENT


def test_a_part_that_was_whole_already_only_takes_its_name(remote: Remote, cache: Path) -> None:
    cache.mkdir()
    (cache / "big.bin.part").write_bytes(CONTENT)
    assert fetch(remote).read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_joined_and_the_user_is_told(
    remote: Remote, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir()
    (cache / "big.bin.part").write_bytes(b"something else")
    assert fetch(replace(remote, checksum=None)).read_bytes() == CONTENT
    assert Publisher.asked == [""]
    assert "big.bin: no published checksum" in capsys.readouterr().err


def test_the_publishers_present_md5_is_asked_for_where_the_file_changes(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = replace(remote, checksum=None, checksum_url=f"{remote.url}.md5")
    monkeypatch.setattr(Publisher, "md5", f"MD5 (big.bin) = {'0' * 32}")
    with pytest.raises(FetchError, match="another checksum"):
        fetch(beside)
    monkeypatch.setattr(
        Publisher, "md5", hashlib.md5(CONTENT, usedforsecurity=False).hexdigest() + "  big.bin"
    )
    assert fetch(beside).read_bytes() == CONTENT


def test_an_answer_of_not_found_says_where_to_get_and_put_the_file(
    remote: Remote, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "status", 404)
    with pytest.raises(FetchError, match="404") as error:
        fetch(remote)
    assert remote.url in str(error.value)
    assert str(cache) in str(error.value)
    assert files(cache) == []


def test_no_network_fails_fast_and_says_where_to_get_and_put_the_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/ml-100k.zip"
    start = time.monotonic()
    with pytest.raises(FetchError) as error:
        fetch(Remote("ml-100k.zip", url, "5 MB", "GroupLens", CHECKSUM))
    assert time.monotonic() - start < 5
    for words in ("ml-100k.zip", "no network", url, str(cache)):
        assert words in str(error.value)


def test_a_host_without_a_name_is_told_as_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchError, match="no network") as error:
        datasets.load("movielens-100k")
    assert "https://files.grouplens.org/datasets/movielens/ml-100k.zip" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_server_that_says_nothing_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        with pytest.raises(FetchError, match="no answer"):
            fetch(Remote("a.zip", url, "5 MB", "none"))


def test_offline_never_asks(remote: Remote) -> None:
    with pytest.raises(FetchError, match="offline"):
        fetch(remote, offline=True)
    assert Publisher.asked == []


def test_only_http_addresses_are_opened(cache: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(FetchError, match="no http address"):
        fetch(Remote("a.zip", secret.as_uri(), "1 B", "none"))


def test_the_users_folder_goes_before_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from official import official

    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "data"))
    for folder, rows in ((tmp_path / "data", 3), (cache, 5)):
        official("100k", folder / "ml-100k", rows=rows)
    assert len(datasets.load("movielens-100k").interactions) == 3
    monkeypatch.delenv("PALATE_DATA")
    assert len(datasets.load("movielens-100k").interactions) == 5
    present = {one.name: one.present for one in datasets.names()}
    assert present["movielens-100k"]
    assert not present["movielens-32m"]


def test_every_fixed_release_has_its_publishers_md5_and_the_changing_ones_ask_for_it() -> None:
    for release in movielens.RELEASES.values():
        changes = release.size.startswith("latest")
        assert (release.remote.checksum is None) == changes
        assert (release.remote.checksum_url is not None) == changes
        assert release.remote.url.startswith("https://files.grouplens.org/")
