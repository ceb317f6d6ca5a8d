"""Back-translation by a model: the form that is asked for, what is refused, and a job that is killed twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from palate.cli import text_build
from palate.errors import DataError, NotSupported, PlanError
from palate.text.backtranslate import EndpointBacktranslator, Instruction, LocalBacktranslator, build_with
from palate.text.backtranslate.prompts import draft, read_instruction, read_violations, violation
from palate.text.constraints.kind import NEGATION
from palate.text.corpus import Document
from palate.text.endpoint import Dialect, Endpoint, Terms, Unanswered
from palate.text.suri import Example, read, write
from tests.text.test_endpoint import Mock, serving

SWAPS = {"slowly": "quickly", "garden": "harbour", "letter": "parcel", "autumn": "spring", "laughs": "weeps"}
CONSTRAINTS = [f"Let person {place} walk {' '.join(SWAPS)} in scene {place}." for place in range(8)]


def document(number: int) -> Document:
    return Document(
        "Somebody", f"Chapter {number}", f"This is the tale of house number {number}. It was long ago."
    )


def asked_for(messages: list[dict[str, str]]) -> str:
    return messages[1]["content"]


def good(messages: list[dict[str, str]]) -> str:
    """What a good model answers: a goal with the document's number, or every swap made."""
    asked = asked_for(messages)
    if asked.startswith("<document>"):
        number = asked.partition("number ")[2].partition(".")[0]
        return json.dumps({"main": f"Write about house {number}.", "constraints": CONSTRAINTS})
    rows = [{"original": one, "new": swapped(one)} for one in asked.split("\n- ")[1:]]
    return f"```json\n{json.dumps({'constraints': rows})}\n```"


def swapped(constraint: str) -> str:
    for word, other in SWAPS.items():
        constraint = constraint.replace(word, other)
    return constraint


@pytest.fixture
def mock() -> Iterator[Mock]:
    with serving(Mock(lambda asked: good(asked["messages"]))) as one:
        yield one


def translator(mock: Mock, folder: Path | None = None, **settings: Any) -> EndpointBacktranslator:
    quick = {"timeout": 5.0, "backoff": 0.001, "retries": 9, "terms": Terms(3.0, 15.0)}
    return EndpointBacktranslator(
        Endpoint(mock.url, "tiny", folder=folder, **(quick | settings)), constraints=8
    )


@dataclass
class Local:
    """A model on this machine that says what it is told to, then the last of it again."""

    says: list[str]
    parameters: int = 7_000_000_000

    def __post_init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def generate(self, prompt: str, max_tokens: int) -> str:
        self.asked.append((prompt, max_tokens))
        return self.says[min(len(self.asked), len(self.says)) - 1]


def local(*says: object) -> tuple[LocalBacktranslator, Local]:
    model = Local([one if isinstance(one, str) else json.dumps(one) for one in says])
    return LocalBacktranslator(model, constraints=8), model


def test_documents_become_rows_in_the_published_schema_and_can_be_read_again(mock: Mock, tmp_path: Path):
    documents = [document(number) for number in range(3)]
    job = build_with(translator(mock), documents, tmp_path)
    examples = list(job)
    assert [one.id for one in examples] == [one.id for one in documents]
    assert (job.made, job.kept, job.failed) == (3, 0, [])
    assert job.words() == "3 of 3 documents back-translated."
    row = examples[2].row()
    assert row["main_ins"] == "Write about house 2."
    assert row["cons_chosen"] == "\n".join(f"- {one}" for one in CONSTRAINTS)
    assert row["cons_rejected"] == "\n".join(f"- {swapped(one)}" for one in CONSTRAINTS)
    assert row["answer"][0]["content"] == documents[2].text
    assert read(write(examples, tmp_path / "suri.jsonl")) == examples


def test_a_job_that_is_done_asks_nothing_when_it_is_started_again(mock: Mock, tmp_path: Path):
    documents = [document(number) for number in range(3)]
    first = list(build_with(translator(mock), documents, tmp_path))
    again = build_with(translator(mock), documents, tmp_path)
    assert list(again) == first
    assert (again.made, again.kept, len(mock.asked)) == (0, 3, 6)


