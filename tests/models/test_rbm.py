"""RBM as a model: what it learns, what it says, and what it refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import palate
from palate import Interactions, split
from palate.errors import DataError, NotSupported, PalateWarning, PlanError
from palate.models.rbm import RBM, machine, training
from palate.models.rbm.cells import Scale
from tests.worlds import rows, world

QUICK = {"hidden": 8, "epochs": 8, "batch": 8}
KINDS = ("bernoulli", "softmax", "multinomial", "joint")
every_kind = pytest.mark.parametrize("visible", KINDS)
every_rating_kind = pytest.mark.parametrize("visible", KINDS[1:])


def tastes(
    seed: int = 0, *, users: int = 120, items: int = 40, scale: tuple[float, ...] = (1, 2, 3, 4, 5)
) -> pl.DataFrame:
    """Two camps: each rates a half of the items high and the other low, with noise; a third of all pairs."""
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((users, items)) < 0.35)
    likes = (user % 2) == (item % 2)
    top = len(scale) - 1
    place = np.where(likes, top - rng.integers(0, 2, len(user)), rng.integers(0, 2, len(user)))
    return pl.DataFrame({"user": user, "item": item, "value": np.asarray(scale, float)[place]})


def rmse(model: RBM, test: Interactions) -> float:
    rating = model.rate(test)["rating"].to_numpy()
    return float(np.sqrt(np.mean((rating - test.value) ** 2)))


# --- learning ---------------------------------------------------------------------------------------------------


@every_rating_kind
@pytest.mark.parametrize("orientation", ["user", "item"])
def test_planted_tastes_are_found(visible: str, orientation: str) -> None:
    parts = split.random(Interactions.from_table(tastes()), ratio=0.8)
    model = RBM(visible=visible, orientation=orientation, epochs=60, batch=10).fit(parts.train)
    spread = float(parts.test.value.std())
    assert rmse(model, parts.test) < 0.5 * spread  # the noise alone is 0.3 of it


@pytest.mark.parametrize("orientation", ["user", "item"])
def test_planted_choices_are_found(orientation: str) -> None:
    liked = tastes().filter(pl.col("value") > 3)
    model = RBM(orientation=orientation, hidden=20, batch=10).fit(Interactions.from_table(liked))
    top = model.recommend(k=3).join(liked.select("user", camp=pl.col("item") % 2).unique(), on="user")
    assert (top["item"] % 2 == top["camp"]).mean() > 0.95


def test_k_grows_by_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    rebuild = machine.Seen.rebuild

    def counted(self: Any, *args: Any) -> Any:
        drawn.append(1)
        return rebuild(self, *args)

    monkeypatch.setattr(machine.Seen, "rebuild", counted)
    model = RBM(hidden=4, epochs=6, batch=100, cd_steps=(1, 3, 5)).fit(world())
    assert len(drawn) == 2 * (1 + 3 + 5)  # one batch an epoch, two epochs each
    assert [row["k"] for row in model.fitted.trace] == [1, 1, 3, 3, 5, 5]


@pytest.mark.parametrize(("visible", "kind"), [("bernoulli", machine.Seen), ("softmax", machine.Rated)])
def test_persistent_chains_go_on_where_they_were(
    visible: str, kind: type[machine.Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[tuple[np.ndarray, np.ndarray]] = []
    begun: list[np.ndarray] = []
    learn, rebuild = training._learn, kind.rebuild

    def watched(*args: Any) -> None:
        *_, chains, started, places, rng = args
        if len(chains):  # states that no gradient would leave: only a chain that is used begins there
            chains[:] = rng.random(chains.shape) < 0.5
        expected.append((chains[places], started[places]) if len(chains) else (chains.copy(), started.copy()))
        learn(*args)

    def counted(self: Any, cells: Any, hidden: Any, rng: Any) -> Any:
        begun.append(hidden.copy())
        return rebuild(self, cells, hidden, rng)

    monkeypatch.setattr(training, "_learn", watched)
    monkeypatch.setattr(kind, "rebuild", counted)
    how = {"visible": visible, "hidden": 12, "epochs": 3, "batch": 10, "keep_prob": 1.0}
    RBM(persistent=True, **how).fit(world())
    assert len(begun) == len(expected)
    for state, (chain, going) in zip(begun, expected, strict=True):
        assert np.array_equal(state[going], chain[going])
    cases = sum(len(going) for _, going in expected)
    new = 10 if visible == "bernoulli" else 25  # a chain for each place in a batch, or for each case
    assert sum(going.sum() for _, going in expected) == cases - new
    expected.clear()
    RBM(**how).fit(world())
    assert all(chain.shape == (0, 12) for chain, _ in expected)


@every_kind
def test_dropout_is_of_training_only(visible: str) -> None:
    model = RBM(visible=visible, **QUICK, keep_prob=0.5).fit(world())
    assert np.array_equal(model.score(), model.score())
    thin, full = (RBM(visible=visible, **QUICK, keep_prob=keep).fit(world()).score() for keep in (0.5, 1.0))
    assert not np.array_equal(thin, full)


def test_scores_are_the_probabilities_of_the_machine() -> None:
    model = RBM(**QUICK, keep_prob=0.7).fit(world())
    state = model.fitted.state
    pairs = world().pairs()
    x = np.zeros((25, 20))
    x[np.repeat(np.arange(25), np.diff(pairs[0])), pairs[1]] = 1
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    hidden = sigmoid(x @ state.seen_weight[:, 0].astype(float) + state.seen_hidden_bias)
    wanted = sigmoid(0.7 * hidden @ state.seen_weight[:, 0].T.astype(float) + state.seen_bias[:, 0])
    np.testing.assert_allclose(model.score(), wanted, rtol=1e-9)


def test_joint_is_the_probability_times_the_expected_rating() -> None:
    joint = RBM(visible="joint", **QUICK).fit(world())
    seen = RBM(**QUICK).fit(world())
    rated = RBM(visible="softmax").fit(world())
    np.testing.assert_allclose(joint.score(), seen.score() * rated.score(), rtol=1e-9)
    pairs = {"user": [1_000, 1_007], "item": [-40, 55]}
    assert joint.rate(pairs).equals(rated.rate(pairs))


@every_kind
def test_watching_validation_rows_changes_nothing_and_is_told(visible: str) -> None:
    parts = split.random(Interactions.from_table(tastes()), ratio=0.9, valid=0.2)
    told = RBM(visible=visible, **QUICK).fit(parts.train, valid=parts.valid)
    alone = RBM(visible=visible, **QUICK).fit(parts.train)
    assert np.array_equal(told.score(), alone.score())
    last = [row for row in told.fitted.trace if row["epoch"] == max(r["epoch"] for r in told.fitted.trace)][
        -1
    ]
    error = "nll" if visible == "bernoulli" else "rmse"
    energy = "rated_free_energy" if visible == "joint" else "free_energy"
    assert {f"train_{error}", f"valid_{error}", energy, "k", "seconds"} <= set(last)
    if visible in ("softmax", "multinomial"):
        assert last["valid_rmse"] == pytest.approx(rmse(told, parts.valid), rel=1e-5)


def test_the_two_machines_of_a_joint_model_tell_by_names_of_their_own() -> None:
    parts = split.random(Interactions.from_table(tastes()), ratio=0.9, valid=0.2)
    trace = RBM(visible="joint", **QUICK).fit(parts.train, valid=parts.valid).fitted.trace
    seen, rated = trace[:8], trace[8:]
    assert [row["epoch"] for row in seen] == list(range(1, 9))
    assert [row["epoch"] for row in rated] == list(range(1, 41))
    of_both = {"epoch", "k", "seconds"}
    assert all(set(row) - of_both == {"seen_free_energy", "train_nll", "valid_nll"} for row in seen)
    assert all(set(row) - of_both == {"rated_free_energy", "train_rmse", "valid_rmse"} for row in rated)


def test_learning_rebuilds_train_ever_better() -> None:
    trace = RBM(hidden=20, epochs=30, batch=10).fit(Interactions.from_table(tastes())).fitted.trace
    assert trace[-1]["train_nll"] < trace[0]["train_nll"]


def test_numbers_that_run_away_stop_training_at_the_last_good_epoch() -> None:
    with pytest.warns(PalateWarning, match=r"epoch \d+ of 50.*Lower learning_rate"):
        model = RBM(hidden=8, epochs=50, batch=5, learning_rate=1e4, l2=1.0, momentum=0.99).fit(world())
    assert np.isfinite(model.score()).all()


# --- scales -----------------------------------------------------------------------------------------------------


@every_rating_kind
@pytest.mark.parametrize("scale", [(0.5, 1.0, 1.5, 4.5, 5.0), (0, 1, 2, 9, 10), (-0.0, 0.1, 0.2, 0.3)])
def test_any_scale_will_do(visible: str, scale: tuple[float, ...]) -> None:
    data = Interactions.from_table(tastes(scale=scale))
    model = RBM(visible=visible, **QUICK).fit(data)
    rating = model.rate(data)["rating"].to_numpy()
    assert scale[0] <= rating.min() <= rating.max() <= np.float32(scale[-1])


@pytest.mark.parametrize("visible", ["softmax", "multinomial"])
def test_being_rated_at_all_speaks_when_asked(visible: str) -> None:
    # What each camp rates among items 8 to 39 tells it from the other; how it rates them is noise. On the first 8
    # items they differ, but of the first ten users nobody knows that.
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((80, 40)) < 0.5)
    kept = np.where(item < 8, user >= 10, user % 2 == item % 2)
    user, item = user[kept], item[kept]
    value = np.where(item < 8, np.where(user % 2, 5, 1), rng.integers(1, 6, len(user)))
    data = Interactions.from_table({"user": user, "item": item, "value": value.astype(float)})
    apart = []
    for conditional in (False, True):
        model = RBM(visible=visible, conditional=conditional, epochs=60, batch=5).fit(data)
        liked = model.score(users=range(10), items=range(8)).mean(1)
        apart.append(liked[1::2].mean() - liked[::2].mean())
    assert apart[1] > apart[0] + 0.2


def test_a_told_scale_may_have_levels_that_train_lacks() -> None:
    data = Interactions.from_table(tastes().filter(pl.col("value") != 2))
    model = RBM(visible="softmax", scale=(1, 2, 3, 4, 5), **QUICK).fit(data)
    assert model.fitted.state.rated_values.tolist() == [1, 2, 3, 4, 5]


def test_ratings_off_the_told_scale_are_counted_and_refused() -> None:
    table = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "value": [1.0, 7.0, 2.0, 7.0]}
    with pytest.raises(DataError, match=r"2 of 4 ratings are off the scale 1.0, 2.0, 3.0 \(7.0\)"):
        RBM(visible="softmax", scale=(1, 2, 3)).fit(Interactions.from_table(table))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), 1e39])
def test_a_scale_with_a_number_that_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(PlanError, match=rf"a scale with {re.escape(str(wrong))}: .*1 to 256 finite numbers"):
        RBM(visible="softmax", scale=(1.0, wrong, 5.0))


def test_a_scale_without_ratings_is_refused() -> None:
    with pytest.raises(PlanError, match=r"a scale of 0 distinct ratings: .*1 to 256 finite numbers"):
        RBM(visible="softmax", scale=())


def test_a_told_scale_has_as_many_levels_as_a_byte_holds_and_no_more() -> None:
    data = Interactions.from_table(tastes().with_columns(value=pl.col("value") + 250))
    model = RBM(visible="multinomial", scale=tuple(range(256)), hidden=4, epochs=2).fit(data)
    assert model.rate(data)["rating"].min() > 200
    with pytest.raises(PlanError, match=r"a scale of 257 distinct ratings: .*1 to 256 finite numbers"):
        RBM(visible="multinomial", scale=tuple(range(257)))
    assert len(Scale.told((*range(256), 255)).values) == 256


def test_values_that_are_no_scale_are_refused() -> None:
    table = rows().with_columns(value=pl.int_range(pl.len()).cast(float))
    with pytest.raises(DataError, match=r"distinct values.*no scale of ratings"):
        RBM(visible="softmax").fit(Interactions.from_table(table))


def test_a_stranger_off_the_scale_is_taken_as_its_end_with_a_warning() -> None:
    model = RBM(visible="softmax", **QUICK).fit(Interactions.from_table(tastes()))
    told = {"user": ["x", "x"], "item": [1, 2], "value": [9.0, 1.0]}
    with pytest.warns(PalateWarning, match="1 of 2 ratings are off the scale of 1 to 5"):
        beyond = model.score(histories=pl.DataFrame(told))
    assert np.array_equal(beyond, model.score(histories=pl.DataFrame(told | {"value": [5.0, 1.0]})))


def test_a_pair_rated_twice_counts_once_at_its_mean() -> None:
    table = tastes()
    twice = pl.concat([table.with_columns(value=pl.col("value") + by) for by in (-0.4, 0.4)])
    twice = twice.with_columns(value=pl.col("value").round(1))
    scale = tuple(np.unique(np.r_[table["value"], twice["value"]]).round(1).tolist())
    once, again = (
        RBM(visible="softmax", scale=scale, **QUICK).fit(Interactions.from_table(one))
        for one in (table, twice)
    )
    np.testing.assert_allclose(once.score(), again.score(), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*there is nothing to learn:palate.errors.PalateWarning")
@every_rating_kind
def test_one_rating_only_is_what_is_expected_of_all(visible: str) -> None:
    data = Interactions.from_table(tastes().with_columns(value=pl.lit(3.0)))
    model = RBM(visible=visible, **QUICK).fit(data)
    np.testing.assert_allclose(model.rate(data)["rating"], 3.0, rtol=1e-12)


# --- what it says -----------------------------------------------------------------------------------------------


@every_kind
def test_an_effect_is_what_the_score_loses_without_the_item(visible: str) -> None:
    data = Interactions.from_table(tastes())
    model = RBM(visible=visible, **QUICK).fit(data)
    one = data.select(data.user == 7)
    why = model.explain(user=7, item=5)
    assert why.contributions.height == len(one)
    for n in range(len(one)):
        left = one.select(np.arange(len(one)) != n)
        less = model.score(histories=left, items=[5])[0, 0]
        effect = why.contributions.filter(pl.col("item") == one.table()["item"][n])["contribution"][0]
        assert effect == pytest.approx(why.score - less, abs=1e-9)


def test_what_a_kind_cannot_do_is_said() -> None:
    with pytest.raises(NotSupported, match="rbm has no rate"):
        RBM(**QUICK).fit(world()).rate({"user": [1_000], "item": [0]})
    with pytest.raises(NotSupported, match="rbm has no explain"):
        RBM(visible="softmax", orientation="item", **QUICK).fit(world()).explain(user=1_000, item=0)
    with pytest.raises(PlanError, match="conditional is of ratings"):
        RBM(conditional=True)
    with pytest.raises(PlanError, match="scale is of ratings"):
        RBM(scale=(1, 2))


def test_rating_kinds_need_ratings_and_bernoulli_does_not() -> None:
    data = Interactions.from_table(rows().select("user", "item"))
    with pytest.raises(DataError, match="no value column"):
        RBM(visible="softmax").fit(data)
    assert RBM(**QUICK).fit(data).recommend(k=1).height > 0


def test_each_kind_has_defaults_of_its_own_and_what_is_given_stands() -> None:
    assert RBM().params() == RBM(visible="bernoulli").params()
    assert RBM(visible="softmax").hidden != RBM().hidden
    assert RBM(visible="softmax", hidden=300).hidden == 300


def test_likes_told_without_ratings_speak_to_a_machine_of_ratings() -> None:
    model = RBM(visible="softmax", epochs=40, batch=10).fit(Interactions.from_table(tastes()))
    even, odd = model.score(histories=[[0, 2, 4, 6], [1, 3, 5, 7]])
    assert even[8::2].mean() > even[9::2].mean() + 1
    assert odd[9::2].mean() > odd[8::2].mean() + 1


@pytest.mark.parametrize("visible", KINDS)
def test_a_stranger_by_item_is_judged_by_their_own_ratings(visible: str) -> None:
    data = Interactions.from_table(tastes())
    model = RBM(visible=visible, orientation="item", epochs=40, batch=5).fit(data)
    stranger = {"user": ["x"] * 6, "item": [0, 2, 4, 1, 3, 5], "value": [5.0, 5.0, 5.0, 1.0, 1.0, 1.0]}
    if visible == "bernoulli":
        stranger = {name: column[:3] for name, column in stranger.items()}
        data = Interactions.from_table(tastes().filter(pl.col("value") > 3))
        model = RBM(orientation="item", epochs=40, batch=5).fit(data)
    score = model.score(histories=pl.DataFrame(stranger))[0]
    assert score[6::2].mean() > score[7::2].mean()


# --- draws ------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("orientation", ["user", "item"])
def test_a_sample_completes_the_past_and_repeats_under_its_seed(visible: str, orientation: str) -> None:
    data = Interactions.from_table(tastes(users=40, items=20))
    model = RBM(visible=visible, orientation=orientation, **QUICK).fit(data)
    drawn = model.sample(users=[3, 5], seed=1)
    assert drawn.columns == (["user", "item"] if visible == "bernoulli" else ["user", "item", "rating"])
    past = data.table().select("user", "item")
    assert drawn.join(past, on=["user", "item"]).is_empty()
    assert drawn.equals(model.sample(users=[3, 5], seed=1))
    assert not drawn.equals(model.sample(users=[3, 5], seed=2))
    assert set(model.sample(users=[3], items=[0, 1, 2])["item"]) <= {0, 1, 2}
    if visible != "bernoulli":
        assert set(drawn["rating"]) <= {1, 2, 3, 4, 5}
    with pytest.raises(PlanError, match="at least 1 step"):
        model.sample(steps=0)


def test_samples_are_as_frequent_as_the_machine_says() -> None:
    # With weights of 0 the hidden units say nothing: items come with the probability of their bias alone.
    model = RBM(**QUICK).fit(world())
    model.fitted.state.seen_weight[:] = 0
    chance = model.score(users=[1_000])[0]
    past = set(world().table().filter(pl.col("user") == 1_000)["item"])
    draws = [model.sample(users=[1_000], steps=1, seed=seed)["item"].to_list() for seed in range(400)]
    count = np.array([sum(item in one for one in draws) for item in model.items.ids])
    free = np.array([item not in past for item in model.items.ids])
    error = np.sqrt(400 * chance * (1 - chance))
    assert (np.abs(count - 400 * chance)[free] < 4 * error[free] + 1).all()


# --- real data ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tweets() -> split.Split:
    data = palate.load("movietweetings").interactions.k_core(min_user=10, min_item=10)
    return split.stratified(data, ratio=0.75, seed=1)


def quality(model: RBM | palate.Recommender, parts: split.Split, **more: Any) -> float:
    found = palate.evaluate(model.fit(parts.train), parts, metrics="ndcg", bootstrap=0, **more)
    return found.estimate("ndcg@10").mean


def test_choices_make_lists_and_expected_ratings_do_not(tweets: split.Split) -> None:
    popularity = quality(palate.Popularity(), tweets)
    assert quality(RBM(hidden=100, epochs=25), tweets) > 1.05 * popularity
    assert quality(RBM(visible="softmax"), tweets) < 0.5 * popularity


MOVIELENS = Path(os.environ.get("PALATE_DATA", "")) / "ml-100k" / "u.data"
needs_movielens = pytest.mark.skipif(not MOVIELENS.is_file(), reason="PALATE_DATA has no ml-100k")


@needs_movielens
def test_movielens_lists_are_as_good_as_published_here() -> None:
    data = palate.load("movielens-100k").interactions
    assert quality(RBM(), split.stratified(data, ratio=0.75, seed=1)) > 0.465
