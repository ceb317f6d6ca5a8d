"""Alignment: the gradient is the loss's own, however a step is cut; what is learned, kept and refused."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from palate.errors import DataError, NotSupported, PalateError, PlanError, SavedModelError  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.align import PRESETS, Outcome, Pair, Training, align, layers, preset  # noqa: E402
from palate.text.align.data import pairs_of, read_pairs  # noqa: E402
from palate.text.align.network import trainable  # noqa: E402
from palate.text.align.pairs import token_pairs  # noqa: E402
from palate.text.align.task import Alignment, Weights  # noqa: E402
from palate.text.corpus import documents  # noqa: E402
from palate.text.logprob import score  # noqa: E402
from palate.text.suri import build  # noqa: E402

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


def answers(n: int = 8) -> list[Pair]:
    """Two answers of different lengths under one instruction."""
    given = pairs(n)
    return [
        Pair(one.prompt, one.answer, one.prompt, f"{other.answer} {other.answer}", one.source)
        for one, other in zip(given, given[1:] + given[:1], strict=True)
    ]


def trained(given: list[Pair] | None = None, *, seed: int = 0, **settings: Any) -> Outcome:
    """Train the tiny model by one step on every pair together, all weights, unless told otherwise."""
    told = {"rank": 0, "epochs": 1, "batch": 8, "learning_rate": 1e-3, "clip": 0.0, "seed": 1} | settings
    return align(language_model.tiny(seed=seed), given or pairs(), Training(**told))


def weights(outcome: Outcome) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in outcome.model.network.parameters()])


def log_p(model: language_model.LanguageModel, prompt: str, answer: str) -> float:
    """Return the sum of log p over an answer."""
    with torch.no_grad():
        return float(score(model.network, [model.prompt(prompt)], [model.response(answer)])[0].sum())


def by_hand(method: str, given: list[Pair], *, nll_on: str = "response", nll_weight: float = 1.0) -> float:
    """Return the first step's loss as the papers have it, a text at a time over all logits."""
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
        n, m = len(model.response(pair.answer)), len(model.response(pair.rejected_answer))
        w, l = log_p(pair.prompt, pair.answer), log_p(pair.rejected_prompt, pair.rejected_answer)  # noqa: E741
        learned = w if nll_on == "all" else w[-n:]
        losses -= float(learned.sum())
        tokens += len(learned)
        mean_w, mean_l = float(w[-n:].mean()), float(l[-m:].mean())
        if method in ("iorpo", "orpo"):
            preference += {"iorpo": 0.4, "orpo": 0.1}[method] * math.log1p(
                math.exp(odds(mean_l) - odds(mean_w))
            )
        if method == "dpo":
            preference += math.log(2)  # the reference is the model itself
        if method == "simpo":
            preference += math.log1p(math.exp(-(2.0 * (mean_w - mean_l) - 1.0)))
    return nll_weight * losses / tokens + preference / len(given)


@pytest.mark.parametrize("nll_on", ["response", "all"])
@pytest.mark.parametrize("method", ["sft", "iorpo", "orpo"])
def test_the_loss_is_the_formula(method: str, nll_on: str):
    found = trained(method=method, nll_on=nll_on).trace[0]["loss"]
    assert found == pytest.approx(by_hand(method, pairs(), nll_on=nll_on), abs=1e-5)


@pytest.mark.parametrize("method", ["dpo", "simpo"])
def test_dpo_and_simpo_are_their_papers_losses_alone_unless_log_p_is_asked_for(method: str):
    given = answers()
    assert trained(given, method=method).trace[0]["loss"] == pytest.approx(
        by_hand(method, given, nll_weight=0), abs=1e-5
    )
    more = trained(given, method=method, nll_weight=0.5).trace[0]["loss"]
    assert more == pytest.approx(by_hand(method, given, nll_weight=0.5), abs=1e-5)


