"""Alignment: the gradient is the loss's own, however a step is cut; what is learned, kept and refused."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from palate.errors import DataError, NotSupported, PalateError, PlanError, SavedModelError  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.align import PRESETS, Outcome, Pair, Training, align  # noqa: E402
from palate.text.logprob import score  # noqa: E402

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "the",
    "dog",
    "ran",
    "in",
    "the",
    "park",
    "with",
    "joy",
]


def pairs(n: int = 8, seed: int = 0) -> list[Pair]:
    """Texts that are short or long, under an instruction that says so and one that says the other."""
    rng = random.Random(seed)
    made = []
    for place in range(n):
        answer = " ".join(rng.choice(WORDS) for _ in range(rng.choice((3, 5, 14, 20))))
        told, other = ("short", "long") if len(answer.split()) < 10 else ("long", "short")
        made.append(Pair(f"write {told}", answer, f"write {other}", answer, f"source {place % 3}"))
    return made


def trained(given: list[Pair] | None = None, *, seed: int = 0, **settings: Any) -> Outcome:
    """Train the tiny model by one step on every pair together, all weights, unless told otherwise."""
    told = {"rank": 0, "epochs": 1, "batch": 8, "learning_rate": 1e-3, "clip": 0.0, "seed": 1} | settings
    return align(language_model.tiny(seed=seed), given or pairs(), Training(**told))


def weights(outcome: Outcome) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in outcome.model.network.parameters()])


def by_hand(method: str, given: list[Pair], *, nll_on: str = "response", weight: float = 0.4) -> float:
    """Return the first step's loss as one would first write it, a text at a time over all logits."""
    model = language_model.tiny()

    def log_p(prompt: str, answer: str) -> torch.Tensor:
        ids = [*model.prompt(prompt), *model.response(answer)]
        with torch.no_grad():
            logits = model.network(torch.tensor([ids])).logits[0, :-1].double()
        return logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]

    def odds(mean: float) -> float:
        return mean - math.log(-math.expm1(mean))

    losses, tokens, preference = 0.0, 0, 0.0
    for pair in given:
        n = len(model.response(pair.answer))
        w, l = log_p(pair.prompt, pair.answer), log_p(pair.rejected_prompt, pair.rejected_answer)  # noqa: E741
        learned = w if nll_on == "all" else w[-n:]
        losses -= float(learned.sum())
        tokens += len(learned)
        mean_w, mean_l = float(w[-n:].mean()), float(l[-n:].mean())
        if method == "iorpo":
            preference += weight * math.log1p(math.exp(odds(mean_l) - odds(mean_w)))
        if method == "dpo":
            preference += math.log(2)  # the reference is the model itself
        if method == "simpo":
            preference += math.log1p(math.exp(-0.1 * (mean_w - mean_l)))
    return losses / tokens + preference / len(given)


@pytest.mark.parametrize("nll_on", ["response", "all"])
@pytest.mark.parametrize("method", ["sft", "iorpo", "dpo", "simpo"])
def test_the_loss_is_the_formula(method: str, nll_on: str):
    found = trained(method=method, nll_on=nll_on).trace[0]["loss"]
    assert found == pytest.approx(by_hand(method, pairs(), nll_on=nll_on), abs=1e-5)


@pytest.mark.parametrize("method", ["sft", "iorpo", "dpo"])
def test_however_a_step_is_cut_its_gradient_is_the_same(method: str):
    whole = weights(trained(method=method, micro=8))
    for cut in (
        {"micro": 1},
        {"micro": 3},
        {"micro": 2, "mode": "two-pass"},
        {"micro": 1, "recompute": False},
    ):
        torch.testing.assert_close(weights(trained(method=method, **cut)), whole, rtol=0, atol=1e-5)


def test_two_passes_draw_the_same_dropout_for_a_side_that_is_read_twice():
    torch.manual_seed(3)
    lora = {"rank": 4, "dropout": 0.5, "mode": "two-pass", "epochs": 2, "learning_rate": 1e-2}
    one, same = trained(**lora), trained(**lora)
    assert torch.equal(weights(one), weights(same))


def test_a_model_learns_to_tell_the_instruction_that_a_text_follows():
    held = pairs(12, seed=5)
    done = align(
        language_model.tiny(),
        pairs(32),
        Training(rank=8, alpha=16, dropout=0.0, epochs=12, learning_rate=1e-2, weight=4.0, patience=12),
        valid=held,
    )
    assert done.trace[-1]["valid_accuracy"] > done.trace[0]["valid_accuracy"]
    assert done.trace[-1]["margin"] > done.trace[0]["margin"]
    assert max(row["valid_accuracy"] for row in done.trace) >= 0.9


def test_lora_trains_its_own_weights_alone_and_is_saved_beside_its_base(tmp_path: Path):
    base = language_model.tiny()
    language_model.save(base, tmp_path / "base")
    model = language_model.load(tmp_path / "base", device="cpu")
    before = {name: one.clone() for name, one in model.network.state_dict().items()}
    done = align(model, pairs(), Training(rank=4, epochs=2, learning_rate=1e-2, dropout=0.0))
    inner = done.model.network.get_base_model().state_dict()
    for name, one in before.items():
        plain = name.replace("_proj.weight", "_proj.base_layer.weight")
        assert torch.equal(inner[plain] if plain in inner else inner[name], one)
    language_model.save(done.model, tmp_path / "adapter")
    back = language_model.load(tmp_path / "adapter", device="cpu")
    rows = [base.prompt("write short")], [base.response("a cat")]
    with torch.no_grad():
        assert torch.equal(score(back.network, *rows)[0], score(done.model.network, *rows)[0])
        assert not torch.equal(score(back.network, *rows)[0], score(base.network, *rows)[0])
    assert not (tmp_path / "adapter" / "model.safetensors").exists()


