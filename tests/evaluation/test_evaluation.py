import pickle

import numpy as np
import plain_metrics
import polars as pl
import pytest
from tests.worlds import world

from palate import Interactions, split
from palate.errors import NotSupported, PlanError, SplitError
from palate.evaluation import compare, evaluate, evaluate_tables
from palate.evaluation.keys import AT_K
from palate.models.registry import create

LISTS = (*AT_K, "r_precision")


def interactions(seed: int = 0, rows: int = 3_000, users: int = 80, items: int = 50, **more) -> Interactions:
    random = np.random.default_rng(seed)
    table = {
        "user": random.integers(0, users, rows) * 3,
        "item": (random.random(rows) ** 2 * items).astype(int) + 100,
        "value": random.integers(1, 6, rows).astype(float),
        "time": random.integers(0, 10**8, rows),
    }
    return Interactions.from_table(table, repeats=more.pop("repeats", "last"), **more)


@pytest.fixture(scope="module")
def parts():
    return split.random(interactions(), ratio=0.7)


@pytest.fixture(scope="module")
def sar(parts):
    return create("sar").fit(parts.train)


def truth_of(parts: split.Split, exclude_seen: bool = True) -> pl.DataFrame:
    test = parts.test.table().select("user", "item").unique()
    return test.join(parts.train.table(), on=["user", "item"], how="anti") if exclude_seen else test


@pytest.mark.parametrize("name", ["random", "popularity", "ease", "sar"])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_a_models_figures_are_those_of_its_own_recommendations(parts, name, exclude_seen):
    model = create(name).fit(parts.train)
    found = evaluate(model, parts, k=[3, 10], metrics=LISTS, exclude_seen=exclude_seen, bootstrap=0)
    truth = truth_of(parts, exclude_seen)
    everything = model.recommend(
        users=truth["user"].unique().sort(), k=len(model.items), exclude_seen=exclude_seen
    )
    by_table = evaluate_tables(everything, truth, k=[3, 10], metrics=LISTS, bootstrap=0)
    for key, one in by_table.items():
        assert found.estimates[key].mean == pytest.approx(one.mean, abs=1e-12), key
        assert found.estimates[key].n == one.n


def test_beyond_accuracy_of_a_model_equals_that_of_its_table(parts, sar):
    metrics = ["coverage", "user_coverage", "gini", "novelty", "diversity", "serendipity", "popularity_lift"]
    found = evaluate(sar, parts, k=5, metrics=metrics, bootstrap=50)
    truth = truth_of(parts)
    table = sar.recommend(users=truth["user"].unique(), k=5)
    by_table = evaluate_tables(table, truth, k=5, metrics=metrics, train=parts.train.table(), bootstrap=50)
    for key, one in by_table.items():
        assert found.estimates[key].mean == pytest.approx(one.mean, abs=1e-12), key
    assert set(found.overall) == {"coverage@5", "gini@5", "popularity_lift@5"}
    assert found.estimates["popularity_lift@5"].ci95 is not None
    assert found.estimates["gini@5"].ci95 is None


def test_auc_is_that_of_the_models_scores_over_unseen_items(parts, sar):
    found = evaluate(sar, parts, metrics="auc", bootstrap=0)
    scores = sar.score(users=found.users)
    seen = parts.train.table().group_by("user").agg("item")
    seen = dict(zip(seen["user"], seen["item"], strict=True))
    place, item = found.truth
    for u, user in enumerate(found.users):
        candidates = set(range(len(sar.items))) - set(sar.items.encode(seen[user]).tolist())
        relevant = item[place == u]
        known = set(relevant[relevant >= 0].tolist())
        expected = plain_metrics.auc(scores[u], known, candidates, len(relevant))
        assert found.per_user["auc"][u] == pytest.approx(expected)


@pytest.mark.parametrize("how", ["listed", "sampled"])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_auc_is_taken_among_the_candidates_and_relevant_items_outside_stand_below_all(
    parts, sar, how, exclude_seen
):
    n_items = len(sar.items)
    candidates = sar.items.ids[::2].to_list() if how == "listed" else {"sampled": 5, "seed": 3}
    found = evaluate(
        sar,
        parts,
        k=n_items,
        metrics=["auc", "recall"],
        candidates=candidates,
        exclude_seen=exclude_seen,
        bootstrap=0,
    )
    scores = sar.score(users=found.users)
    place, item = found.truth
    for u in range(len(found.users)):
        relevant = item[place == u]
        ranked = set(found.top[u].tolist()) - {-1}
        known = set(relevant.tolist()) & ranked
        expected = plain_metrics.auc(scores[u], known, ranked, len(relevant))
        assert found.per_user["auc"][u] == pytest.approx(expected)


