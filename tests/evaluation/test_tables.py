import duckdb
import numpy as np
import pandas as pd
import plain_metrics
import polars as pl
import pytest

from palate.errors import DataError, PlanError
from palate.evaluation import evaluate_tables
from palate.evaluation.keys import AT_K

ALL = (*AT_K, "r_precision")
RUN = {"user": [1, 1, 1, 2, 2], "item": [10, 20, 30, 20, 40], "score": [0.9, 0.8, 0.7, 0.9, 0.1]}
TRUTH = {"user": [1, 1, 2], "item": [20, 50, 20]}


def means(found) -> dict[str, float]:
    return {key: one.mean for key, one in found.items()}


def random_tables(seed: int, *, users: int = 60, items: int = 30, ties: bool = True):
    random = np.random.default_rng(seed)
    run, truth = {}, {}
    for user in random.choice(users * 3, users, replace=False).tolist():
        scores = random.integers(0, 4, 25) / 4 if ties else random.random(25)
        chosen = random.choice(items, random.integers(0, 25), replace=False).tolist()
        if chosen and random.random() < 0.9:
            run[user] = [(float(scores[n]), item) for n, item in enumerate(chosen)]
        if random.random() < 0.9:
            truth[user] = random.choice(items, random.integers(1, 22), replace=False).tolist()
    rows = [(user, item, score) for user, row in run.items() for score, item in row]
    held = [(user, item) for user, row in truth.items() for item in row]
    return run, truth, rows, held


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_rows_and_lists_of_any_length_equal_brute_force(seed):
    run, truth, rows, held = random_tables(seed)
    random = np.random.default_rng(seed)
    rows = [rows[n] for n in random.permutation(len(rows))]
    held = [held[n] for n in random.permutation(len(held))]
    found = evaluate_tables(
        pl.DataFrame(rows, schema=["user", "item", "score"], orient="row"),
        pl.DataFrame(held, schema=["user", "item"], orient="row"),
        k=[1, 5, 20],
        metrics=ALL,
        bootstrap=0,
    )
    assert means(found) == pytest.approx(plain_metrics.mean_metrics(run, truth, [1, 5, 20]), abs=1e-12)


@pytest.mark.parametrize("spread", [1, 10**12])
def test_text_ids_and_far_apart_ids_give_the_same_numbers(spread):
    _, _, rows, held = random_tables(3, ties=False)
    plain = evaluate_tables(
        {"user": [u for u, _, _ in rows], "item": [i for _, i, _ in rows], "score": [s for _, _, s in rows]},
        {"user": [u for u, _ in held], "item": [i for _, i in held]},
        metrics=ALL,
    )
    name = (lambda n: f"id {n}") if spread == 1 else (lambda n: n * spread - 7)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    other = evaluate_tables(
        [{"user": name(rows[n][0]), "item": name(rows[n][1]), "score": rows[n][2]} for n in shuffled],
        [{"user": name(u), "item": name(i)} for u, i in held],
        metrics=ALL,
    )
    assert means(plain) == pytest.approx(means(other), abs=1e-12)


def test_every_kind_of_table_gives_the_same_numbers():
    run, truth = pl.DataFrame(RUN), pl.DataFrame(TRUTH)
    expected = evaluate_tables(RUN, TRUTH, k=2, metrics=ALL)
    pandas_truth = pd.DataFrame(TRUTH).astype({"user": "int32"})
    connection = duckdb.connect()
    for given_run, given_truth in (
        (run, truth),
        (run.lazy(), truth.lazy()),
        (pd.DataFrame(RUN).astype({"score": "float32"}).astype({"score": "float64"}), pandas_truth),
        (run.to_arrow(), truth.to_arrow()),
        (connection.sql("select * from run"), connection.sql("select * from truth")),
    ):
        assert means(evaluate_tables(given_run, given_truth, k=2, metrics=ALL)) == pytest.approx(
            means(expected)
        )


def test_ranks_say_the_same_as_scores():
    ranked = {"user": RUN["user"], "item": RUN["item"], "rank": [1, 2, 3, 1, 2]}
    assert means(evaluate_tables(ranked, TRUTH)) == means(evaluate_tables(RUN, TRUTH))


def test_equal_scores_are_ordered_by_item_id():
    run = {"user": [1, 1, 1], "item": [30, 10, 20], "score": [1.0, 1.0, 1.0]}
    assert evaluate_tables(run, {"user": [1], "item": [10]}, metrics="mrr")["mrr@10"].mean == 1.0
    texts = {"user": ["u"] * 3, "item": ["b", "a", "c"], "score": [1.0, 1.0, 1.0]}
    assert evaluate_tables(texts, {"user": ["u"], "item": ["a"]}, metrics="mrr")["mrr@10"].mean == 1.0