def test_a_document_that_fails_is_named_and_the_others_go_on(mock: Mock, tmp_path: Path):
    mock.reply = lambda asked: (
        "Of course!" if "number 1." in asked_for(asked["messages"]) else good(asked["messages"])
    )
    documents = [document(number) for number in range(3)]
    job = build_with(translator(mock, retries=2), documents, tmp_path)
    assert [one.id for one in job] == [documents[0].id, documents[2].id]
    assert [one.id for one in job.failed] == [documents[1].id]
    assert job.failed[0].reason == "no usable answer in 3 tries; the last: no JSON object in it"
    assert "1 failed" in job.words()


def test_a_folder_of_another_model_or_with_another_line_is_refused(mock: Mock, tmp_path: Path):
    list(build_with(translator(mock), [document(0)], tmp_path))
    other = EndpointBacktranslator(Endpoint(mock.url, "large"))
    with pytest.raises(PlanError, match="Give another folder"):
        list(build_with(other, [document(0)], tmp_path))
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write('{"document": "x", "main": "y", "chosen": ["z"], "rejected": []}\n')
    with pytest.raises(DataError, match="is no pair"):
        list(build_with(translator(mock), [document(0)], tmp_path))


def test_the_price_of_a_job_is_an_upper_bound_before_and_nothing_after(mock: Mock, tmp_path: Path):
    documents = [document(number) for number in range(4)]
    before = translator(mock, tmp_path)
    price = before.price(documents)
    assert mock.asked == []
    assert (price.requests, price.cached) == (8, 0)
    list(build_with(before, documents[:2], None))
    half = before.price(documents)
    assert (half.requests, half.cached) == (8, 4)
    list(build_with(before, documents, None))
    bill, after = before._endpoint.bill(), before.price(documents)
    assert (after.requests, after.cached, after.most_tokens, after.most_money) == (8, 8, 0, 0.0)
    assert bill.money is not None
    assert price.most_money is not None
    assert bill.money < price.most_money
    before._endpoint.close()


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"constraints": [*CONSTRAINTS[:7], "Let her never come home."]}, "has the word 'never'"),
        ({"constraints": CONSTRAINTS[:3]}, "There are 3 constraints; about 8 were asked for."),
        ({"constraints": [*CONSTRAINTS, CONSTRAINTS[0].upper()]}, "Two constraints are the same."),
        ({"main": "Say: this is the tale of house number 5!"}, "This quotes the document"),
    ],
)
def test_an_instruction_that_falls_short_is_complained_of_once_and_then_reported(
    odd: dict[str, Any], said: str
):
    right = {"main": "Write about house 5.", "constraints": CONSTRAINTS}
    mends, model = local(right | odd, right)
    assert mends.instruction(document(5).text) == Instruction("Write about house 5.", tuple(CONSTRAINTS))
    assert said in model.asked[1][0]
    assert model.asked[1][0].startswith(model.asked[0][0])
    stays, model = local(right | odd)
    with pytest.raises(Unanswered, match="also after a complaint"):
        stays.instruction(document(5).text)
    assert len(model.asked) == 2


def rows(*new: str, originals: tuple[str, ...] = tuple(CONSTRAINTS)) -> dict[str, Any]:
    return {"constraints": [{"original": one, "new": two} for one, two in zip(originals, new, strict=True)]}