def test_novelty_is_finite_where_a_listed_item_has_negative_events_alone():
    train = Interactions.from_table({"user": [1, 2, 2, 3], "item": [10, 10, 20, 30], "value": [1, 1, 1, -1]})
    test = Interactions.from_table({"user": [1], "item": [20]})
    found = evaluate(create("random").fit(train), (train, test), k=3, metrics="novelty", bootstrap=0)
    assert found.top[0].tolist().count(-1) == 1  # 20 and 30, in some order
    assert found.estimates["novelty@3"].mean == pytest.approx(np.log2(3))


def test_numpy_integers_are_cutoffs(parts, sar):
    found = evaluate(sar, parts, k=np.int64(2), metrics="recall", bootstrap=0)
    assert list(found.estimates) == ["recall@2"]
    assert list(evaluate(sar, parts, k=np.array([2, 3]), metrics="recall", bootstrap=0).estimates) == [
        "recall@2",
        "recall@3",
    ]
    with pytest.raises(PlanError, match="whole number"):
        evaluate(sar, parts, k=2.5)


def test_rows_already_in_train_leave_the_truth_and_are_counted():
    train = Interactions.from_table({"user": [1, 1, 2], "item": [10, 20, 20]})
    test = Interactions.from_table({"user": [1, 1, 2], "item": [10, 30, 20]})
    found = evaluate(create("popularity").fit(train), (train, test), metrics="recall", bootstrap=0)
    assert found.users.to_list() == [1]
    assert found.notes[0] == "2 relevant pairs stand in the user's history: they left the truth."
    kept = evaluate(
        create("popularity").fit(train), (train, test), metrics="recall", exclude_seen=False, bootstrap=0
    )
    assert kept.users.to_list() == [1, 2]


def test_cold_items_count_as_misses_and_cold_users_as_zeros():
    train = Interactions.from_table({"user": [1, 1, 2, 2, 3], "item": [10, 20, 20, 30, 10]})
    test = Interactions.from_table({"user": [1, 1, 8], "item": [30, 77, 10]})
    found = evaluate(create("sar", threshold=1).fit(train), (train, test), metrics=["recall", "auc"], k=5)
    assert found.users.to_list() == [1, 8]
    assert found.per_user["recall@5"].tolist() == [0.5, 0.0]
    # Item 30 is the only candidate left for user 1: no pair. User 8 has no score at all.
    assert found.per_user["auc"].tolist() == [0.5, 0.5]
    assert found.top[1].tolist() == [-1] * found.top.shape[1]
    assert any("1 of 2 test users got no list" in note for note in found.notes)
    assert any("1 of 3 relevant pairs have an item that train lacks" in note for note in found.notes)
    assert any("1 of 2 test users have no history" in note for note in found.notes)


def test_repeated_test_rows_count_once():
    train = Interactions.from_table({"user": [1, 2, 2], "item": [10, 10, 20]})
    test = Interactions.from_table({"user": [1, 1, 1], "item": [20, 20, 20]})
    found = evaluate(create("popularity").fit(train), (train, test), metrics="recall", k=1, bootstrap=0)
    assert found.estimates["recall@1"].mean == 1.0
    assert found.truth[1].tolist() == [1]


def test_only_rows_from_the_asked_value_on_are_relevant():
    train = Interactions.from_table({"user": [1, 2, 2], "item": [10, 10, 20], "value": [5, 5, 5]})
    test = Interactions.from_table({"user": [1, 2, 3], "item": [20, 30, 10], "value": [4, 3, -1]})
    model = create("popularity").fit(train)
    assert evaluate(model, (train, test), relevant_from=4, bootstrap=0).users.to_list() == [1]
    assert evaluate(model, (train, test), bootstrap=0).users.to_list() == [1, 2]
    with pytest.raises(SplitError, match="values run from"):
        evaluate(model, (train, test), relevant_from=6)


def test_a_truth_that_is_all_in_train_is_refused():
    train = Interactions.from_table({"user": [1, 2], "item": [10, 20]})
    with pytest.raises(SplitError, match="exclude_seen"):
        evaluate(create("popularity").fit(train), (train, train))