def test_each_method_has_the_steepness_of_its_paper():
    assert Training(method="dpo").beta == 0.1
    assert (Training(method="iorpo").weight, Training(method="orpo").weight) == (0.4, 0.1)
    assert Training(method="iorpo").steepness == Training(method="orpo").steepness == 1.0
    assert (Training(method="simpo").beta, Training(method="simpo").margin) == (2.0, 1.0)
    assert Training(method="simpo", beta=1.0).margin == 0.5
    assert Training(method="simpo", gamma=0.0).margin == 0.0
    with pytest.raises(PlanError, match="nll_weight above 0"):
        Training(method="sft", nll_weight=0)


def test_the_first_loss_of_dpo_is_log_2_in_bfloat16_too():
    for mode in ("joint", "two-pass"):
        lora = {"rank": 4, "dropout": 0.0, "precision": "bfloat16", "mode": mode, "micro": 1}
        found = trained(answers(), method="dpo", beta=5.0, **lora).trace[0]["loss"]
        assert found == pytest.approx(math.log(2), abs=1e-6)


def test_in_bfloat16_lora_stands_in_float32_beside_weights_that_are_halved():
    done = trained(rank=4, dropout=0.0, precision="bfloat16")
    kinds = {"lora_" in name: one.dtype for name, one in done.model.network.named_parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}


# --- one gradient, however it is come by ----------------------------------------------------------------------


def gradient(given: list[Pair] | None = None, *, layers: int = 2, **settings: Any) -> torch.Tensor:
    """Return the gradient of one step over all pairs, in parts as the training loop makes it."""
    how = Training(**{"rank": 0, "dropout": 0.0, "seed": 1} | settings)
    model = language_model.tiny(layers=layers)
    rows, _ = token_pairs(model, given or pairs(), how, "pair")
    network = trainable(model, how)
    for name, one in network.named_parameters():
        if "lora_B" in name:  # they begin at 0, where nothing of A is learned
            one.data = torch.linspace(-0.1, 0.1, one.numel()).view_as(one)
    task = Alignment(Weights(network), rows, [], how)
    if how.method == "dpo":
        task.look_up_reference(torch.device("cpu"))
    network.train()
    every = np.arange(len(rows))
    for part, _ in task.parts(every, every, np.random.default_rng(0)):
        part.backward()
    learned = [one for one in network.parameters() if one.requires_grad]
    return torch.cat([one.grad.flatten() / len(rows) for one in learned])


@pytest.mark.parametrize("method", ["sft", "iorpo", "dpo", "simpo"])
@pytest.mark.parametrize("rank", [0, 4])
def test_however_a_step_is_cut_its_gradient_is_the_same(method: str, rank: int):
    given = answers() if method in ("dpo", "simpo") else pairs()
    whole = gradient(given, method=method, rank=rank, micro=8, recompute=False)
    assert whole.abs().max() > 1e-3
    for cut in (
        {"micro": 1},
        {"micro": 3},
        {"micro": 2, "mode": "two-pass"},
        {"micro": 1, "mode": "two-pass", "recompute": False},
        {"micro": 1, "recompute": False},
    ):
        found = gradient(given, method=method, rank=rank, **cut)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-5)


