"""A judge whose word counts only with a quote, and whose worth is always told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.cli import text_judge
from palate.errors import DataError, PlanError
from palate.text.annotate import LABELS, Item, Label, write_labels
from palate.text.endpoint import Endpoint, Terms
from palate.text.judge import UNCALIBRATED, Agreement, Judge, agreement, kappa
from palate.text.judge.agreement import people_kappa
from palate.text.judge.questions import orders, read_choice, read_verdict, stands
from tests.text.test_endpoint import Mock, serving

TEXT = "It rained all day. “Come in,” she said,\nand — at last — he came in … slowly."
ITEM = Item(
    "one",
    TEXT,
    "Write a scene.",
    ("Let it rain.", "Let her sing.", "Let him run."),
    ("Dry.", "Hum.", "Walk."),
)
ANSWERS = {
    "Let it rain.": {"label": "Yes", "reason": "It does.", "quote": "it rained all day"},
    "Let her sing.": {"label": "Partially", "reason": "She speaks.", "quote": "she sang a song"},
    "Let him run.": {"label": "No", "reason": "He walks.", "quote": ""},
}


def first(asked: dict[str, Any]) -> str:
    """The first of the two instructions that are asked about, or nothing."""
    said: str = asked["messages"][1]["content"]
    return said.partition("Instruction 1:")[2].partition("Instruction 2:")[0]


def reply(asked: dict[str, Any]) -> str:
    """A judge that prefers the instruction with rain in it, and knows the constraints above."""
    if first(asked):
        return json.dumps({"better": 1 if "rain" in first(asked) else 2})
    said = asked["messages"][1]["content"]
    return json.dumps(next(answer for words, answer in ANSWERS.items() if words in said))


@pytest.fixture
def mock() -> Iterator[Mock]:
    with serving(Mock(reply)) as one:
        yield one


@pytest.fixture
def asked(mock: Mock) -> Iterator[Endpoint]:
    with Endpoint(mock.url, "tiny", backoff=0.001, retries=2, terms=Terms(3.0, 15.0)) as one:
        yield one


def people(*labels: str, name: str = "Ann") -> list[Label]:
    return [Label("one", place, label, name) for place, label in enumerate(labels)]


def test_a_verdict_without_a_quote_that_stands_in_the_text_is_void_and_counted(asked: Endpoint):
    report = Judge(asked).judge([ITEM])
    assert [one.void for one in report.verdicts] == [False, True, False]
    assert report.counts() == {"Yes": 1, "Partially": 0, "No": 1, "void": 1}
    assert report.satisfied() == 0.5
    assert report.bill.answers == 3


def test_a_report_without_peoples_labels_says_that_it_is_uncalibrated(asked: Endpoint):
    report = Judge(asked).judge([ITEM])
    assert report.calibration == UNCALIBRATED == "uncalibrated"
    assert "uncalibrated" in report.words()
    assert report.to_dict()["calibration"] == "uncalibrated"
    of_other_texts = [replace(one, id="other") for one in people("Yes", "Yes", "No")]
    assert Judge(asked).judge([ITEM], labels=of_other_texts).calibration == "uncalibrated"
    only_of_the_void = people("Yes", "No")[1:]
    assert Judge(asked).judge([ITEM], labels=only_of_the_void).calibration == "uncalibrated"


def test_a_report_with_peoples_labels_says_how_far_it_agrees(asked: Endpoint):
    report = Judge(asked).judge([ITEM], labels=people("Yes", "Yes", "Partially"))
    assert isinstance(report.calibration, Agreement)
    assert (report.calibration.n, report.calibration.raw) == (2, 0.5)
    assert "agreement with people on 2 labels of 1 annotators: 50%" in report.words()
    assert "uncalibrated" not in report.words()
    assert report.to_dict()["calibration"]["kappa_satisfied"] == 1.0
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_win_needs_both_orders(asked: Endpoint, mock: Mock):
    assert Judge(asked).judge([ITEM], pairs=True).to_dict()["pairs"] == {"win": 1, "loss": 0, "split": 0}
    for better, outcome in (
        (lambda asked: 1, "split"),
        (lambda asked: 2, "split"),
        (lambda asked: 2 if "rain" in first(asked) else 1, "loss"),
    ):
        mock.reply = lambda asked, better=better: json.dumps({"better": better(asked)})
        with Endpoint(mock.url, "tiny") as fresh:
            assert Judge(fresh).choice(ITEM).outcome == outcome


def test_both_orders_hold_the_same_two_instructions():
    one, two = (request.messages[1][1] for request in orders(ITEM))
    assert one != two
    assert sorted(one) == sorted(two)
    assert one.index("Let it rain.") < one.index("Dry.")
    assert two.index("Dry.") < two.index("Let it rain.")


def test_questions_that_fail_are_named_and_the_others_count(asked: Endpoint, mock: Mock):
    mock.reply = lambda asked: "Hm." if "sing" in asked["messages"][1]["content"] else reply(asked)
    report = Judge(asked).judge([ITEM])
    assert len(report.verdicts) == 2
    assert report.failed == (
        ("one, constraint 1", "no usable answer in 3 tries; the last: no JSON object in it"),
    )


def test_pairs_without_violated_constraints_are_refused(asked: Endpoint):
    with pytest.raises(PlanError, match="cons_rejected"):
        Judge(asked).judge([replace(ITEM, corrupted=())], pairs=True)


def test_the_price_counts_every_constraint_and_both_orders(asked: Endpoint, mock: Mock):
    assert Judge(asked).price([ITEM]).requests == 3
    assert Judge(asked).price([ITEM], pairs=True).requests == 5
    assert mock.asked == []


@pytest.mark.parametrize(
    "quote",
    [
        TEXT, "It rained all day.", "“It rained all day", '"Come in," she said', "COME IN,' SHE  said",
        "he came in ... slowly", "and - at last - he came", "rained all day ... she said, and",
        "“Come in,” she said,\n\tand",
    ],
)  # fmt: skip
def test_a_quote_may_differ_in_spaces_marks_and_case_and_leave_a_part_out(quote: str):
    single = TEXT.translate(str.maketrans("\u201c\u201d", "\u2018\u2019"))
    assert stands(quote, single if "IN,'" in quote else TEXT)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "...",
        "It",
        " all ",
        "It snowed all day",
        "she said ... it rained all day",
        "t ... a ... d ... o",
        "“”",
    ],
)
def test_a_quote_that_is_not_there_or_says_nothing_does_not_stand(quote: str):
    assert not stands(quote, TEXT)


@given(st.text(), st.text())
def test_any_text_and_quote_are_answered(quote: str, text: str):
    assert stands(quote, text) in (True, False)


@given(st.text(min_size=30), st.integers(0, 10), st.integers(20, 30))
def test_what_is_cut_from_a_text_stands_in_it_or_is_too_short(text: str, start: int, end: int):
    quote = text[start:end]
    assert stands(quote, text) or len(" ".join(quote.split()).strip("'\" ")) < 20


@pytest.mark.parametrize(
    "answer",
    ["", "{}", '{"label": "Maybe", "reason": "", "quote": ""}', '{"label": ["Yes"], "reason": "", "quote": ""}',
     '{"label": "Yes", "reason": 1, "quote": ""}', '{"label": "Yes", "reason": "", "quote": ["x"]}'],
)  # fmt: skip
def test_a_verdict_of_another_form_is_a_value_error(answer: str):
    with pytest.raises(ValueError, match="JSON"):
        read_verdict(answer)


def test_a_verdict_may_be_written_in_small_letters_and_without_a_quote():
    assert read_verdict('{"label": " partially ", "reason": " r ", "quote": null}') == ("Partially", "r", "")


@pytest.mark.parametrize(
    "answer", ["{}", '{"better": 3}', '{"better": true}', '{"better": [1]}', '{"better": "1st"}']
)
def test_a_choice_of_another_form_is_a_value_error(answer: str):
    with pytest.raises(ValueError, match="JSON"):
        read_choice(answer)


def test_kappa_is_that_of_the_handbook():
    """Cohen's own arithmetic, 1960: of 50 cases 20 + 15 alike, both say yes of half and of 60 %: (0.7 - 0.5) / 0.5."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    value = kappa(pairs)
    assert value is not None
    assert math.isclose(value, 0.4)


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), max_size=30))
def test_kappa_is_symmetric_at_most_one_and_undefined_with_one_label_only(pairs: list[tuple[str, str]]):
    value = kappa(pairs)
    assert (value is None) == (not pairs or len({one for pair in pairs for one in pair}) == 1)
    if value is not None:
        mirrored = kappa([(two, one) for one, two in pairs])
        assert mirrored is not None
        assert math.isclose(value, mirrored, abs_tol=1e-12)
        assert -1 <= value <= 1 + 1e-12
        assert (value > 1 - 1e-12) == all(one == two for one, two in pairs)