RIGHT = tuple(map(swapped, CONSTRAINTS))


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (rows(*RIGHT[:7], RIGHT[7].replace("quickly", "without haste")), "has the word 'without'"),
        (rows(*RIGHT[:7], RIGHT[7].replace("walk", "don't walk")), "has the word"),
        (rows(*RIGHT[:7], f"  {CONSTRAINTS[7].upper()}  "), "This is unchanged"),
        (rows(*RIGHT[:7], "Sing of ships."), "changes more than it must"),
        (rows(*RIGHT[:7], originals=tuple(CONSTRAINTS[:7])), "must be the 8 given"),
        (rows(*RIGHT, originals=tuple(CONSTRAINTS[::-1])), "must be the 8 given"),
    ],
)
def test_violations_that_fall_short_are_complained_of_once_and_then_reported(odd: dict[str, Any], said: str):
    instruction = Instruction("Write about a house.", tuple(CONSTRAINTS))
    mends, model = local(odd, rows(*RIGHT))
    assert mends.violated(instruction) == RIGHT
    assert said in model.asked[1][0]
    stays, _ = local(odd)
    with pytest.raises(Unanswered, match="also after a complaint"):
        stays.violated(instruction)


def test_the_complaint_is_paid_once_too(mock: Mock, tmp_path: Path):
    def reply(asked: dict[str, Any]) -> str:
        answer = good(asked["messages"])
        return answer if len(asked["messages"]) > 2 else answer.replace("Let person 0", "Let nobody")

    mock.reply = reply
    asking = translator(mock, tmp_path)
    for _ in range(2):
        assert [one.goal for one in build_with(asking, [document(0)], None)] == ["Write about house 0."]
    asking._endpoint.close()
    assert len(mock.asked) == 4
    said = mock.asked[1]["messages"]
    assert [message["role"] for message in said] == ["system", "user", "assistant", "user"]
    assert "has the word 'nobody'" in said[3]["content"]


@pytest.mark.parametrize("place", ["draft", "violation"])
def test_what_falls_short_is_asked_again_once_in_the_next_run(mock: Mock, tmp_path: Path, place: str):
    def falls_short(asked: dict[str, Any]) -> str:
        answer = good(asked["messages"])
        if asked_for(asked["messages"]).startswith("<document>"):
            bad, word = "number 1." in asked_for(asked["messages"]), "Let person 0"
        else:
            bad, word = "house 1." in asked_for(asked["messages"]), '"new": "Let person 0'
        here = asked_for(asked["messages"]).startswith("<document>") == (place == "draft")
        return answer.replace(word, word.replace("person", "nobody")) if bad and here else answer

    mock.reply = falls_short
    documents = [document(number) for number in range(3)]
    counts = []
    for able in (False, False, True, True):
        if able:
            mock.reply = lambda asked: good(asked["messages"])
        asking = translator(mock, tmp_path)
        price = asking.price(documents)
        before = len(mock.asked)
        job = build_with(asking, documents, tmp_path)
        assert len(list(job)) == (3 if able else 2)
        if not able:
            assert [one.id for one in job.failed] == [documents[1].id]
            assert "falls short, also after a complaint" in job.failed[0].reason
        asking._endpoint.close()
        counts.append((price.requests - price.cached, len(mock.asked) - before))
    # (priced, asked): all; then the one answer that fell short, and what comes after it; never what was good.
    if place == "draft":
        assert counts == [(6, 6), (2, 1), (2, 2), (0, 0)]
    else:
        assert counts == [(6, 7), (1, 1), (1, 1), (0, 0)]


def test_a_document_that_a_local_model_cannot_read_fails_alone():
    answers = [json.dumps({"main": "Write.", "constraints": CONSTRAINTS}), json.dumps(rows(*RIGHT))]
    able, model = local(*answers)
    plain = model.generate

    def generate(prompt: str, max_tokens: int) -> str:
        if "number 0." in prompt:
            raise DataError("the request is 2,150 tokens, and m reads 2,048: shorten it.")
        return plain(prompt, max_tokens)

    model.generate = generate  # type: ignore[method-assign]
    job = build_with(able, [document(0), document(1)], None)
    assert [one.id for one in job] == [document(1).id]
    assert [(one.id, one.reason) for one in job.failed] == [
        (document(0).id, "the request is 2,150 tokens, and m reads 2,048: shorten it.")
    ]