def test_the_gradient_is_that_of_the_loss_over_all_logits():
    given, model = pairs(), language_model.tiny()
    model.network.requires_grad_(True)
    losses, tokens = [], 0
    for pair in given:
        ids = [*model.prompt(pair.prompt), *model.response(pair.answer)]
        n = len(model.response(pair.answer))
        logits = model.network(torch.tensor([ids])).logits[0, -n - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[-n:]), reduction="sum"))
        tokens += n
    (torch.stack(losses).sum() / tokens).backward()
    whole = torch.cat([one.grad.flatten() for one in model.network.parameters()])
    torch.testing.assert_close(gradient(given, method="sft"), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_layers_that_are_made_again_in_groups_and_pieces_change_nothing(
    count: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(layers, "PIECE", 7)  # of more tokens than a piece has, and not a multiple
    kept = gradient(layers=count, mode="two-pass", recompute=False)
    torch.testing.assert_close(gradient(layers=count, mode="two-pass"), kept, rtol=0, atol=1e-6)


def test_a_layer_of_another_make_is_made_again_as_a_whole(monkeypatch: pytest.MonkeyPatch):
    kept = gradient(mode="two-pass", recompute=False)
    monkeypatch.setattr(layers._Layer, "after", lambda self, h: h + 1)
    assert not layers._Layer(language_model.tiny().network.model.layers[0], (), {}).is_usual(
        torch.zeros(1, 3, 32)
    )
    torch.testing.assert_close(gradient(mode="two-pass"), kept, rtol=0, atol=1e-6)


def test_kept_are_the_inputs_of_groups_and_what_comes_after_attention_is_made_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
):
    kept: list[int] = []
    wide: list[int] = []
    forth, after = layers._Remade.forward, layers._Layer.after

    def watched_forth(ctx: Any, *given: Any) -> torch.Tensor:
        made = forth(ctx, *given)
        kept.append(len(ctx.groups))
        return made

    def watched_after(self: layers._Layer, h: torch.Tensor) -> torch.Tensor:
        wide.append(h.shape[0] * h.shape[1])
        return after(self, h)

    monkeypatch.setattr(layers._Remade, "forward", staticmethod(watched_forth))
    monkeypatch.setattr(layers._Layer, "after", watched_after)
    monkeypatch.setattr(layers, "PIECE", 20)
    gradient(pairs(1), layers=9, mode="two-pass")
    assert kept == [3, 3]  # of nine layers three at a time, once for each side
    assert wide[0] > 20  # the one look at how such a layer is made
    assert max(wide[1:]) <= 20


def test_gradients_of_all_weights_are_one_block():
    model = language_model.tiny()
    model.network.requires_grad_(True)
    module = Weights(model.network)
    module.make_room()
    blocks = {one.grad.untyped_storage().data_ptr() for one in module.trained}
    assert len(blocks) == 1
    assert sum(one.grad.numel() for one in module.trained) == model.parameters
    module.trained[0].grad.fill_(1)
    module.make_room()  # what was added up already stays
    assert module.trained[0].grad.min() == 1


def test_after_training_layers_are_as_they_were():
    done = trained(mode="two-pass")
    assert all("forward" not in vars(one) for one in done.model.network.model.layers)


def test_a_side_that_is_read_twice_drops_the_same_and_each_side_drops_anew(monkeypatch: pytest.MonkeyPatch):
    drawn: list[bytes] = []
    read = Alignment._read

    def watched(self: Alignment, *given: Any) -> Any:
        drawn.append(torch.get_rng_state().numpy().tobytes())
        return read(self, *given)

    monkeypatch.setattr(Alignment, "_read", watched)
    gradient(pairs(2), rank=4, dropout=0.5, mode="two-pass")
    first, second = (
        drawn[:3],
        drawn[3:],
    )  # of each pair: the other side, the preferred one, the other side again
    assert first[0] == first[2]
    assert second[0] == second[2]
    assert len({*first, *second}) == 4


def test_dropout_is_made_again_as_it_was_drawn(monkeypatch: pytest.MonkeyPatch):
    lora = {"method": "sft", "mode": "two-pass", "rank": 4, "dropout": 0.5}
    found = []
    for again in ({"recompute": True}, {"recompute": False}):
        torch.manual_seed(3)
        found.append(gradient(pairs(1), layers=5, **lora, **again))
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_piece_by_piece_the_same_is_dropped_on_the_way_back(monkeypatch: pytest.MonkeyPatch):
    dropped: dict[int, list[torch.Tensor]] = {}
    plain = torch.nn.Dropout.forward

    def watched(self: torch.nn.Dropout, x: torch.Tensor) -> torch.Tensor:
        made = plain(self, x)
        dropped.setdefault(id(self), []).append(made == 0)
        return made

    monkeypatch.setattr(torch.nn.Dropout, "forward", watched)
    monkeypatch.setattr(layers, "PIECE", 20)
    gradient(pairs(1), layers=1, method="sft", mode="two-pass", rank=4, dropout=0.5)
    assert len(dropped) == 7
    for calls in dropped.values():
        learned = calls[2:]  # the first two find out how the layer is made
        there, back = learned[: len(learned) // 2], learned[len(learned) // 2 :]
        assert len(there) >= 1
        assert all(torch.equal(one, same) for one, same in zip(there, back, strict=True))


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


def test_an_adapter_that_goes_on_keeps_its_own_rank_and_says_so(tmp_path: Path):
    how = Training(method="sft", rank=2, alpha=6, dropout=0.0, epochs=1, batch=4)
    language_model.save(align(language_model.tiny(), pairs(4), how).model, tmp_path / "adapter")
    model = language_model.load(tmp_path / "adapter", device="cpu")
    done = align(model, pairs(4), how.model_copy(update={"rank": 8, "alpha": 8}))
    assert (done.training.rank, done.training.alpha) == (2, 6)
    assert any("rank = 2 (8 was asked for), alpha = 6 (8 was asked for)" in note for note in done.notes)
    assert align(language_model.load(tmp_path / "adapter", device="cpu"), pairs(4), how).notes == ()


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


@pytest.mark.parametrize("method", ["orpo", "simpo", "dpo"])
def test_a_validation_pair_is_right_by_what_the_method_compares(method: str):
    """A token's log P on either side, or of DPO what training added to each; not sums over many tokens."""
    longer = [replace(one, answer=one.rejected_answer, rejected_answer=one.answer) for one in answers()]
    how = Training(method=method, rank=0, epochs=3, batch=8, learning_rate=3e-3, seed=1)  # type: ignore[arg-type]
    done = align(language_model.tiny(), longer, how, valid=longer)
    told = [[one.answer, one.rejected_answer] for one in longer]
    before, after = (
        np.array(
            [
                [log_p(model, one.prompt, side) for side in both]
                for one, both in zip(longer, told, strict=True)
            ]
        )
        for model in (language_model.tiny(), done.model)
    )
    tokens = np.array([[len(done.model.response(side)) for side in both] for both in told])
    gain = after - before if method == "dpo" else after / tokens
    assert done.trace[-1]["valid_accuracy"] == np.mean(gain[:, 0] > gain[:, 1])
    assert done.trace[-1]["valid_accuracy"] != np.mean(after[:, 0] > after[:, 1])


def test_when_to_stop_is_told_by_what_is_learned_of_the_prompts_too():
    one = align(
        language_model.tiny(), pairs(), Training(method="sft", nll_on="all", rank=0, epochs=1), valid=pairs()
    )
    row = one.trace[-1]
    network, model = one.model.network, one.model
    losses = []
    for pair in pairs():
        ids = torch.tensor([[*model.prompt(pair.prompt), *model.response(pair.answer)]])
        with torch.no_grad():
            losses.append(-network(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]))
    assert row["valid_objective"] == pytest.approx(-float(torch.cat(losses).mean()), abs=1e-4)
    assert row["valid_nll"] != pytest.approx(-row["valid_objective"], abs=1e-4)


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
    model = language_model.tiny()
    [(w, l, _)], _ = token_pairs(model, [LONG], Training(max_tokens=95, too_long="cut"), "pair")  # noqa: E741
    assert model.words(w.answer) == model.words(l.answer) == "A first sentence. A second one."
    assert model.end not in w.answer


def test_or_left_out_and_counted():
    done = trained([*pairs(), LONG], max_tokens=110, too_long="drop")
    assert done.notes == ("1 of 9 pairs are longer than 110 tokens and were left out.",)


def test_answers_that_differ_only_in_what_was_cut_are_left_out_and_counted():
    end = Pair("write long", THREE, "write long", THREE.replace("by far", "indeed"))
    given, how = [Pair("write", "One.", "write", "Two."), end], {"max_tokens": 95, "too_long": "cut"}
    assert trained(given, method="dpo", **how).notes[1:] == (
        "1 of 2 pairs differ only in what was cut: left out.",
    )
    assert trained(given, method="sft", **how).notes[1:] == ()


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


def test_what_a_pair_is_refused_for_is_told_with_its_row(tmp_path: Path):
    rows = [("Write.", "One.", "Two."), ("Write.<|im_end|>", "One.", "Two.")]
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps(dict(zip(("prompt", "chosen", "rejected"), row, strict=True))) for row in rows)
    )
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: the request has <\|im_end\|> in it"):
        trained(read_pairs(tmp_path / "rows.jsonl"), method="dpo")


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