def test_agreement_is_with_the_majority_and_ties_are_left_out_and_counted():
    said = {("one", 0): "Yes", ("one", 1): "No", ("two", 0): "Partially", ("two", 1): "No"}
    labels = [
        Label(name, place, label, person)
        for person, given_ in (("Ann", "YNPN"), ("Ben", "YNYN"), ("Cy", "Y"))
        for (name, place), sign in zip(said, given_, strict=False)
        for label in [next(one for one in LABELS if one.startswith(sign))]
    ]
    found = agreement(said, labels)
    assert found is not None
    assert (found.n, found.ties, found.annotators, found.raw, found.kappa) == (3, 1, 3, 1.0, 1.0)
    assert found.interval == (1.0, 1.0)
    expected = kappa([("Y", "Y"), ("N", "N"), ("P", "Y"), ("N", "N")])
    assert (
        found.people == people_kappa(labels) == expected
    )  # Cy and the others share one label: undefined, left out


def test_agreement_of_one_label_only_is_a_share_without_kappa(asked: Endpoint):
    found = agreement({("one", 0): "Yes"}, people("Yes"))
    assert found is not None
    assert (found.raw, found.kappa, found.kappa_satisfied, found.interval) == (1.0, None, None, None)
    assert "kappa undefined" in found.words()


