"""Writing: the likeliest token, drawn tokens, and a file that a stopped run goes on with."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.atomic import lock  # noqa: E402
from palate.errors import DataError, PlanError  # noqa: E402
from palate.evaluation.written import measure  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.generate import Generation, Sampling, _Chosen, answer, generate, read  # noqa: E402
from tests.text.test_rank import SET  # noqa: E402

REQUESTS = [("a", "Write."), ("b", "Write more."), ("c", "And more.")]
SHORT = Sampling(max_tokens=12)


@pytest.fixture(scope="module")
def model() -> language_model.LanguageModel:
    return language_model.tiny()


def test_greedy_takes_the_likeliest_token_each_time(model: language_model.LanguageModel):
    found = generate(model, REQUESTS[:1], SHORT)[0]
    ids = model.prompt("Write.")
    with torch.no_grad():
        for _ in range(12):
            ids.append(int(model.network(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == model.end:
                break
    assert found.text == model.words(ids[len(model.prompt("Write.")) :])


@pytest.mark.parametrize("place", [0, 1])
def test_writing_stops_where_a_turn_ends_and_where_a_text_does(
    model: language_model.LanguageModel, monkeypatch: pytest.MonkeyPatch, place: int
):
    tokenizer = deepcopy(model.tokenizer)
    tokenizer.chat_template = "{% for one in messages %}{{ one.content }}<|im_start|>\n{% endfor %}"
    turning = replace(model, tokenizer=tokenizer)
    assert len(turning.stops) == 2
    plain, calls = _Chosen.__call__, []

    def forced(self: _Chosen, ids: Any, logits: torch.Tensor) -> torch.Tensor:
        calls.append(plain(self, ids, logits))
        if len(calls) == 4:
            logits[:, turning.stops[place]] = torch.inf
        return logits

    monkeypatch.setattr(_Chosen, "__call__", forced)
    (found,) = generate(turning, REQUESTS[:1], SHORT)
    assert (found.tokens, found.ended, len(calls)) == (3, True, 4)


@pytest.mark.parametrize("adapter", [False, True])
def test_what_a_model_was_shipped_with_does_not_count(adapter: bool):
    """Penalties and cut-offs of a generation_config.json would make another text, and call it greedy."""
    model = language_model.tiny()
    if adapter:
        pytest.importorskip("peft")
        from palate.text.align import Training
        from palate.text.align.network import trainable

        model = replace(model, network=trainable(model, Training(rank=2)).eval())
    long = replace(SHORT, max_tokens=40)
    plain = generate(model, REQUESTS[:1], long)
    drawn = generate(model, REQUESTS[:1], replace(long, temperature=1.0))
    network = model.network.get_base_model() if adapter else model.network
    for one in (model.network, network):
        one.generation_config.repetition_penalty = 9.0
        one.generation_config.no_repeat_ngram_size = 2
        one.generation_config.min_p = 0.9
    shipped = model.network.generation_config
    assert generate(model, REQUESTS[:1], long) == plain
    assert generate(model, REQUESTS[:1], replace(long, temperature=1.0)) == drawn
    assert model.network.generation_config is shipped
    words = plain[0].text
    assert any(words.count(words[place : place + 2]) > 1 for place in range(len(words)))  # it does repeat


def test_a_seed_draws_the_same_and_each_text_by_itself(model: language_model.LanguageModel):
    drawn = replace(SHORT, temperature=1.0)
    together, alone = generate(model, REQUESTS, drawn), generate(model, REQUESTS[2:], drawn)
    assert together[2] == alone[0]
    assert generate(model, REQUESTS, replace(drawn, seed=1))[2] != alone[0]


def test_requests_are_written_together_and_as_if_alone(
    model: language_model.LanguageModel, monkeypatch: pytest.MonkeyPatch
):
    many = [(f"r{n}", "Write. " * (1 + n % 4)) for n in range(9)]
    for temperature in (0.0, 1.0):
        how = replace(SHORT, temperature=temperature, top_p=0.9)
        alone = [generate(model, [one], how)[0] for one in many]
        rows: list[int] = []
        plain = model.network.forward

        def watched(*given: Any, **named: Any) -> Any:
            rows.append(len(named["input_ids"]))  # noqa: B023
            return plain(*given, **named)  # noqa: B023

        with monkeypatch.context() as patch:
            patch.setattr(model.network, "forward", watched)
            assert generate(model, many, how) == alone
        assert max(rows) == 9
        assert len(rows) <= SHORT.max_tokens  # one reading of the weights for a token of all nine


def test_a_request_that_may_reach_the_end_of_the_context_stands_alone(model: language_model.LanguageModel):
    long = "x" * (model.context - len(model.prompt("")) - 30)
    requests = [("a", "Write."), ("long", long), ("b", "Write more.")]
    found = generate(model, requests, replace(SHORT, max_tokens=100))
    assert found[1].tokens <= model.context - len(model.prompt(long))
    assert [found[0], found[2]] == generate(model, [requests[0], requests[2]], replace(SHORT, max_tokens=100))


def test_what_is_drawn_goes_by_the_models_shares_and_top_p(model: language_model.LanguageModel):
    """1,500 first tokens of one request: as often as the model says, and none beyond top_p."""
    ids = torch.tensor([model.prompt("Write.")])
    with torch.no_grad():
        p = (model.network(ids).logits[0, -1].double() / 0.7).softmax(0)
    names = [f"r{n}" for n in range(1_500)]
    for top_p in (1.0, 0.5):
        take = _Chosen("m", Sampling(temperature=0.7, top_p=top_p), names)
        drawn = take(None, (0.7 * p.log()).float().repeat(len(names), 1)).argmax(1)
        order = p.argsort(descending=True)
        kept = order[: int((p[order].cumsum(0) < top_p).sum()) + 1] if top_p < 1 else order
        assert set(drawn.tolist()) <= set(kept.tolist())
        shares = p[kept] / p[kept].sum()
        counts = torch.bincount(drawn, minlength=len(p))[kept]
        spread = (shares * (1 - shares) * len(names)).sqrt()
        assert ((counts - shares * len(names)).abs() <= 5 * spread + 1).all()


def test_the_users_own_random_numbers_are_left_alone(model: language_model.LanguageModel):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    generate(model, REQUESTS[:1], replace(SHORT, temperature=1.0))
    assert torch.equal(torch.rand(1), expected)


def test_a_stopped_run_goes_on_and_a_torn_line_is_written_again(
    model: language_model.LanguageModel, tmp_path: Path
):
    whole = generate(model, REQUESTS, SHORT, out=tmp_path / "whole.jsonl")
    out = tmp_path / "out.jsonl"
    generate(model, REQUESTS[:2], SHORT, out=out)
    out.write_bytes(out.read_bytes()[:-9])  # as a kill in the middle of a line leaves it
    assert generate(model, REQUESTS, SHORT, out=out) == whole
    assert read(out) == whole == read(tmp_path / "whole.jsonl")


def test_what_stands_in_the_file_is_not_written_again(model: language_model.LanguageModel, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    generate(model, REQUESTS, SHORT, out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    rows[1]["text"] = "a mark"
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert generate(model, REQUESTS, SHORT, out=out)[1].text == "a mark"


def test_a_file_of_other_settings_is_refused(model: language_model.LanguageModel, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    generate(model, REQUESTS, SHORT, out=out)
    with pytest.raises(DataError, match="line 1: it holds texts of other requests"):
        generate(model, REQUESTS, replace(SHORT, temperature=0.5), out=out)
    with pytest.raises(DataError, match="other requests"):
        generate(model, [("a", "Other.")], SHORT, out=out)


def test_a_file_of_another_model_of_that_name_is_refused(model: language_model.LanguageModel, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    generate(model, REQUESTS[:1], SHORT, out=out)
    trained_since = language_model.tiny(seed=1)
    assert trained_since.name == model.name
    with pytest.raises(DataError, match="of another model"):
        generate(trained_since, REQUESTS, SHORT, out=out)
    moved = replace(model, name="elsewhere/tiny")
    assert generate(moved, REQUESTS, SHORT, out=out) == generate(model, REQUESTS, SHORT)


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"a": 1}\nand more', "[1]\n"])
def test_a_file_that_is_none_of_ours_is_left_as_it_is(
    model: language_model.LanguageModel, tmp_path: Path, content: str
):
    (tmp_path / "notes.txt").write_text(content)
    with pytest.raises(DataError, match=r"notes\.txt"):
        generate(model, REQUESTS, SHORT, out=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == content


@pytest.mark.parametrize("how", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"max_tokens": 0}])
def test_settings_that_make_no_sense_are_refused(how: dict[str, Any]):
    with pytest.raises(PlanError, match="temperature is 0 or more"):
        Sampling(**how)


def test_ids_stand_once_and_a_request_fits(model: language_model.LanguageModel):
    with pytest.raises(PlanError, match="1 ids stand twice"):
        generate(model, [*REQUESTS, REQUESTS[0]], SHORT)
    with pytest.raises(DataError, match=r"request long is 5,0\d\d tokens"):
        generate(model, [("long", "x" * 5_000)], SHORT)


def test_a_request_that_cannot_be_read_is_named_where_it_has_a_name(model: language_model.LanguageModel):
    mark = model.tokenizer.eos_token
    for request, said in (
        ("x" * 5_000, r"is 5,0\d\d tokens, and tiny reads 4,096"),
        (f"a {mark} b", "mark of a turn"),
    ):
        with pytest.raises(DataError, match=f"^request b.*{said}"):
            generate(model, [("a", "Write."), ("b", request)], SHORT)
        with pytest.raises(DataError, match=f"^the request .*{said}"):
            answer(model, request, SHORT)


def test_texts_for_pieces_of_one_chapter_count_as_one():
    many = [replace(SET[0], id=f"s0/{place}", title="I") for place in range(12)]
    written = [
        Generation(one.id, one.chosen, one.answer if place % 2 else "No.", 9, True)
        for place, one in enumerate(many)
    ]
    assert measure(written, many).words.ci95 is None  # one chapter: there is nothing to resample
    apart = [replace(one, title=one.id) for one in many]
    assert measure(written, apart).words.ci95 is not None
    assert measure(written, apart).met[0].asked.ci95 is not None


def test_constraints_that_a_text_meets_are_counted_beside_those_met_by_chance():
    follows = [Generation(one.id, one.chosen, one.answer, 9, True) for one in SET]
    found = measure(follows, SET)
    assert (found.met[0].kind, found.met[0].asked.mean, found.met[0].corrupted.mean) == ("all", 1.0, 0.0)
    crossed = [replace(one, text=other.answer) for one, other in zip(follows, SET[::-1], strict=True)]
    assert measure(crossed, SET).met[0].corrupted.mean == 1.0
    with pytest.raises(DataError, match="ids x"):
        measure([replace(follows[0], id="x")], SET)
    with pytest.raises(DataError, match="no text"):
        measure([])


def test_all_requests_are_looked_at_before_the_first_is_written(
    model: language_model.LanguageModel, tmp_path: Path
):
    for bad, said in (("  ", "request b is empty"), ("x" * 5_000, "request b is 5,")):
        with pytest.raises(DataError, match=said):
            generate(model, [("a", "Write."), ("b", bad)], SHORT, out=tmp_path / "texts.jsonl")
        assert not (tmp_path / "texts.jsonl").exists()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_whose_weights_are_no_numbers_writes_nothing(temperature: float):
    broken = language_model.tiny()
    with torch.no_grad():
        next(broken.network.parameters())[5] = torch.nan
        broken.network.model.norm.weight[:] = torch.nan
    with pytest.raises(DataError, match="weights of it are no finite numbers"):
        generate(broken, REQUESTS, replace(SHORT, temperature=temperature))


def test_repetition_is_told_before_and_after_the_training_window():
    words = [f"w{n}" for n in range(2_100)]
    texts = {
        "early": " ".join(["a b c d e"] * 3 + words),
        "late": " ".join(words + ["a b c d e"] * 3),
        "short": "a b c d e " * 3,
    }
    told = measure([Generation(name, "q", text, 1, True) for name, text in texts.items()]).rows()
    assert told["a 5-gram 3 times"].mean == 1
    assert told["a 5-gram 3 times, first 2,048 words"].mean == pytest.approx(2 / 3)
    assert (
        told["a 5-gram 3 times, after 2,048 words"].mean,
        told["a 5-gram 3 times, after 2,048 words"].n,
    ) == (0.5, 2)


def test_two_runs_do_not_write_one_file(model: language_model.LanguageModel, tmp_path: Path):
    pytest.importorskip("fcntl")
    out = tmp_path / "texts.jsonl"
    with out.open("ab") as other:
        lock(other, out)
        with pytest.raises(DataError, match="another process writes there now"):
            generate(model, REQUESTS, SHORT, out=out)
    assert len(generate(model, REQUESTS, SHORT, out=out)) == 3