def test_users_without_a_list_count_as_zeros_and_strangers_do_not_count():
    found = evaluate_tables(
        {"user": [1, 5, 9, 9], "item": [1, 1, 1, 2], "score": [1.0, 1.0, 2.0, 1.0]},
        {"user": [1, 2, 3, 7], "item": [1, 1, 1, 1]},
        metrics="recall",
    )
    assert found["recall@10"].mean == 1 / 4
    assert found["recall@10"].n == 4
    assert found.notes == [
        "3 of 4 users of the truth have no list: they count as zeros.",
        "2 users of the run are not in the truth: they were left out.",
    ]


def test_an_empty_run_scores_zero():
    run = pl.DataFrame(schema={"user": pl.Int64, "item": pl.Int64, "score": pl.Float64})
    found = evaluate_tables(run, TRUTH, metrics=ALL)
    assert set(means(found).values()) == {0.0}


def test_a_repeated_row_of_the_truth_counts_once():
    doubled = {"user": [1, 1, 2, 1, 1], "item": [20, 50, 20, 50, 20]}
    assert means(evaluate_tables(RUN, doubled, metrics=ALL)) == means(
        evaluate_tables(RUN, TRUTH, metrics=ALL)
    )


@pytest.mark.parametrize("length", [3, 40])
@pytest.mark.parametrize("ids", [int, str])
def test_a_repeated_pair_of_the_run_is_refused_with_an_example(length, ids):
    items = [*range(length), 1]
    run = {"user": [ids(7)] * len(items), "item": [ids(i) for i in items], "score": np.arange(len(items)) / 2}
    with pytest.raises(DataError, match=r"item '?1'? is recommended to user '?7'? more than once"):
        evaluate_tables(run, {"user": [ids(7)], "item": [ids(1)]})


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="score of user 1, item 20 is NaN"):
        evaluate_tables(RUN | {"score": [0.9, float("nan"), 0.7, 0.9, 0.1]}, TRUTH)


@pytest.mark.parametrize(
    ("run", "truth", "said"),
    [
        ({"user": [1], "itm": [1], "score": [1.0]}, TRUTH, "no column 'item'"),
        ({"user": [1], "item": [1]}, TRUTH, "no column 'score'"),
        ({"user": [1, None], "item": [1, 2], "score": [1.0, 1.0]}, TRUTH, "1 rows have no user"),
        ({"user": [1], "item": [1], "score": [None]}, TRUTH, "score"),
        ({"user": [1], "item": [1], "score": ["high"]}, TRUTH, "not numbers"),
        ({"user": ["1"], "item": [1], "score": [1.0]}, TRUTH, "text in the run and integers in the truth"),
        (RUN, {"user": [], "item": []}, "no rows"),
        (RUN, TRUTH | {"value": [-1.0, -1.0, -1.0]}, "no relevant row"),
    ],
)
def test_bad_tables_are_refused(run, truth, said):
    with pytest.raises(DataError, match=said):
        evaluate_tables(run, truth)


def test_what_tables_cannot_tell_is_refused():
    with pytest.raises(PlanError, match="with a model"):
        evaluate_tables(RUN, TRUTH, metrics="auc")
    with pytest.raises(PlanError, match="give train"):
        evaluate_tables(RUN, TRUTH, metrics="novelty")
    with pytest.raises(PlanError, match="'value'"):
        evaluate_tables(RUN, TRUTH, metrics="rmse")
    with pytest.raises(PlanError, match="relevant_from"):
        evaluate_tables(RUN, TRUTH, relevant_from=4)


def test_low_and_negative_values_are_not_relevant():
    truth = {"user": [1, 1, 2, 2], "item": [10, 20, 20, 40], "value": [5.0, 3.0, 4.0, -1.0]}
    found = evaluate_tables(RUN, truth, k=1, metrics=["hit", "recall"], relevant_from=4)
    assert found["recall@1"].mean == 1.0
    all_rows = evaluate_tables(RUN, truth, k=3, metrics="recall")
    assert all_rows["recall@3"].mean == 1.0


def test_rating_metrics_are_taken_over_shared_pairs():
    truth = {"user": [1, 1, 2, 3], "item": [10, 20, 20, 99], "value": [1.0, 2.0, 3.0, 4.0]}
    found = evaluate_tables(RUN, truth, metrics=["mae", "rmse"])
    assert found["mae"].mean == pytest.approx(np.mean([0.1, 1.2, 2.1]))
    assert found["rmse"].mean == pytest.approx(np.sqrt(np.mean(np.square([0.1, 1.2, 2.1]))))
    assert found["mae"].n == 2
    assert found.notes == ["1 rows of the truth have no predicted value: they were left out."]


