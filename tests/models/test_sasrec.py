from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import palate
from palate.datasets.simulate import markov_world
from palate.errors import DataError, PalateError, PalateWarning, PlanError, SavedModelError
from palate.interactions import Histories, Interactions
from palate.models.sasrec import SASRec
from palate.models.validation import Validation

SMALL: dict[str, Any] = {
    "embedding_size": 32,
    "blocks": 1,
    "window": 10,
    "batch": 2_048,
    "learning_rate": 0.01,
    "dropout": 0.1,
    "device": "cpu",
    "holdout": 0.0,
}


def ring(users: int = 60, items: int = 12) -> Interactions:
    """Everybody goes around in a ring, one item on, 3 to 10 long; those with odd numbers go backwards."""
    length = 3 + np.arange(users) // 2 % 8
    user = np.repeat(np.arange(users), length)
    time = np.concatenate([np.arange(n) for n in length])
    item = (user // 2 * 5 + np.where(user % 2, -time, time)) % items
    return Interactions.from_table({"user": user, "item": item, "time": time})


@pytest.fixture(scope="module")
def world() -> Any:
    made = markov_world(users=1_500, items=200, seed=1)
    return made, palate.split.last_out(made.interactions, valid=True)


@pytest.fixture(scope="module")
def fitted() -> SASRec:
    return SASRec(**SMALL, epochs=40).fit(ring())


def test_a_planted_markov_world_is_solved_by_sasrec_and_not_by_popularity(world: Any) -> None:
    made, split = world
    model = SASRec(**SMALL | {"learning_rate": 0.005}, epochs=30).fit(split.train, valid=split.valid)
    found = palate.evaluate(model, split, k=3, metrics="hit", bootstrap=0).estimate("hit@3").mean
    popular = palate.models.create("popularity").fit(split.train)
    known = palate.evaluate(popular, split, k=3, metrics="hit", bootstrap=0).estimate("hit@3").mean
    assert found > 0.98 * made.hit(3)
    assert known < 0.1


def test_a_ring_is_learned_and_a_history_that_was_never_seen_is_foretold(fitted: SASRec) -> None:
    found = fitted.recommend(histories=[[2, 3, 4], [1, 0], [6, 7, 8, 9, 10, 11, 0]], k=1)
    assert found["item"].to_list() == [5, 11, 1]


def test_order_counts(fitted: SASRec) -> None:
    scores = fitted.score(histories=[[3, 4, 5], [5, 4, 3]])
    assert scores[0].argmax() == 6
    assert scores[1].argmax() == 2


def test_what_lies_before_the_window_changes_nothing(fitted: SASRec) -> None:
    long = [n % 12 for n in range(25)]
    np.testing.assert_allclose(
        fitted.score(histories=[long]), fitted.score(histories=[long[-10:]]), rtol=1e-5, atol=1e-5
    )


def test_padding_changes_nothing(fitted: SASRec) -> None:
    """A short history beside a long one is scored as it is alone."""
    alone = fitted.score(histories=[[3, 4]])[0]
    beside = fitted.score(histories=[[3, 4], [1, 2, 3, 4, 5, 6, 7]])[0]
    np.testing.assert_allclose(alone, beside, rtol=1e-5, atol=1e-5)


def test_an_effect_is_what_the_score_loses_without_the_item(fitted: SASRec) -> None:
    why = fitted.explain(history=[2, 3, 4], item=5)
    whole, without = fitted.score(histories=[[2, 3, 4], [2, 3]], items=[5])[:, 0]
    effects = dict(zip(why.contributions["item"], why.contributions["contribution"], strict=True))
    assert effects[4] == pytest.approx(whole - without, rel=1e-4)
    assert set(effects) == {2, 3, 4}


@pytest.mark.parametrize("loss", ["ce", "sampled_ce", "gbce", "bce"])
def test_every_loss_learns_the_ring(loss: str) -> None:
    how = {"others_as": 6} if loss == "ce" else {"negatives": 6}
    epochs = 60 if "ce" in loss.split("_") else 150
    model = SASRec(**SMALL, epochs=epochs, loss=loss, heads=2, **how).fit(ring())
    told = [[(start + n) % 12 for n in range(5)] for start in range(12)]
    found = model.recommend(histories=told, k=1)["item"].to_list()
    assert sum(one == (start + 5) % 12 for start, one in enumerate(found)) >= 10


def test_bce_draws_what_the_user_did_not_choose_and_of_one_who_chose_everything_another_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from palate.neural import losses

    told = {0: [3, 1, 2], 1: [5, 4, 3, 2, 1, 0, 0, 1], 2: [5, 0]}
    rows = [(user, item, time) for user, items in told.items() for time, item in enumerate(items)]
    user, item, time = (np.array(column) for column in zip(*rows, strict=True))
    drawn: dict[int, set[int]] = {}
    plain = losses.binary_cross_entropy

    def watched(hidden: Any, table: Any, target: Any, negatives: Any, **rest: Any) -> Any:
        for one, others in zip(target.tolist(), negatives.tolist(), strict=True):
            drawn.setdefault(one, set()).update(others)
        return plain(hidden, table, target, negatives, **rest)

    monkeypatch.setattr(losses, "binary_cross_entropy", watched)
    # A window of one item, so that each learns its last alone: what stands before it was chosen all the same.
    few = SMALL | {"window": 1, "loss": "bce", "negatives": 40, "epochs": 20}
    SASRec(**few).fit(Interactions.from_table({"user": user, "item": item, "time": time}))
    assert drawn == {2: {0, 4, 5}, 1: {0, 2, 3, 4, 5}, 0: {1, 2, 3, 4}}


def test_the_best_epoch_of_validation_is_kept(world: Any) -> None:
    _, split = world
    model = SASRec(**SMALL | {"learning_rate": 0.05}, epochs=8, patience=2).fit(
        split.train, valid=split.valid
    )
    course = [row["valid_ndcg@10"] for row in model.fitted.trace]
    judged = Validation.of(split.valid, model.fitted, limit=4_000, seed=42)
    assert judged is not None
    lists, _ = model.recommend_codes(judged.users, k=10)
    assert judged.ndcg(lists) == pytest.approx(max(course), abs=1e-6)


def test_a_validation_part_of_strangers_is_as_none() -> None:
    strangers = Interactions.from_table({"user": [900], "item": [1], "time": [1]})
    with_them = SASRec(**SMALL, epochs=2).fit(ring(), valid=strangers)
    assert np.array_equal(with_them.score(), SASRec(**SMALL, epochs=2).fit(ring()).score())


def test_a_network_that_learned_with_its_weights_kept_is_exported_for_every_length(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    fitted = SASRec(**SMALL | {"window": 64}, epochs=1).fit(ring())
    network, _ = fitted.export(tmp_path / "sasrec.onnx")
    session = onnxruntime.InferenceSession(str(network))
    for length in (2, 31, 32, 40, 64):
        items = np.arange(length)[None] % 12
        (scores,) = session.run(None, {"items": items, "length": np.array([length])})
        np.testing.assert_allclose(
            scores, fitted.score(histories=[items[0].tolist()]), rtol=1e-5, atol=1e-5, err_msg=str(length)
        )


def test_onnxruntime_gives_the_same_scores(fitted: SASRec, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, (table,) = fitted.export(tmp_path / "sasrec.onnx")
    session = onnxruntime.InferenceSession(str(network))
    assert session.get_modelmeta().custom_metadata_map == {"items": "12", "window": "10"}
    known = pl.read_csv(table)
    assert known["code"].to_list() == list(range(12))
    assert known["item"].to_list() == fitted.items.ids.to_list()
    for histories in ([[3, 4, 5], [1, 2, 12]], [[7]], [[1, 2, 3, 4, 5, 6, 7]] * 5):
        items = np.array(histories, np.int64)
        length = (items < 12).sum(1)
        wanted = fitted.score(histories=[[code for code in one if code < 12] for one in histories])
        (scores,) = session.run(None, {"items": items, "length": length})
        np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)


def test_a_fitted_model_goes_on_with_new_data_and_new_items(fitted: SASRec) -> None:
    """A ring with another item in it: what was known stays known, and the new item is learned of."""
    old = fitted.score()
    more = ring(items=13)
    going = fitted.continue_fit(more)
    fresh = SASRec(**SMALL, epochs=1).fit(more)
    assert going.fitted.trace[0]["loss"] < 0.8 * fresh.fitted.trace[0]["loss"]
    assert going.recommend(histories=[[10, 11]], k=1)["item"].to_list() == [12]
    assert np.array_equal(fitted.score(), old)


# --- bad input ------------------------------------------------------------------------------------------------


def test_histories_of_one_event_alone_are_refused() -> None:
    with pytest.raises(DataError, match="no user has two events"):
        SASRec(**SMALL).fit(Interactions.from_table({"user": [1, 2], "item": [1, 2], "time": [1, 2]}))


def test_histories_of_one_and_two_events_and_one_item_again_and_again() -> None:
    table = {"user": [1, 2, 2, 3, 3, 3, 3], "item": [1, 1, 2, 5, 5, 5, 5], "time": [1, 1, 2, 1, 2, 3, 4]}
    model = SASRec(**SMALL, epochs=2).fit(Interactions.from_table(table))
    assert np.isfinite(model.score()).all()


def test_a_catalogue_of_one_item() -> None:
    one = Interactions.from_table({"user": [1, 1, 1], "item": [7, 7, 7], "time": [1, 2, 3]})
    model = SASRec(**SMALL, epochs=2, loss="sampled_ce").fit(one)
    assert model.recommend(exclude_seen=False)["item"].to_list() == [7]


def test_a_loss_that_is_no_number_stops_with_the_step_and_keeps_what_was_good() -> None:
    with pytest.raises(PalateError, match="in epoch 2, step 1 of 1: there is no good state"):
        SASRec(**SMALL | {"learning_rate": 1e30}, epochs=3).fit(ring())


def test_a_later_loss_that_is_no_number_keeps_the_last_good_state(monkeypatch: pytest.MonkeyPatch) -> None:
    from palate.models.sasrec.task import NextItem

    steps = SMALL | {"batch": 128}
    whole, calls = NextItem.loss, []

    def broken(self: NextItem, *args: Any) -> Any:
        loss, count = whole(self, *args)
        calls.append(1)
        return (loss * float("nan") if len(calls) == stop else loss), count

    stop = 0
    monkeypatch.setattr(NextItem, "loss", broken)
    good = SASRec(**steps, epochs=2).fit(ring())
    stop, calls[:] = len(calls) + 2, []
    with pytest.warns(PalateWarning, match="the loss is nan in epoch 3, step 2 of"):
        model = SASRec(**steps, epochs=5).fit(ring())
    assert np.array_equal(model.score(), good.score())


def exploding(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the weights grow beyond use, finite still, in the step that ends epoch `after` (of one step each)."""
    from palate.models.sasrec.task import NextItem

    whole, calls = NextItem.validate, []

    def broken(self: NextItem) -> dict[str, float]:
        told = whole(self)
        calls.append(1)
        if len(calls) == after:
            import torch

            with torch.no_grad():
                self.module.items.weight.mul_(1e30)
        return told | {"valid_ndcg@10": float(len(calls))} if told else told

    monkeypatch.setattr(NextItem, "validate", broken)


@pytest.mark.parametrize("holdout", [0.0, 0.2])
def test_a_state_that_the_next_loss_shows_to_be_broken_is_not_kept(
    holdout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = SMALL | {"holdout": holdout, "batch": 100_000}
    with monkeypatch.context() as calm:
        exploding(99, calm)
        good = SASRec(**how, epochs=2).fit(ring())
    exploding(3, monkeypatch)
    with pytest.warns(PalateWarning, match="in epoch 4, step 1 of 1"):
        model = SASRec(**how, epochs=6).fit(ring())
    assert np.array_equal(model.score(), good.score())


@pytest.mark.parametrize("holdout", [0.0, 0.2])
def test_weights_that_are_no_numbers_after_the_last_step_are_not_kept(
    holdout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from palate.models.sasrec.task import NextItem

    how = SMALL | {"holdout": holdout, "batch": 100_000}
    good = SASRec(**how, epochs=2).fit(ring())
    whole, calls = NextItem.loss, []

    def broken(self: NextItem, *args: Any) -> Any:
        loss, count = whole(self, *args)
        calls.append(1)
        if len(calls) == 3:
            loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss, count

    monkeypatch.setattr(NextItem, "loss", broken)
    with pytest.warns(PalateWarning, match="in epoch 3, step 1 of 1; the best state until then is kept"):
        model = SASRec(**how, epochs=3).fit(ring())
    assert np.array_equal(model.score(), good.score())


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"negatives": 5}, "loss = ce does not read negatives = 5; it is of sampled_ce and gbce and bce"),
        ({"loss": "bce", "others_as": 5}, "loss = bce does not read others_as = 5"),
        ({"calibration": 0.5}, "loss = ce does not read calibration = 0.5"),
        ({"loss": "gbce", "smoothing": 0.1}, "loss = gbce does not read smoothing = 0.1"),
    ],
)
def test_a_parameter_that_the_loss_does_not_read_is_refused(told: dict, what: str) -> None:
    with pytest.raises(PlanError, match=what):
        SASRec(**told)


@pytest.mark.parametrize(
    ("told", "lower"),
    [
        ({"embedding_size": 4_096, "batch": 16}, r"Lower embedding_size \(4096\) to 2048"),
        ({"batch": 2**20}, r"Lower batch \(1,048,576 positions\) to 524,288"),
        ({"batch": 1, "window": 300_000}, r"Lower window \(300,000\) to 150,000"),
    ],
)
def test_memory_that_runs_out_is_told_with_what_most_of_it_is_for(
    told: dict, lower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from palate.models.sasrec.task import NextItem

    def no_memory(self: NextItem, *args: Any) -> Any:
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory: …"
        )

    monkeypatch.setattr(NextItem, "loss", no_memory)
    with pytest.raises(MemoryError, match=lower):
        SASRec(epochs=1, **told).fit(ring())


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(
        PlanError, match="heads = 3 does not divide embedding_size = 32: take 1, 2, 4, 8, 16, 32"
    ):
        SASRec(**SMALL, heads=3)


def test_without_validation_rows_last_events_of_some_users_say_when_to_stop(world: Any) -> None:
    _, split = world
    asked = {"learning_rate": 0.05, "holdout": 0.2, "patience": 2, "epochs": 40}
    model = SASRec(**SMALL | asked).fit(split.train)
    course = [row["valid_ndcg@10"] for row in model.fitted.trace]
    assert len(course) - 1 - int(np.argmax(course)) == 2
    events = split.train.histories()
    held, rest = Validation.held_out(events, split.train.n_items, share=0.2, limit=4_000, seed=42)
    assert held is not None
    assert len(held) == 300
    assert rest.indptr[-1] == events.indptr[-1] - 300
    users = held.users[:20]
    assert held.items[:20].tolist() == [events.item[events.indptr[user + 1] - 1] for user in users]
    assert held.seen.lengths[:20].tolist() == (events.lengths[users] - 1).tolist()
    # What was kept from training is in the history that lists are made from.
    lists, _ = model.recommend_codes(users, k=10)
    assert not (lists == held.items[:20, None]).any()


def test_nobody_is_held_out_whose_last_event_repeats_or_who_would_have_nothing_left() -> None:
    items = np.array([0, 1, 0, 0, 1, 2, 3, 4], np.int32)
    events = Histories(np.array([0, 3, 5, 8]), items, np.ones(8, np.float32), None)
    held, rest = Validation.held_out(events, 5, share=1.0, limit=9, seed=0)
    assert held is not None
    assert (held.users.tolist(), held.items.tolist()) == ([2], [4])
    assert rest.item.tolist() == [0, 1, 0, 0, 1, 2, 3]
    assert Validation.held_out(events, 5, share=0.0, limit=9, seed=0) == (None, events)


def test_a_fit_leaves_the_random_numbers_of_the_program_alone() -> None:
    import torch

    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    SASRec(**SMALL, epochs=1).fit(ring())
    assert torch.equal(torch.rand(3), wanted)


def test_validation_rows_that_repeat_the_past_are_not_judged(world: Any) -> None:
    _, split = world
    model = SASRec(**SMALL, epochs=1).fit(split.train)
    assert Validation.of(split.train, model.fitted, limit=4_000, seed=1) is None
    judged = Validation.of(split.train_and_valid(), model.fitted, limit=10**6, seed=1)
    alone = Validation.of(split.valid, model.fitted, limit=10**6, seed=1)
    assert judged is not None
    assert alone is not None
    assert np.array_equal(judged.items, alone.items)


def test_each_validation_item_that_train_lacks_is_a_miss_of_its_own() -> None:
    train = Interactions.from_table({"user": [0, 0, 1, 1], "item": [1, 2, 2, 3], "time": [1, 2, 1, 2]})
    valid = Interactions.from_table({"user": [0, 0, 0, 1], "item": [3, 70, 71, 1], "time": [5, 6, 7, 5]})
    model = palate.models.create("popularity").fit(train)
    judged = Validation.of(valid, model.fitted, limit=9, seed=0)
    assert judged is not None
    lists = model.recommend_codes(k=10)[0]
    found = palate.evaluate(model, (train, valid), metrics=["ndcg"], bootstrap=0).estimate("ndcg@10").mean
    assert judged.ndcg(lists) == pytest.approx(found)
    alone = 1 / sum(1 / np.log2([2, 3, 4]))  # the one that is known, first of three
    assert judged.ndcg(np.array([[2], [0]])) == pytest.approx((alone + 1) / 2)


def test_explaining_a_history_longer_than_the_window_is_about_the_window(fitted: SASRec) -> None:
    history = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] * 3
    window = fitted.window
    short = fitted.explain(history=history[-window:], item=0)
    long = fitted.explain(history=history, item=0)
    assert long.score == pytest.approx(short.score, rel=1e-5)
    assert set(long.contributions["item"]) == set(history[-window:])


def test_a_second_fit_is_a_new_model() -> None:
    model = SASRec(**SMALL, epochs=2).fit(ring())
    model.score()
    again = model.fit(ring(items=15)).score()
    assert np.array_equal(again, SASRec(**SMALL, epochs=2).fit(ring(items=15)).score())


# --- checkpoints ----------------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_training_or_torn_is_refused(tmp_path: Path) -> None:
    SASRec(**SMALL, epochs=1, checkpoint=tmp_path).fit(ring())
    with pytest.raises(SavedModelError, match="another training"):
        SASRec(**SMALL | {"dropout": 0.3}, epochs=2, checkpoint=tmp_path).fit(ring())
    with pytest.raises(SavedModelError, match="another training"):
        SASRec(**SMALL, epochs=2, checkpoint=tmp_path).fit(ring(users=61))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SavedModelError, match="torn"):
        SASRec(**SMALL, epochs=2, checkpoint=tmp_path).fit(ring())


def test_a_checkpoint_that_is_further_on_than_was_asked_is_refused(tmp_path: Path) -> None:
    SASRec(**SMALL, epochs=3, checkpoint=tmp_path).fit(ring())
    with pytest.raises(SavedModelError, match="is of 3 epochs, and epochs = 2"):
        SASRec(**SMALL, epochs=2, checkpoint=tmp_path).fit(ring())


def test_what_goes_on_from_a_checkpoint_ends_in_the_same_bits(tmp_path: Path) -> None:
    whole = SASRec(**SMALL, epochs=6, loss="sampled_ce").fit(ring())
    SASRec(**SMALL, epochs=3, loss="sampled_ce", checkpoint=tmp_path).fit(ring())
    again = SASRec(**SMALL, epochs=6, loss="sampled_ce", checkpoint=tmp_path).fit(ring())
    assert [row["epoch"] for row in again.fitted.trace] == [1, 2, 3, 4, 5, 6]
    assert np.array_equal(again.score(), whole.score())
    loaded = palate.load_model(
        again.save(tmp_path / "model")
    )  # where the training was kept is a parameter too
    assert np.array_equal(loaded.score(), whole.score())
    assert len(loaded.continue_fit(ring(items=13)).items) == 13


def test_what_is_learned_of_a_history_is_its_last_events() -> None:
    from palate.models.sasrec.task import last_of_each

    histories = Histories(
        np.array([0, 1, 8, 10], np.int64), np.arange(10, dtype=np.int32), np.ones(10, np.float32), None
    )
    indptr, items, user = last_of_each(histories, 3)
    assert user.tolist() == [1, 2]
    assert [items[a:b].tolist() for a, b in pairwise(indptr)] == [
        [4, 5, 6, 7],
        [8, 9],
    ]


def test_nothing_is_warned_of(world: Any) -> None:
    _, split = world
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SASRec(**SMALL, epochs=1).fit(split.train, valid=split.valid)
