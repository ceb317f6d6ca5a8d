"""Language models: how prompts are made, what is read and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.errors import DataError, PlanError, SavedModelError  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.pieces import pieces, runner  # noqa: E402


@pytest.fixture(scope="module")
def model() -> language_model.LanguageModel:
    return language_model.tiny()


def test_a_request_is_written_in_the_tokenizers_template(model: language_model.LanguageModel):
    written = model.tokenizer.decode(model.prompt("Write."))
    assert written == "<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n"
    assert "chat template" in model.conventions()


def test_an_answer_is_the_same_tokens_after_any_prompt_and_ends_once(model: language_model.LanguageModel):
    ids = model.response("An answer")
    assert ids[-1] == model.end
    assert ids.count(model.end) == 1
    assert model.response("An answer", ended=False) == ids[:-1]
    assert model.words(ids) == "An answer"


def test_a_seed_is_a_model():
    one, same, other = (language_model.tiny(seed=seed).network.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_a_model_comes_back_as_it_was_saved(model: language_model.LanguageModel, tmp_path: Path):
    language_model.save(model, tmp_path / "saved")
    back = language_model.load(tmp_path / "saved", device="cpu")
    ids = torch.tensor([model.prompt("again")])
    with torch.no_grad():
        assert torch.equal(back.network(ids).logits, model.network(ids).logits)
    assert back.prompt("again") == model.prompt("again")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["saved"]


def test_weights_that_would_be_unpickled_are_refused(model: language_model.LanguageModel, tmp_path: Path):
    language_model.save(model, tmp_path / "saved")
    (tmp_path / "saved" / "model.safetensors").rename(tmp_path / "saved" / "pytorch_model.bin")
    with pytest.raises(SavedModelError, match=r"pytorch_model\.bin, which would be unpickled"):
        language_model.load(tmp_path / "saved")


def test_a_torn_folder_and_a_missing_one_say_so(model: language_model.LanguageModel, tmp_path: Path):
    with pytest.raises(DataError, match="no such folder"):
        language_model.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SavedModelError, match=r"no config\.json"):
        language_model.load(tmp_path / "empty")
    language_model.save(model, tmp_path / "torn")
    weights = tmp_path / "torn" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(SavedModelError, match="cannot read it"):
        language_model.load(tmp_path / "torn")


def test_code_that_comes_with_a_model_is_never_run(model: language_model.LanguageModel, tmp_path: Path):
    folder = tmp_path / "hostile"
    language_model.save(model, folder)
    about = json.loads((folder / "config.json").read_text())
    about |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(SavedModelError):
        language_model.load(folder)
    assert not (tmp_path / "ran").exists()


def test_without_a_template_a_request_stands_as_it_is(model: language_model.LanguageModel, tmp_path: Path):
    language_model.save(model, tmp_path / "plain")
    (tmp_path / "plain" / "chat_template.jinja").unlink()
    plain = language_model.load(tmp_path / "plain", device="cpu")
    assert plain.template == "plain"
    assert plain.words(plain.prompt("Write.")) == "Write.\n\n"
    asked = language_model.load(tmp_path / "plain", template="chat", device="cpu")
    with pytest.raises(PlanError, match="template = plain"):
        asked.prompt("Write.")


def test_parts_of_a_character_are_shown_as_the_whole(model: language_model.LanguageModel):
    shown = pieces(model.tokenizer, model.text("a天!"))
    assert [one.text for one in shown] == ["a", "天", "天", "天", "!"]
    assert [one.note for one in shown] == ["", "byte 1 of 3", "byte 2 of 3", "byte 3 of 3", ""]


def test_a_token_that_might_come_finishes_a_character(model: language_model.LanguageModel):
    *before, last = model.text("天")
    assert runner(model.tokenizer, before, last).text == "天"


def test_a_torn_text_is_shown_without_an_error(model: language_model.LanguageModel):
    torn = model.text("天")[1:] + model.text("ok")
    assert "".join(one.text for one in pieces(model.tokenizer, torn)).endswith("ok")


def test_a_folder_with_anything_else_in_it_is_never_replaced(
    model: language_model.LanguageModel, tmp_path: Path
):
    (tmp_path / "mine.txt").write_text("years of work")
    with pytest.raises(SavedModelError, match=r"holds more than a language model \(mine\.txt\)"):
        language_model.save(model, tmp_path)
    language_model.save(model, tmp_path / "saved")
    language_model.save(model, tmp_path / "saved")  # an earlier model is
    (tmp_path / "saved" / "notes.md").write_text("mine")
    with pytest.raises(SavedModelError, match="notes"):
        language_model.save(model, tmp_path / "saved")
    assert (tmp_path / "mine.txt").read_text() == "years of work"
    assert (tmp_path / "saved" / "notes.md").exists()