def test_beyond_accuracy_uses_train_and_leaves_out_what_train_lacks():
    train = {"user": [1, 1, 2, 3, 4], "item": [10, 20, 20, 20, 40]}
    found = evaluate_tables(
        RUN,
        TRUTH,
        k=2,
        metrics=["coverage", "user_coverage", "gini", "novelty", "popularity_lift"],
        train=train,
    )
    assert found["coverage@2"].mean == 1.0  # 10, 20 and 40
    assert found["coverage@2"].ci95 is None
    assert found["user_coverage@2"].mean == 1.0
    surprise = -np.log2(np.array([1, 3, 1]) / 4)  # of items 10, 20, 40
    expected = np.mean([surprise[:2].mean(), surprise[1:].mean()])
    assert found["novelty@2"].mean == pytest.approx(expected)
    assert found["popularity_lift@2"].mean == pytest.approx(2 / np.mean([2, 3]) - 1)
    assert found.notes == []


def test_a_listed_item_that_train_lacks_leaves_its_place_empty():
    run = {"user": [1, 1, 1], "item": [99, 10, 20], "score": [3.0, 2.0, 1.0]}
    train = {"user": [1, 2, 2], "item": [20, 10, 20]}
    found = evaluate_tables(run, TRUTH, k=2, metrics=["novelty", "coverage", "diversity"], train=train)
    assert found["novelty@2"].mean == pytest.approx(1.0)  # of item 10 alone: one user of two
    assert found["coverage@2"].mean == 1 / 2
    assert np.isnan(found["diversity@2"].mean)
    assert "1 listed items are not in train: beyond-accuracy leaves them out." in found.notes


def test_intervals_hold_the_mean_and_repeat_under_a_seed():
    _, _, rows, held = random_tables(1)
    run = pl.DataFrame(rows, schema=["user", "item", "score"], orient="row")
    truth = pl.DataFrame(held, schema=["user", "item"], orient="row")
    one, two = (evaluate_tables(run, truth, metrics=ALL, seed=9) for _ in range(2))
    assert one == two
    assert all(found.ci95[0] <= found.mean <= found.ci95[1] for found in one.values())


def test_a_value_of_the_truth_that_is_nan_is_refused_with_its_row():
    truth = TRUTH | {"value": [5.0, float("nan"), 4.0]}
    with pytest.raises(DataError, match=r"NaN in 1 rows \(row 2\)"):
        evaluate_tables(RUN, truth, relevant_from=4.0)
    with pytest.raises(DataError, match="NaN"):
        evaluate_tables(RUN, truth, metrics="rmse")


def test_ranks_are_no_predicted_values():
    ranked = {"user": [1, 1], "item": [10, 20], "rank": [1, 2]}
    with pytest.raises(PlanError, match="column 'score' in the run"):
        evaluate_tables(ranked, TRUTH | {"value": [1.0, 2.0, 3.0]}, metrics="rmse")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            {"user": [1, 1, 2], "item": [20, 20, 20], "score": [1.0, 2.0, 3.0]},
            "item 20 is recommended to user 1 more",
        ),
        ({"user": [1, 2], "item": [20, 20], "score": [1.0, float("nan")]}, "user 2, item 20 is NaN"),
    ],
)
def test_rating_metrics_refuse_a_pair_predicted_twice_and_nan(run, said):
    with pytest.raises(DataError, match=said):
        evaluate_tables(run, TRUTH | {"value": [1.0, 2.0, 3.0]}, metrics="rmse")


def test_rating_metrics_count_every_row_of_a_repeated_truth_pair():
    truth = {"user": [1, 1, 2], "item": [20, 20, 20], "value": [1.0, 2.0, 1.0]}
    run = {"user": [1, 2], "item": [20, 20], "score": [1.0, 1.0]}
    assert evaluate_tables(run, truth, metrics="mae")["mae"].mean == pytest.approx(1 / 3)


def test_an_empty_run_of_text_is_no_list_whatever_the_ids_of_the_truth():
    run = pl.DataFrame(schema={"user": pl.String, "item": pl.String, "score": pl.String})
    train = {"user": [1, 2], "item": [20, 50]}
    found = evaluate_tables(run, TRUTH, metrics=[*ALL, "coverage"], train=train)
    assert set(means(found).values()) == {0.0}
    assert found.notes == ["2 of 2 users of the truth have no list: they count as zeros."]
