from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import palate
from palate.errors import NotSupported, PalateError, PlanError, SavedModelError
from palate.interactions import Interactions
from palate.models.ncf import NCF, scoring
from palate.models.ncf.network import Network
from palate.models.ncf.training import Choices, Learning, arrays, fuse
from tests.worlds import checkerboard, world

SMALL: dict[str, Any] = {
    "factors": 6,
    "layers": (16, 8, 5),
    "epochs": 5,
    "batch": 64,
    "learning_rate": 0.02,
    "negatives": 4,
    "weight_decay": 0.1,
}
SHAPES = [(3, ()), (0, (8, 5)), (4, (6, 7)), (5, (12, 9, 4)), (2, (10, 8, 7, 6))]


def network(
    factors: int, layers: tuple[int, ...], *, users: int = 9, items: int = 70, seed: int = 0
) -> Network:
    """Return one whose numbers are all of the size of one."""
    torch.manual_seed(seed)
    made = Network(users, items, factors, layers, odds=0.25)
    with torch.no_grad():
        for part in made.parameters():
            part.copy_(torch.randn_like(part))
    return made


def by_the_paper(weights: scoring.Weights, user: int, item: int) -> float:
    """Return formula 12 for one pair: concatenate, multiply, rectify."""
    score = float(weights["base"][0])
    factors = weights["gmf_item"].shape[1]
    product = weights["gmf_user"][user].astype(float) * weights["gmf_item"][item]
    score += float(product @ weights["output"][:factors])
    depth = scoring.depth(weights)
    if depth:
        x = np.concatenate([weights["mlp_user"][user], weights["mlp_item"][item]]).astype(float)
        for layer in range(depth):
            x = np.maximum(weights[f"hidden.{layer}.weight"] @ x + weights[f"hidden.{layer}.bias"], 0)
        score += float(x @ weights["output"][factors:])
    return score


@pytest.mark.parametrize(("factors", "layers"), SHAPES)
def test_network_and_kernel_score_as_the_formula_of_the_paper(factors: int, layers: tuple[int, ...]) -> None:
    made = network(factors, layers)
    users, items = np.array([8, 0, 3], np.int32), np.arange(70, dtype=np.int32)[::-1].copy()
    wanted = [[by_the_paper(arrays(made), u, i) for i in items] for u in users]
    found = scoring.scores(arrays(made), users, items)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)
    with torch.no_grad():
        logits = made(torch.from_numpy(users).long(), torch.from_numpy(np.tile(items, (3, 1))).long())
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("factors", "layers"), SHAPES)
def test_a_score_is_the_same_to_the_bit_whoever_else_is_asked_for(
    factors: int, layers: tuple[int, ...]
) -> None:
    weights = arrays(network(factors, layers))
    users, items = np.arange(9, dtype=np.int32), np.arange(70, dtype=np.int32)
    every = scoring.scores(weights, users, items)
    some, few = users[[7, 2]], items[[69, 1, 33]]
    assert np.array_equal(scoring.scores(weights, some, few), every[np.ix_(some, few)])