def test_instructions_of_the_servers_own_temperature_say_so(mock: Mock):
    asking = translator(mock, dialect=Dialect(leave_out=("temperature",)))
    assert asking.name == "tiny, 8 constraints, the server's own temperature"
    list(build_with(asking, [document(0)], None))
    assert all("temperature" not in one for one in mock.asked)


def test_the_verb_asks_as_the_server_wants_it(mock: Mock, tmp_path: Path):
    small: dict[str, Any] = {"words": "60-90", "limit": 2, "constraints": "6-10", "quiet": True}
    small |= {"out": tmp_path / "suri.jsonl", "kept": tmp_path / "kept"}
    otherwise = {"limit_name": "max_completion_tokens", "leave_out": ["temperature", "response_format"]}
    text_build.build(by="endpoint", endpoint=mock.url, model="m", **small, **otherwise)
    assert len(read(tmp_path / "suri.jsonl")) == 2
    assert all({*one} == {"path", "model", "messages", "max_completion_tokens"} for one in mock.asked)
    with pytest.raises(PlanError, match=r"--limit-name, --leave-out: for asking an endpoint"):
        text_build.build(**small, **otherwise)


def test_a_folder_in_which_nothing_came_about_serves_another_model(mock: Mock, tmp_path: Path):
    plain, mock.reply = mock.reply, lambda asked: ""
    assert list(build_with(translator(mock, retries=0), [document(0)], tmp_path)) == []
    mock.reply = plain
    other = EndpointBacktranslator(Endpoint(mock.url, "large"), constraints=8)
    assert len(list(build_with(other, [document(0)], tmp_path))) == 1


def test_a_small_local_model_is_refused_with_what_to_do():
    with pytest.raises(NotSupported, match=r"134,515,008 parameters.*`rules`"):
        LocalBacktranslator(Local([], parameters=134_515_008))
    assert LocalBacktranslator(Local([], parameters=134_515_008), smallest=1e8).name.startswith(
        "local, 134515008"
    )


def test_a_local_model_has_a_second_try_and_fails_alone(tmp_path: Path):
    answers = [json.dumps({"main": "Write.", "constraints": CONSTRAINTS}), json.dumps(rows(*RIGHT))]
    able, model = local("What?", *answers, "What?", "What?")
    job = build_with(able, [document(0), document(1)], tmp_path)
    assert [one.goal for one in job] == ["Write."]
    assert "no JSON object" in model.asked[1][0]
    assert [one.reason for one in job.failed] == [
        "no usable answer in 2 tries; the last: no JSON object in it"
    ]


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "Sure!", '{"main": "", "constraints": ["a"]}', '{"main": "a", "constraints": "b"}',
     '{"main": "a", "constraints": [1]}', '{"main": "a", "constraints": [""]}', '{"main": ["a"], "constraints": []}'],
)  # fmt: skip
def test_another_form_is_a_value_error_and_nothing_else(answer: str):
    with pytest.raises(ValueError, match="JSON"):
        read_instruction(answer)


@pytest.mark.parametrize(
    "answer",
    ["{}", '{"constraints": {"original": "a"}}', '{"constraints": [{"original": "a"}]}', '{"constraints": ["a"]}',
     '{"constraints": [{"original": "a", "new": 2}]}', '{"constraints": null}', '{"constraints": [null]}'],
)  # fmt: skip
def test_violations_of_another_form_are_a_value_error_and_nothing_else(answer: str):
    with pytest.raises(ValueError, match=r"JSON|no text"):
        read_violations(answer)


def test_what_is_read_stands_on_one_line_without_a_bullet_or_a_fence():
    answer = (
        '<think>{"main": 0}</think>```json\n{"main": "a\\u2028b", "constraints": ["- c\\n d", "• e"]}\n```'
    )
    assert read_instruction(answer) == Instruction("a b", ("c d", "e"))