def test_a_training_that_ran_out_of_memory_goes_on_in_less(tmp_path: Path):
    how = {"rank": 4, "epochs": 1, "seed": 1, "dropout": 0.0}
    align(language_model.tiny(), pairs(), Training(**how), checkpoint=tmp_path)
    less = Training(**how | {"epochs": 2}, mode="two-pass", micro=2, recompute=False)
    done = align(language_model.tiny(), pairs(), less, checkpoint=tmp_path)
    assert [row["epoch"] for row in done.trace] == [1.0, 2.0]


def test_a_checkpoint_over_other_weights_of_the_same_name_is_refused(tmp_path: Path):
    how = Training(rank=4, epochs=1, seed=1)
    align(language_model.tiny(), pairs(), how, checkpoint=tmp_path)
    with pytest.raises(SavedModelError, match="another training"):
        align(language_model.tiny(seed=1), pairs(), how, checkpoint=tmp_path)


# A process that may write no file beyond so many bytes: a disk that fills up.
FULL = """
import resource, sys
from pathlib import Path
from tests.text.test_align import HOW, pairs
from palate.errors import DataError
from palate.text import language_model
from palate.text.align import Training, align

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    align(language_model.tiny(), pairs(), Training(**HOW), checkpoint=Path(sys.argv[1]))
except DataError as error:
    print(error)
"""


