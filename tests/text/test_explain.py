"""What is told of every token of a text."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.cli.text_loss import summary  # noqa: E402
from palate.errors import PlanError  # noqa: E402
from palate.report import token_losses  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.explain import explain_loss, next_token  # noqa: E402


@pytest.fixture(scope="module")
def model() -> language_model.LanguageModel:
    return language_model.tiny()


def test_the_loss_is_the_models_own(model: language_model.LanguageModel):
    told = explain_loss(model, " and what came", "A prompt,")
    prompt, came = model.text("A prompt,"), model.text(" and what came")
    ids = torch.tensor([[*prompt, *came]])
    labels = ids.clone()
    labels[0, : len(prompt)] = -100
    with torch.no_grad():
        theirs = float(model.network(ids, labels=labels).loss)
    assert told.loss == pytest.approx(theirs, abs=1e-6)
    assert told.perplexity == pytest.approx(math.exp(theirs), rel=1e-6)
    assert told.bits_per_byte == pytest.approx(told.nats / math.log(2) / len(" and what came"))


def test_every_token_has_its_place(model: language_model.LanguageModel):
    told = explain_loss(model, "天气", "今")
    assert [one.piece for one in told.tokens] == ["天"] * 3 + ["气"] * 3
    assert [one.piece for one in told.prompt] == ["今"] * 2  # nothing stands before the first byte
    for one in (*told.prompt, *told.tokens):
        assert one.nats == pytest.approx(-math.log(one.p))
        assert one.bits == pytest.approx(one.nats / math.log(2))
        assert one.gradient == pytest.approx(one.p - 1)
        assert one.stepped < one.nats
        likely = [runner.p for runner in one.runners]
        assert likely == sorted(likely, reverse=True)
        assert (one.rank <= 5) == any(runner.came for runner in one.runners)


def test_a_character_is_shown_once(model: language_model.LanguageModel):
    told = explain_loss(model, "天!", "a")
    assert [one.first for one in told.tokens] == [True, False, False, True]


def test_shares_add_up(model: language_model.LanguageModel):
    parts = explain_loss(model, "one two", "three").parts
    assert parts["prompt"].share + parts["response"].share == pytest.approx(1)
    assert parts["response"].tokens == 7


def test_a_text_alone_begins_with_a_token_that_has_no_loss(model: language_model.LanguageModel):
    told = explain_loss(model, "abc")
    assert told.first == "a"
    assert [one.piece for one in told.tokens] == ["b", "c"]
    assert told.n_bytes == 2
    assert "no token begins the text" in told.conventions


@pytest.mark.parametrize("prompt", ["", "what stood before"])
def test_the_page_shows_every_word(model: language_model.LanguageModel, prompt: str):
    page = token_losses.render(explain_loss(model, " came after", prompt))
    strips = re.findall(r'<p class="tokens">(.*?)</p>', page)
    shown = re.sub(r"<[^>]*>", "", "".join(strips))
    assert shown == f"{prompt} came after"


def test_a_request_is_in_the_template_and_an_answer_may_be_ended(model: language_model.LanguageModel):
    told = explain_loss(model, "Yes.", "Is it?", chat=True, ended=True)
    assert told.tokens[-1].piece == "<|im_end|>"
    assert len(told.prompt) == len(model.prompt("Is it?")) - 1
    assert "chat template" in told.conventions
    assert told.conventions.endswith("<|im_end|> ends an answer.")
    assert explain_loss(model, "Yes.", "Is it?", chat=True).conventions.endswith("no token ends an answer.")
    assert explain_loss(model, "Yes.", "Is it?", ended=True).conventions.endswith("<|im_end|> ends it.")
    assert explain_loss(model, "Yes.", "Is it?").conventions.endswith("no token ends it.")


def test_all_of_it_is_json(model: language_model.LanguageModel):
    told = json.loads(json.dumps(explain_loss(model, "b", "a").as_dict()))
    assert set(told["tokens"][0]) >= {"piece", "id", "p", "rank", "nats", "bits"}
    assert told["loss"] == pytest.approx(told["tokens"][0]["nats"])
    assert told["tokens"][0]["runners"][0]["gradient"] == pytest.approx(
        told["tokens"][0]["runners"][0]["p"] - told["tokens"][0]["runners"][0]["came"]
    )


def test_the_next_token_has_a_distribution(model: language_model.LanguageModel):
    told = next_token(model, "ab", shown=3)
    with torch.no_grad():
        p = model.network(torch.tensor([model.text("ab")])).logits[0, -1].double().softmax(0)
    assert [one.id for one in told] == p.topk(3).indices.tolist()
    assert [one.p for one in told] == pytest.approx(p.topk(3).values.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "prompt", "words"), [("", "a", "empty"), ("a", "", "one token"), ("b" * 5000, "a", "5,001")]
)
def test_what_has_no_loss_is_refused(model: language_model.LanguageModel, text: str, prompt: str, words: str):
    with pytest.raises(PlanError, match=words):
        explain_loss(model, text, prompt)


@pytest.mark.parametrize(("text", "prompt", "words"), [("", "a", "empty"), ("a", "", "one token")])
def test_the_token_that_ends_an_answer_is_no_text(
    model: language_model.LanguageModel, text: str, prompt: str, words: str
):
    with pytest.raises(PlanError, match=words):
        explain_loss(model, text, prompt, ended=True)
    told = explain_loss(model, "ab", ended=True)
    assert [one.piece for one in told.tokens] == ["b", "<|im_end|>"]
    assert told.bits_per_byte == pytest.approx(told.nats / math.log(2))


def test_a_perplexity_beyond_all_numbers_is_infinite_everywhere(model: language_model.LanguageModel):
    told = explain_loss(model, "b", "a")
    told = replace(told, tokens=(replace(told.tokens[0], nats=800.0),))
    assert told.perplexity == math.inf
    assert "exp(800.0000) = inf;" in summary(told)[0]