def test_negative_events_are_hidden_but_are_no_past():
    train = Interactions.from_table(
        {"user": [1, 1, 2, 2, 3], "item": [10, 20, 20, 30, 20], "value": [1.0, -1.0, 1.0, 1.0, 1.0]}
    )
    test = Interactions.from_table({"user": [1, 1], "item": [20, 30]})
    found = evaluate(
        create("popularity").fit(train), (train, test), metrics=["recall", "popularity_lift"], k=2
    )
    assert found.truth[1].tolist() == [2]  # 20 stands in the history, though as a dislike
    assert found.estimates["recall@2"].mean == 1.0
    # Past: item 10 of one user; list: item 30 of one user.
    assert found.estimates["popularity_lift@2"].mean == pytest.approx(0.0)


def test_new_users_are_shown_to_the_model_with_their_context():
    parts = split.new_users(interactions(2), users=0.3)
    model = create("sar").fit(parts.train)
    found = evaluate(model, parts, k=5, metrics=[*LISTS, "auc"], bootstrap=0)
    assert not np.isin(found.users, parts.train.users.ids).any()
    shown = parts.context.select(np.isin(parts.context.user, parts.context.users.encode(found.users)))
    table = model.recommend(histories=shown, k=len(model.items))
    truth = parts.test.table().join(parts.context.table(), on=["user", "item"], how="anti")
    by_table = evaluate_tables(table, truth, k=5, metrics=LISTS, bootstrap=0)
    for key, one in by_table.items():
        assert found.estimates[key].mean == pytest.approx(one.mean, abs=1e-12), key
    assert found.estimates["auc"].mean > 0.5


def test_rating_metrics_are_those_of_the_models_ratings(parts):
    model = create("sar").fit(parts.train)
    found = evaluate(model, parts, metrics=["rmse", "mae", "r2", "explained_variance"], bootstrap=20)
    test = parts.test.table().filter(
        pl.col("user").is_in(parts.train.users.ids.implode())
        & pl.col("item").is_in(parts.train.items.ids.implode())
    )
    error = test["value"] - model.rate(test)["rating"]
    assert found.estimates["rmse"].mean == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert found.estimates["mae"].mean == pytest.approx(error.abs().mean(), rel=1e-6)
    assert set(found.overall) == {"rmse", "mae", "r2", "explained_variance"}


def test_a_model_that_rates_nothing_says_so(parts):
    with pytest.raises(NotSupported, match="rate"):
        evaluate(create("popularity").fit(parts.train), parts, metrics="rmse")


def test_candidates_given_by_id_are_the_only_ones_ranked(parts, sar):
    allowed = sar.items.ids[:7].to_list()
    found = evaluate(sar, parts, k=10, candidates=[*allowed, 9_999], bootstrap=0)
    assert set(found.top.ravel().tolist()) <= {-1, *range(7)}
    assert any("7 given items" in note for note in found.notes)
    assert any("1 candidates are items that train lacks" in note for note in found.notes)


def test_sampled_candidates_are_the_relevant_and_n_others_the_same_for_every_model(parts, sar):
    how = {"sampled": 5, "seed": 3}
    n_items = len(sar.items)
    found = evaluate(sar, parts, k=n_items, candidates=how, metrics="recall", bootstrap=0)
    popular = create("popularity").fit(parts.train)
    other = evaluate(popular, parts, k=n_items, candidates=how, metrics="recall", bootstrap=0)
    place, item = found.truth
    for u, user in enumerate(found.users):
        ranked = set(found.top[u].tolist()) - {-1}
        relevant = set(item[place == u].tolist()) - {-1}
        seen = set(parts.train.item[parts.train.user == parts.train.users.code(user)].tolist())
        assert relevant <= ranked
        assert len(ranked - relevant) == min(5, n_items - len(seen | relevant))
        assert not ranked & seen
        assert ranked == set(other.top[u].tolist()) - {-1}
    assert any("sampled" in note for note in found.notes)


def test_candidates_of_each_user_come_from_a_file(parts, sar, tmp_path):
    users = evaluate(sar, parts, bootstrap=0).users
    path = tmp_path / "candidates.csv"
    first, second = users[0], users[1]
    ids = sar.items.ids
    pl.DataFrame({"user": [first, first, second], "item": [ids[3], ids[4], ids[5]]}).write_csv(path)
    found = evaluate(sar, parts, k=3, candidates={"file": path}, exclude_seen=False, bootstrap=0)
    assert set(found.top[0].tolist()) == {3, 4, -1}
    assert found.top[1].tolist() == [5, -1, -1]
    assert (found.top[2:] == -1).all()
    assert any("have no candidate" in note for note in found.notes)


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ("everything", "give 'all'"),
        ({"sampled": 0}, "n from 1"),
        ({"smapled": 9}, "Did you mean 'sampled'"),
        ([-5, -6], "knows none"),
    ],
)
def test_candidates_that_cannot_be_read_are_refused(parts, sar, candidates, said):
    with pytest.raises(PlanError, match=said):
        evaluate(sar, parts, candidates=candidates)