def texts_at(path: Path) -> Path:
    row = {"id": "one", "text": TEXT, "main_ins": ITEM.main, "constraints": list(ITEM.constraints)}
    path.write_text(json.dumps(row | {"cons_rejected": "- Dry.\n- Hum.\n- Walk."}) + "\n", "utf-8")
    return path


def test_the_verb_judges_keeps_and_tells(mock: Mock, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    texts, out = texts_at(tmp_path / "texts.jsonl"), tmp_path / "out"
    told: dict[str, Any] = {
        "endpoint": mock.url,
        "model": "tiny",
        "out": out,
        "prompt_price": 3.0,
        "answer_price": 15.0,
    }
    text_judge.judge(texts, **told, dry_run=True)
    said = capsys.readouterr().out
    assert said.startswith("3 requests, 0 of them answered already.\nAt most ")
    assert mock.asked == []
    assert not out.exists()
    text_judge.judge(texts, **told, pairs=True)
    said = capsys.readouterr().out
    assert "uncalibrated: no people's labels" in said
    assert "pairs: 1 won in both orders, 0 lost, 0 by the order" in said
    assert "5 answers, " in said
    write_labels(
        [replace(one, item=ITEM.key) for one in people("Yes", "No", "No")], tmp_path / "labels.jsonl"
    )
    text_judge.judge(texts, **told, labels=[tmp_path / "labels.jsonl"], as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["calibration"]["raw"] == 1.0
    assert report["verdicts"] == {"Yes": 1, "Partially": 0, "No": 1, "void": 1}
    assert len(mock.asked) == 5
    assert len((out / "verdicts.jsonl").read_text().splitlines()) == 3


def test_the_verb_ends_with_the_reason_where_nothing_is_answered(mock: Mock, tmp_path: Path):
    texts = texts_at(tmp_path / "texts.jsonl")
    with pytest.raises(DataError, match=r"none of 3 questions was answered.*Raise the budget"):
        text_judge.judge(texts, endpoint=mock.url, model="tiny", out=tmp_path / "out", most_tokens=10)
    assert mock.asked == []


def test_the_verb_asks_as_the_server_wants_it_and_again_for_what_failed(
    mock: Mock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    texts, out = texts_at(tmp_path / "texts.jsonl"), tmp_path / "out"
    told: dict[str, Any] = {"endpoint": mock.url, "model": "tiny", "out": out}
    told |= {"limit_name": "max_completion_tokens", "leave_out": ["temperature"]}
    mock.reply = lambda asked: "Hm." if "sing" in asked["messages"][1]["content"] else reply(asked)
    text_judge.judge(texts, **told)
    assert (
        "1 questions failed, and are asked again in the next run: one, constraint 1"
        in capsys.readouterr().out
    )
    assert all({"max_tokens", "temperature"}.isdisjoint(one) for one in mock.asked)
    before = len(mock.asked)
    text_judge.judge(texts, **told, dry_run=True)
    assert "3 requests, 2 of them answered already" in capsys.readouterr().out  # one has an answer of no use
    mock.reply = reply
    text_judge.judge(texts, **told)
    assert "failed" not in capsys.readouterr().out
    assert len(mock.asked) == before + 1
    with pytest.raises(PlanError, match="'model' cannot be left out"):
        text_judge.judge(texts, **told | {"leave_out": ["model"]})