def test_the_examples_in_the_prompts_keep_the_rules_of_the_prompts():
    task = violation(Instruction("m", ("c",)))
    example = task.messages[0][1].partition('{"constraints"')
    pairs = read_violations(example[1] + example[2].rpartition("}]}")[0] + "}]}")
    assert len(pairs) == 3
    originals = Instruction("m", tuple(original for original, _ in pairs))
    assert violation(originals).complain(pairs) == []
    shown = [
        line
        for line in draft("d", 10).messages[0][1].splitlines()
        if line.startswith(("- sem", "- sty", "- mix"))
    ]
    assert Counter(line.split(":")[0] for line in shown) == {"- semantic": 2, "- stylistic": 2, "- mixed": 1}
    assert not any(NEGATION.search(line) for line in shown)


CHILD = """
import sys
from pathlib import Path
from palate.text.backtranslate import EndpointBacktranslator, build_with
from palate.text.corpus import Document
from palate.text.endpoint import Endpoint, Terms

url, folder = sys.argv[1], Path(sys.argv[2])
texts = [f"This is the tale of house number {number}. It was long ago." for number in range(100)]
documents = [Document("Somebody", "", text) for text in texts]
with Endpoint(
    url, "tiny", folder=folder, terms=Terms(3.0, 15.0), timeout=1.0, backoff=0.001, retries=9, threads=4
) as endpoint:
    job = build_with(EndpointBacktranslator(endpoint, constraints=8), documents, folder)
    print(len(list(job)), job.made, job.kept, len(job.failed))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_hundred_documents_a_fifth_of_faults_and_two_kills_lose_nothing_and_pay_nothing_twice(
    mock: Mock, tmp_path: Path
):
    """What was in flight at a kill may be charged once more; it is counted, bounded and named: nothing else is."""
    mock.faults, mock.late, mock.takes, mock.seed = 0.2, 1.2, 0.004, 7

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", CHILD, mock.url, str(tmp_path)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    for enough in (60, 130):
        child = start()
        while len(mock.charged) < enough and child.poll() is None:
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    child = start()
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    total, made, kept, failed = map(int, out.split())

    # Nothing lost: every document has its example, and what an earlier run made was kept.
    assert (total, made + kept, failed) == (100, 100, 0)
    assert kept > 0
    # Every answer in the ledger is one that the server charged for, with its cost to the token.
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()[1:]]
    ledger = {row["id"]: row for row in lines if row["kind"] == "answer"}
    assert len(ledger) == sum(row["kind"] == "answer" for row in lines)
    assert all(
        (row["key"], row["prompt_tokens"], row["answer_tokens"]) == mock.charged[name][1:]
        for name, row in ledger.items()
    )
    with Endpoint(mock.url, "tiny", folder=tmp_path, terms=Terms(3.0, 15.0)) as endpoint:
        bill = endpoint.bill()
    assert bill.money == mock.cost(set(ledger))
    # What the server delivered whole and the ledger has not was in flight at a kill: four threads, two kills.
    lost = {name for name, row in mock.charged.items() if row[0] != "slow"} - set(ledger)
    assert len(lost) <= 8
    # Each of the 200 questions has one good answer in the ledger, so none was paid for a second time.
    good_ones = Counter(row[1] for name, row in mock.charged.items() if row[0] == "good" and name in ledger)
    assert len(good_ones) == 200
    assert set(good_ones.values()) == {1}
    again = Counter(row[1] for row in mock.charged.values() if row[0] == "good")
    assert sum(again.values()) - 200 <= len(lost)
    # And the whole charge of the server lies between what the ledger is sure of and what it says may come on top.
    assert bill.money is not None
    assert bill.unsettled_money is not None
    assert bill.money <= mock.cost(set(mock.charged)) <= bill.money + bill.unsettled_money
    # A line that says "sent" stands there before anything is sent: a kill in between leaves a line more, never less.
    assert 0 <= sum(row["kind"] == "sent" for row in lines) - len(mock.asked) <= 8


def test_an_example_needs_no_proof_to_be_kept_but_says_so(mock: Mock):
    (example,) = build_with(translator(mock), [document(0)], None)
    assert isinstance(example, Example)
    assert {one.chosen.kind for one in example.contrasts} == {""}