def test_the_order_of_test_rows_changes_nothing(parts, sar):
    shuffled = parts.test.select(np.random.default_rng(1).permutation(len(parts.test)))
    one = evaluate(sar, (parts.train, parts.test), metrics=LISTS)
    other = evaluate(sar, (parts.train, shuffled), metrics=LISTS)
    assert one.estimates == other.estimates


def test_an_evaluation_says_what_it_cost_and_travels_between_processes(parts, sar):
    steps = []
    found = evaluate(
        sar,
        parts,
        metrics=["ndcg", "auc", "gini"],
        label="mine",
        progress=lambda done, of: steps.append((done, of)),
    )
    assert steps[-1] == (len(found.users), len(found.users))
    for seconds in (found.seconds, found.cpu_seconds):
        assert seconds.keys() == {"recommend", "evaluate"}
        assert min(seconds.values()) >= 0
    copy = pickle.loads(pickle.dumps(found))
    assert copy.estimates == found.estimates
    assert str(copy).startswith("mine, ")
    assert found.estimate("gini@10") == found.estimates["gini@10"]
    with pytest.raises(PlanError, match="ndcg@10"):
        found.estimate("ndgc@10")


def test_evaluations_of_one_split_can_be_compared(parts, sar):
    evaluations = [
        evaluate(create("random").fit(parts.train), parts, bootstrap=0),
        evaluate(sar, parts, bootstrap=0),
    ]
    (found,) = compare(evaluations, ["ndcg@10"])
    expected = evaluations[0].estimates["ndcg@10"].mean - evaluations[1].estimates["ndcg@10"].mean
    assert found.difference == pytest.approx(expected)
    assert found.p < 0.01


def test_new_users_are_rated_from_their_context():
    rng = np.random.default_rng(8)
    pairs = np.argwhere(rng.random((60, 15)) < 0.5)
    value = np.clip(3 + rng.normal(size=60)[pairs[:, 0]] + rng.normal(size=15)[pairs[:, 1]], 0, 6)
    data = Interactions.from_table({"user": pairs[:, 0], "item": pairs[:, 1], "value": value})
    parts = split.new_users(data, users=0.3)
    model = create("bias").fit(parts.train)
    found = evaluate(model, parts, metrics=["rmse"], bootstrap=0)
    test = parts.test.table().filter(pl.col("item").is_in(parts.train.items.ids.implode()))
    said = model.rate(test, histories=parts.context)["rating"]
    assert found.estimates["rmse"].mean == pytest.approx(np.sqrt(((test["value"] - said) ** 2).mean()))
    assert found.estimates["rmse"].n == parts.test.n_users
    assert len(found.rated.actual) == test.height
    usual = np.sqrt(((test["value"] - model.fitted.state.mean) ** 2).mean())
    assert found.estimates["rmse"].mean < 0.5 * usual


def test_negative_events_are_no_ratings(parts):
    table = parts.test.table()
    disliked = table.with_columns(value=pl.lit(-1.0, pl.Float32)).head(5)
    test = Interactions.from_table(pl.concat([table, disliked]))
    model = create("bias").fit(parts.train)
    with_them = evaluate(model, (parts.train, test), metrics=["rmse", "mae"], bootstrap=0)
    without = evaluate(model, parts, metrics=["rmse", "mae"], bootstrap=0)
    for key in ("rmse", "mae"):
        assert with_them.estimates[key].mean == pytest.approx(without.estimates[key].mean)


def test_lists_and_ratings_may_be_judged_over_different_users() -> None:
    """Who rated nothing as high as `relevant_from` has ratings, and no list to judge."""
    parts = split.random(world(), seed=1)
    model = create("bias").fit(parts.train)
    found = evaluate(model, parts, metrics=["rmse", "ndcg"], relevant_from=5.0, bootstrap=50)
    alone = [
        evaluate(model, parts, metrics=[name], relevant_from=5.0, bootstrap=50) for name in ("rmse", "ndcg")
    ]
    for key, one in zip(("rmse", "ndcg@10"), alone, strict=True):
        assert found.estimate(key) == one.estimate(key)
    assert found.estimate("rmse").n > found.estimate("ndcg@10").n