def test_a_full_disk_in_a_checkpoint_says_so_and_keeps_what_stood_there(tmp_path: Path):
    align(language_model.tiny(), pairs(), Training(**HOW | {"epochs": 1}), checkpoint=tmp_path)
    before = (tmp_path / "training.safetensors").read_bytes()
    told = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Make room, or give another folder" in told.stdout
    assert (tmp_path / "training.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("method", ["sft", "iorpo", "orpo", "dpo", "simpo"])
def test_a_preset_is_a_training(name: Any, method: str):
    assert Training(**preset(name, method)).method == method


def test_the_papers_sft_rises_slowly_and_its_iorpo_does_not():
    assert Training(**preset("paper", "sft")).warmup == 0.1
    assert Training(**preset("paper", "iorpo")).warmup == 0.0


def test_the_small_preset_takes_a_text_of_the_embedded_books_as_it_is():
    small = Training(**preset("small", "iorpo"))
    assert small.max_tokens is None
    assert small.recompute


@pytest.mark.parametrize("batch", [2, 4, 6])
def test_halves_of_an_exchange_are_in_one_step(batch: int):
    """What both teach of a value alone then cancels."""
    model, how = language_model.tiny(), Training(batch=batch)
    examples = build(documents(words=(60, 80), limit=60).documents, seed=0, constraints=(2, 4))
    given = pairs_of(examples, shown="one") + pairs()[:3]  # three of no exchange among them
    rows, _ = token_pairs(model, given, how, "pair")
    links = [row.link for row in rows]
    assert any(links)
    task = Alignment(Weights(trainable(model, how)), rows, [], how)
    for seed in range(3):
        steps = task.batches(np.random.default_rng(seed))
        assert sorted(np.concatenate(steps).tolist()) == list(range(len(rows)))
        assert [len(step) for step in steps[:-1]] == [batch] * (len(steps) - 1)
        of_link = {
            link: {n for n, step in enumerate(steps) for row in step if links[row] == link} for link in links
        }
        assert all(len(steps_of) == 1 for link, steps_of in of_link.items() if link)
    first = np.concatenate(task.batches(np.random.default_rng(1)))
    assert first.tolist() != np.concatenate(task.batches(np.random.default_rng(2))).tolist()