def test_an_adapter_goes_on_and_only_as_an_adapter(tmp_path: Path):
    language_model.save(language_model.tiny(), tmp_path / "base")
    done = align(
        language_model.load(tmp_path / "base"), pairs(), Training(rank=4, epochs=1, learning_rate=1e-2)
    )
    language_model.save(done.model, tmp_path / "one")
    again = align(
        language_model.load(tmp_path / "one"), pairs(), Training(rank=4, epochs=1, learning_rate=1e-2)
    )
    assert again.trained == done.trained
    assert not torch.equal(weights(again), weights(done))
    with pytest.raises(NotSupported, match="is an adapter"):
        align(language_model.load(tmp_path / "one"), pairs(), Training(rank=0))


def test_what_is_told_while_it_trains():
    row = trained(method="iorpo").trace[0]
    assert {"log_p", "log_p_rejected", "margin", "tokens_per_second", "memory_mb", "pairs_per_second"} <= set(
        row
    )
    assert row["margin"] == pytest.approx(row["log_p"] - row["log_p_rejected"])
    assert "margin" not in trained(method="sft").trace[0]


def test_sft_has_no_other_side_to_be_right_about():
    how = Training(method="sft", rank=0, epochs=1, seed=1)
    row = align(language_model.tiny(), pairs(), how, valid=pairs(4, seed=5)).trace[0]
    assert row["valid_nll"] == pytest.approx(-row["valid_objective"])
    assert not {"valid_accuracy", "valid_margin"} & set(row)


# --- what is too long, empty or the same --------------------------------------------------------------------


THREE = "A first sentence. A second one. And then a third, which is longer than all others by far."
LONG = Pair("write long", THREE, "write short", THREE)


def test_a_pair_that_is_too_long_is_refused_and_named():
    with pytest.raises(DataError, match=r"1 of 9 pairs are longer than 110 tokens \(the first: 9\)"):
        trained([*pairs(), LONG], max_tokens=110)


def test_it_is_cut_at_a_sentence_when_asked_and_not_ended():
    done = trained([LONG], max_tokens=95, too_long="cut")
    assert done.notes == ("1 of 1 pairs were cut at a sentence to 95 tokens.",)
    from palate.text.align.pairs import token_pairs

    model = language_model.tiny()
    [(w, l)], _ = token_pairs(model, [LONG], Training(max_tokens=95, too_long="cut"), "pair")  # noqa: E741
    assert model.words(w.answer) == model.words(l.answer) == "A first sentence. A second one."
    assert model.end not in w.answer


def test_or_left_out_and_counted():
    done = trained([*pairs(), LONG], max_tokens=110, too_long="drop")
    assert done.notes == ("1 of 9 pairs are longer than 110 tokens and were left out.",)


def test_where_no_sentence_fits_it_says_so():
    with pytest.raises(DataError, match="no sentence of the answer fits"):
        trained([LONG], max_tokens=40, too_long="cut")


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (Pair("", "a", "b", "a"), "pair 1: its prompt or its answer is empty"),
        (Pair("a", " \n", "b", "a"), "empty"),
        (Pair("a", "b", "a", "b"), "both sides are the same"),
    ],
)
def test_a_pair_without_a_preference_is_refused(pair: Pair, words: str):
    with pytest.raises(DataError, match=words):
        trained([pair])


def test_a_context_is_not_exceeded():
    with pytest.raises(PlanError, match=r"max_tokens = 5,000, and tiny reads 4,096"):
        trained(max_tokens=5_000)


def test_a_loss_that_is_no_number_stops_and_says_where():
    with pytest.raises(PalateError, match="in epoch 1, step 3 of 8"):
        trained(batch=1, learning_rate=1e30, epochs=2)


# --- checkpoints --------------------------------------------------------------------------------------------

HOW: dict[str, Any] = {
    "rank": 4, "dropout": 0.1, "epochs": 2, "rounds": 2, "batch": 2, "learning_rate": 1e-2, "seed": 1,
}  # fmt: skip
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.text.test_align import HOW, pairs
from palate.text import language_model
from palate.text.align import Training, align
from palate.neural import loop

real, steps = loop._Run._one_step, 0
def step(self, *given):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *given)
loop._Run._one_step = step
align(language_model.tiny(), pairs(), Training(**HOW), checkpoint=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", [4, 7])
def test_a_killed_training_goes_on_to_the_same_bits(step: int, tmp_path: Path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(step)], cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -9
    done = align(language_model.tiny(), pairs(), Training(**HOW), checkpoint=tmp_path)
    alone = align(language_model.tiny(), pairs(), Training(**HOW))
    assert torch.equal(weights(done), weights(alone))
    assert [row["epoch"] for row in done.trace] == [0.5, 1.0, 1.5, 2.0]


def test_a_checkpoint_of_other_pairs_is_refused(tmp_path: Path):
    how = Training(rank=4, epochs=1, seed=1)
    align(language_model.tiny(), pairs(), how, checkpoint=tmp_path)
    with pytest.raises(SavedModelError, match="another training"):
        align(language_model.tiny(), pairs(seed=9), how, checkpoint=tmp_path)
    # what is kept is small: the adapter, its best state and its moments, and not the model
    assert (tmp_path / "training.safetensors").stat().st_size < 200_000


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_training(name: str):
    Training(**PRESETS[name])