@pytest.mark.parametrize(("factors", "layers"), [(3, ()), (0, (8, 5)), (4, (6, 7, 3))])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(
    factors: int, layers: tuple[int, ...]
) -> None:
    choices = Choices.of_pairs(np.array([0, 2, 5]), np.array([1, 4, 0, 2, 6], np.int32), 8)
    made = network(factors, layers, users=2, items=8).double()
    task = Learning(made, choices, batch=5, per=3)
    (rows,) = task.batches(np.random.default_rng(1))
    loss, count = task.loss(rows, np.random.default_rng(1))
    assert count == 5 * 4
    loss.backward()
    step = 1e-6
    with torch.no_grad():
        for part in made.parameters():
            if part.numel() == 0:
                continue
            slope = torch.zeros_like(part)
            for place in range(part.numel()):
                at = part.view(-1)
                value = float(at[place])
                sides = []
                for move in (step, -step):
                    at[place] = value + move
                    sides.append(float(task.loss(rows, np.random.default_rng(1))[0]))
                at[place] = value
                slope.view(-1)[place] = (sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(part.grad, slope, rtol=1e-6, atol=1e-6)


def test_every_choice_comes_once_an_epoch_with_negatives_that_are_no_choices_and_new_each_time() -> None:
    indptr, items = world(2).pairs()
    choices = Choices.of_pairs(indptr, items, 20)
    task = Learning(network(2, (), users=25, items=20), choices, batch=32, per=6)
    chosen = {(u, i) for u in range(25) for i in items[indptr[u] : indptr[u + 1]]}
    drawn = []
    for seed in (1, 2):
        batches = task.batches(np.random.default_rng(seed))
        assert {len(rows) for rows in batches[:-1]} == {32}
        rows = np.concatenate(batches)
        assert sorted(rows) == list(range(len(choices)))
        beside = task.beside(rows)
        pairs = zip(choices.user[rows], beside[:, 0], strict=True)
        assert set(pairs) == {pair for pair in chosen if np.diff(indptr)[pair[0]] < 20}
        owners = np.repeat(choices.user[rows], 6)
        assert not chosen & set(zip(owners, beside[:, 1:].ravel(), strict=True))
        drawn.append(task.beside(np.arange(len(choices)))[:, 1:])
    assert (drawn[0] != drawn[1]).mean() > 0.5


def test_the_first_loss_is_that_of_the_share_of_choices() -> None:
    data = world(1)
    first = NCF(**SMALL | {"epochs": 1, "learning_rate": 1e-9}).fit(data).fitted.trace[0]["loss"]
    share = np.array([1, 4]) / 5
    assert first == pytest.approx(-(share * np.log(share)).sum(), abs=2e-3)


def test_fused_it_begins_with_alpha_times_gmf_and_the_rest_of_the_mlp() -> None:
    gmf, mlp, both = network(4, (), seed=1), network(0, (6, 5, 3), seed=2), network(4, (6, 5, 3), seed=3)
    users, items = torch.arange(9), torch.arange(70).repeat(9, 1)
    for alpha in (0.0, 0.3, 1.0):
        fuse(both, gmf, mlp, alpha)
        with torch.no_grad():
            wanted = alpha * gmf(users, items) + (1 - alpha) * mlp(users, items)
            torch.testing.assert_close(both(users, items), wanted, rtol=1e-5, atol=1e-5)


def test_pretraining_lowers_where_neumf_begins_and_is_told() -> None:
    data = checkerboard()
    params = SMALL | {"epochs": 8, "learning_rate": 0.05}
    plain = NCF(**params).fit(data).fitted.trace
    trace = NCF(**params, pretrain=True).fit(data).fitted.trace
    assert [row["pretraining"] for row in trace] == [1.0] * 16 + [0.0] * 3
    assert trace[16]["loss"] < plain[0]["loss"]


def test_validation_rows_stop_it_and_the_best_epoch_is_kept() -> None:
    rows = world(4, users=60, items=30, count=1_500).positive().table().unique(["user", "item"])
    parts = palate.split.stratified(Interactions.from_table(rows), ratio=0.8, seed=1, valid=0.2)
    params = SMALL | {"epochs": 60, "learning_rate": 0.1, "weight_decay": 0.0, "patience": 2}
    model = NCF(**params).fit(parts.train, valid=parts.valid)
    told = [row["valid_ndcg@10"] for row in model.fitted.trace]
    assert len(told) < 60
    assert len(told) - 1 - int(np.argmax(told)) == 2  # patience
    judged = palate.evaluate(model, (parts.train, parts.valid), metrics=["ndcg"], bootstrap=0)
    assert max(told) == pytest.approx(judged.estimate("ndcg@10").mean)


def test_threads_of_torch_change_scores_by_rounding_only_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    data, before = world(3), torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found, used, step = [], [], Learning.loss

    def counted(self: Learning, *args: Any) -> Any:
        used.append(torch.get_num_threads())
        return step(self, *args)

    monkeypatch.setattr(Learning, "loss", counted)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(NCF(**SMALL).fit(data).score())
            assert set(used) == {threads}
            assert torch.get_num_threads() == threads
            used.clear()
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        NCF(**SMALL).fit(data)
        assert (set(used), torch.get_num_threads()) == ({1}, 2)  # as the environment says, and then as before
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-5)


def test_another_seed_is_another_model_and_the_global_one_is_no_matter() -> None:
    data = world(3)
    torch.manual_seed(1)
    one = NCF(**SMALL).fit(data).score()
    torch.manual_seed(2)
    assert np.array_equal(one, NCF(**SMALL).fit(data).score())
    assert not np.array_equal(one, NCF(**SMALL, seed=7).fit(data).score())


def test_who_chose_everything_teaches_nothing_and_is_answered() -> None:
    full = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2]}
    model = NCF(**SMALL).fit(Interactions.from_table(full))
    assert model.fitted.trace == []
    assert model.recommend().is_empty()
    assert np.isfinite(model.score()).all()


def test_a_stranger_is_sent_to_a_model_that_folds_in() -> None:
    model = NCF(**SMALL).fit(world())
    with pytest.raises(NotSupported, match="ials"):
        model.recommend(histories=[[5, 10]])
    blend = palate.models.create(
        "blend", models=[{"name": "ease"}, {"name": "ncf", **SMALL, "layers": [8, 4]}]
    )
    blend.fit(world())
    with pytest.raises(NotSupported, match="blend learns each user by name"):
        blend.recommend(histories=[[5, 10]])
    assert blend.recommend(k=3).height == 75


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"architecture": "nmf"}, "Did you mean"),
        ({"layers": [15, 8]}, r"layers = \[15, 8\]: the first is .* so it is even: take 16 for 15\.$"),
        ({"epochs": "ten"}, r"epochs = 'ten' is not what was expected: a whole number, such as 20\.$"),
        ({"layers": [16]}, "at least 2"),
        ({"layers": [16, 0]}, "greater than or equal to 1"),
        ({"negatives": 0}, "greater than or equal to 1"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"alpha": 1.5}, "less than or equal to 1"),
        ({"device": "gpu"}, "device = 'gpu' .* Did you mean 'cuda'"),
    ],
)
def test_parameters_that_make_no_network_are_refused_by_name(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message) as error:
        NCF(**params)
    assert str(error.value).startswith(f"ncf: {next(iter(params))} = ")


