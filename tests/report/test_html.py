"""The report: the result's numbers, nothing loaded, nothing run, every text escaped."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from palate.evaluation.result import Measured, Result
from palate.report.html import figure, render
from palate.report.words import headline, sentences

HOSTILE = "<script>alert('x')</script>\"&"
LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background", "ping"}
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects tags, what they refer to, and the text; complains of tags that do not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.refers: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.refers += [value or "" for key, value in attrs if key in LOADING]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Page(page).words))


def with_name_everywhere(result: Result, name: str) -> Result:
    """Put a name into every text of a result that comes from data, plan or files."""

    def put(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {k: put(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [put(part, key) for part in value]
        free = key in {
            "name",
            "history",
            "licence",
            "source",
            "notes",
            "warnings",
            "words",
            "weakness",
            "user",
        }
        free |= key in {"platform", "date", "fingerprint", "at", "first", "last"}
        return name if isinstance(value, str) and free else value

    content = json.loads(result.to_json())
    for model in content["models"]:
        model["params"] = {"path": name}
    return Result.model_validate(put(content))


def test_the_page_parses_and_refers_to_nothing(result: Result) -> None:
    page = Page(render(result))
    assert [refers for refers in page.refers if refers] == ["data:,"]
    assert not {"script", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    css = "".join(page.words)
    assert "url(" not in css
    assert "@import" not in css


def test_the_page_forbids_by_policy_what_it_does_not_do(result: Result) -> None:
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" in render(result)


def test_hostile_names_are_text_and_not_tags(result: Result) -> None:
    hostile = with_name_everywhere(result, HOSTILE)
    page = render(hostile)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 20
    assert Page(page).tags == Page(render(result)).tags


def test_every_figure_of_the_board_is_the_results(result: Result) -> None:
    page = render(result)
    board = Page(
        page[page.index('id="board"') : page.index("</table>")]
        .partition(">")[2]
        .replace('<div class="scroll">', "")
        .replace("<table>", "")
    ).words
    cells = {cell.strip() for cell in board}
    for model in result.models:
        assert model.label in cells
        for key in ("ndcg@10", "map@10", "recall@10"):
            measured = model.metrics[key]
            assert figure(measured.mean) in cells
            assert measured.ci95 is not None
            assert f"{figure(measured.ci95[0])}\u2013{figure(measured.ci95[1])}" in cells
        assert f"{model.seconds.fit:.2f}" in cells


def test_the_page_tells_all_that_the_issue_asks(result: Result) -> None:
    told = text_of(render(result))
    assert headline(result) in told
    for said in sentences(result):
        assert said in told
    for fact in (
        result.split.words,
        result.split.weakness,
        result.data.licence,
        result.data.source,
        result.data.fingerprint,
        *result.data.warnings,
        *result.notes,
        "386,326 interactions of 4,334 users with 3,659 items",
        "leave the truth",
        "ranks the whole catalogue",
        "WHITE HANGING HEART T-LIGHT HOLDER 1",
        "RED HANGING HEART T-LIGHT HOLDER (41 %)",
        "All 15 paired comparisons",
    ):
        assert fact in told


def test_the_plan_on_the_page_is_the_plan_that_ran(result: Result) -> None:
    page = render(result)
    shown = page[page.index("<pre>") + 5 : page.index("</pre>")]
    plain = shown.replace("&#34;", '"').replace("&lt;", "<").replace("&amp;", "&")
    assert tomllib.loads(plain) == result.plan


def test_every_chart_is_there(result: Result) -> None:
    titles = re.findall(r'role="img" aria-label="([^"]*)"', render(result))
    assert len(titles) == 9
    assert any("interval" in title for title in titles)
    assert any("CPU seconds" in title for title in titles)
    assert any("catalogue" in title for title in titles)


def test_a_result_of_one_model_and_nothing_optional_is_a_page_too(result: Result) -> None:
    bare = result.model_copy(
        update={
            "models": [
                result.models[3].model_copy(update={"metrics": {"ndcg@10": Measured(mean=None, n=0)}})
            ],
            "comparisons": [],
            "slices": [],
            "long_tail": [],
            "examples": [],
            "by_time": None,
            "split": result.split.model_copy(update={"timeline": []}),
            "data": result.data.model_copy(update={"description": {}}),
        }
    )
    assert "sar reaches - nDCG@10" in text_of(render(bare))


def test_a_real_browser_asks_for_the_page_and_nothing_else(result: Result, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser on this machine")
    asked: list[str] = []

    class Server(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append(self.path)

    (tmp_path / "report.html").write_text(render(with_name_everywhere(result, HOSTILE)), encoding="utf-8")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Server, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/report.html"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        shown = subprocess.run(
            [browser, *flags, "--virtual-time-budget=2000", "--dump-dom", address],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert asked == ["/report.html"]
    assert "Leaderboard" in shown.stdout