def test_a_loss_that_is_no_number_says_what_to_lower() -> None:
    with pytest.raises(PalateError, match=r"Lower learning_rate"):
        NCF(**SMALL | {"learning_rate": 1e30, "weight_decay": 0.0}).fit(world())


@pytest.mark.parametrize("pretrain", [False, True])
def test_what_goes_on_from_a_checkpoint_ends_in_the_same_bits(pretrain: bool, tmp_path: Path) -> None:
    """Stopped in its last stage: what was trained before is taken from the disk."""
    params = SMALL | {"epochs": 6, "pretrain": pretrain}
    whole = NCF(**params).fit(world())
    calls, kept = [], Learning.loss

    def killed(self: Learning, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return kept(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        stop = 0
        patch.setattr(Learning, "loss", killed)
        NCF(**params).fit(world())
        stop, calls[:] = len(calls), []
        with pytest.raises(KeyboardInterrupt):
            NCF(**params, checkpoint=tmp_path).fit(world())
        stop, calls[:] = 0, []
        again = NCF(**params, checkpoint=tmp_path).fit(world())
        assert len(calls) < 0.2 * len(whole.fitted.trace) * -(-len(world()) // SMALL["batch"])
    for name, array in whole.fitted.state.weights.items():
        assert np.array_equal(array, again.fitted.state.weights[name])
    with pytest.raises(SavedModelError, match="belongs to another training"):
        NCF(**params | {"negatives": 3}, checkpoint=tmp_path).fit(world())


def test_parts_that_learn_longer_make_both_begin_anew(tmp_path: Path) -> None:
    params = SMALL | {"pretrain": True, "schedule": "constant"}
    NCF(**params | {"epochs": 2}, checkpoint=tmp_path).fit(world())
    longer = NCF(**params | {"epochs": 6}, checkpoint=tmp_path).fit(world())
    fresh = NCF(**params | {"epochs": 6}).fit(world())
    for name, array in fresh.fitted.state.weights.items():
        assert np.array_equal(array, longer.fitted.state.weights[name])


def test_a_batch_larger_than_the_data_is_one_step() -> None:
    model = NCF(**SMALL | {"batch": 10**6}).fit(world())
    assert len(model.fitted.trace) == SMALL["epochs"]


def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    model = NCF(**SMALL).fit(world())
    weights = model.fitted.state.weights
    assert scoring.sound(weights, 20)
    assert not scoring.sound(weights, 21)
    for name, array in weights.items():
        assert not scoring.sound({key: part for key, part in weights.items() if key != name}, 20)
        assert not scoring.sound(weights | {name: array[:-1]}, 20)
        assert not scoring.sound(weights | {name: array.astype(np.float64)}, 20)
    model.fitted.state.weights = weights | {"hidden.1.bias": weights["hidden.1.bias"][:-1]}
    model.save(tmp_path / "model")
    with pytest.raises(SavedModelError, match="do not fit"):
        palate.load_model(tmp_path / "model")


def test_it_beats_popularity_where_tastes_differ() -> None:
    """Two groups of users with items of their own, and some items for all."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(120), 14)
    own = rng.random(len(user)) < 0.8
    item = np.where(
        own, 100 * (user % 2) + rng.integers(0, 30, len(user)), 500 + rng.integers(0, 20, len(user))
    )
    parts = palate.split.stratified(Interactions.from_table({"user": user, "item": item}), ratio=0.7, seed=1)
    figures = {}
    for name, params in (
        ("ncf", SMALL | {"epochs": 15, "learning_rate": 0.03}),
        ("popularity", {}),
    ):
        model = palate.models.create(name, **params).fit(parts.train)
        figures[name] = palate.evaluate(model, parts, metrics=["ndcg"], bootstrap=0).estimate("ndcg@10").mean
    assert figures["ncf"] > 1.3 * figures["popularity"]


@pytest.mark.skipif("PALATE_DATA" not in os.environ, reason="needs MovieLens-100K: set PALATE_DATA")
def test_movielens_100k_by_the_protocol_of_the_tutorial() -> None:
    data = palate.load("movielens-100k", offline=True).interactions
    parts = palate.split.chronological(data, ratio=0.75, cold="drop")
    told = palate.evaluate(
        NCF().fit(parts.train), parts, bootstrap=0, metrics=["ndcg", "map_all", "precision", "recall"]
    )
    for key, least in (("ndcg", 0.2005), ("map_all", 0.0497), ("precision", 0.183), ("recall", 0.1027)):
        assert told.estimate(f"{key}@10").mean >= least, key
