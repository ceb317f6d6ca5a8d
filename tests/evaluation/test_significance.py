import itertools
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from scipy import stats

from palate.errors import DataError, PlanError
from palate.evaluation import significance
from palate.evaluation.keys import wanted
from palate.evaluation.rating import statistics, user_sums
from palate.evaluation.significance import (
    Statistic,
    compare,
    estimates,
    holm,
    paired_t,
    randomisation,
    swapped,
)

random = np.random.default_rng(5)


@dataclass
class Scored:
    label: str
    users: pl.Series
    per_user: dict
    sums: dict = field(default_factory=dict)


def scored(label: str, values: np.ndarray, key: str = "ndcg@10") -> Scored:
    return Scored(label, pl.Series("user", range(len(values))), {key: values})


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_few_users_give_the_exact_randomisation_p_value(n):
    differences = random.normal(0.4, 1, n)
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=n)]
    exact = np.mean([value >= abs(differences.sum()) - 1e-12 for value in sums])
    assert randomisation(differences)[0] == exact


def test_users_without_a_difference_do_not_change_the_p_value():
    differences = np.array([0.5, 0.25, 0.5, -0.125, 1.0])
    padded = np.concatenate([differences, np.zeros(1000)])
    assert randomisation(padded)[0] == randomisation(differences)[0]


def test_sampled_p_value_is_near_the_exact_one_and_repeats_under_its_seed():
    differences = random.normal(0.5, 1, 12)
    exact = randomisation(differences, flips=2**12)[0]
    sampled = randomisation(differences, flips=4_000, seed=1)[0]
    assert sampled == pytest.approx(exact, abs=0.03)
    assert sampled == randomisation(differences, flips=4_000, seed=1)[0]


def test_a_sampled_p_value_is_never_zero():
    assert randomisation(np.ones(200), flips=999)[0] == 1 / 1000


def test_no_difference_has_p_value_one():
    assert randomisation(np.zeros(50))[0] == 1.0
    assert paired_t(np.zeros(50))[0] == 1.0


def test_randomisation_p_values_are_uniform_under_the_null():
    p = randomisation(random.normal(size=(40, 400)), flips=1_000)
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean(p < 0.05) < 0.09


def test_paired_t_equals_scipy():
    table = random.normal(0.1, 1, (60, 3))
    assert paired_t(table) == pytest.approx(stats.ttest_1samp(table, 0).pvalue)


def test_paired_t_leaves_out_users_without_a_value():
    values = random.normal(0.3, 1, 40)
    holed = np.concatenate([values, [np.nan, np.nan]])
    assert paired_t(holed)[0] == pytest.approx(paired_t(values)[0])


def test_holm_worked_by_hand():
    # Sorted: 0.01 x 4, 0.015 x 3, 0.02 x 2, 0.5 x 1, each at least as large as the one before.
    found = holm(np.array([0.02, 0.01, 0.5, 0.015]))
    assert found == pytest.approx([0.045, 0.04, 0.5, 0.045])


def test_holm_corrects_each_row_by_itself():
    p = random.random((3, 5))
    assert holm(p)[1] == pytest.approx(holm(p[1]))


def test_bootstrap_interval_of_a_mean_agrees_with_theory():
    values = random.gamma(2, 1, 400)
    found = estimates({"m": Statistic.mean(values)}, resamples=4_000, seed=0)["m"]
    error = values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.ci95[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert found.ci95[1] == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_bootstrap_repeats_under_its_seed_and_does_not_depend_on_the_block(monkeypatch):
    values = random.random(50)
    whole = significance.resampled_sums(values[:, None], resamples=64, seed=3)
    monkeypatch.setattr(significance, "_BLOCK", 200)
    assert significance.resampled_sums(values[:, None], resamples=64, seed=3) == pytest.approx(whole)


def test_a_mean_leaves_out_users_without_a_value():
    values = np.array([1.0, np.nan, 0.0, np.nan, 0.5])
    found = estimates({"m": Statistic.mean(values)}, resamples=200, seed=0)["m"]
    assert found.mean == 0.5
    assert found.n == 3


def test_a_metric_without_any_value_is_nan_without_an_interval():
    found = estimates({"m": Statistic.mean(np.full(4, np.nan))}, resamples=50, seed=0)["m"]
    assert np.isnan(found.mean)
    assert found.ci95 is None


def test_many_users_get_the_normal_interval(monkeypatch):
    values = random.random(2_000)
    by_resampling = estimates({"m": Statistic.mean(values)}, resamples=2_000, seed=0)["m"]
    monkeypatch.setattr(significance, "NORMAL_FROM", 1_000)
    normal = estimates({"m": Statistic.mean(values)}, resamples=2_000, seed=0)["m"]
    assert normal.mean == pytest.approx(by_resampling.mean)
    assert normal.ci95 == pytest.approx(by_resampling.ci95, abs=0.15 * (normal.ci95[1] - normal.ci95[0]))


def test_every_pair_is_compared_and_the_better_model_is_found():
    base = random.random(300)
    models = [
        scored("a", base),
        scored("b", base + random.normal(0.05, 0.1, 300)),
        scored("c", base + random.normal(0, 0.1, 300)),
    ]
    found = compare(models, ["ndcg@10"], flips=2_000, bootstrap=300)
    assert [(one.a, one.b) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    first = found[0]
    assert first.difference == pytest.approx(
        (models[0].per_user["ndcg@10"] - models[1].per_user["ndcg@10"]).mean()
    )
    assert first.ci95[0] < first.difference < first.ci95[1] < 0
    assert first.p_holm < 0.01 < found[1].p_holm
    assert all(one.p <= one.p_holm for one in found)
    assert {one.method for one in found} == {"randomisation"}


def test_both_tests_agree_on_many_users():
    a, b = random.random(500), random.random(500) + 0.03
    models = [scored("a", a), scored("b", b)]
    by_flips = compare(models, ["ndcg@10"], bootstrap=0)[0]
    by_t = compare(models, ["ndcg@10"], method="t", bootstrap=0)[0]
    assert by_flips.p == pytest.approx(by_t.p, abs=0.02)
    assert by_t.method == "t"


def test_metrics_without_a_value_for_each_user_are_passed_over():
    models = [scored("a", np.ones(3)), scored("b", np.zeros(3))]
    assert compare(models, ["coverage@10", "rmse"]) == []


def test_one_model_has_nothing_to_be_compared_with():
    assert compare([scored("a", np.ones(3))], ["ndcg@10"]) == []


def test_different_users_are_not_compared():
    with pytest.raises(DataError, match="different users"):
        compare([scored("a", np.ones(3)), scored("b", np.ones(4))], ["ndcg@10"])


def test_a_misspelt_metric_is_refused_with_the_right_one():
    with pytest.raises(PlanError, match="ndcg@10"):
        compare([scored("a", np.ones(3)), scored("b", np.ones(3))], ["ndgc@10"])


def errors(label: str, error: np.ndarray, user: np.ndarray) -> Scored:
    n = int(user.max()) + 1
    sums = user_sums(user, n, error, np.zeros(len(error)))
    return Scored(label, pl.Series("user", range(n)), {}, statistics(sums, wanted(["rmse", "mae"], ())))


def test_errors_of_one_row_a_user_are_compared_as_their_absolute_values():
    a, b = random.normal(0, 1.0, 400), random.normal(0, 1.2, 400)
    by_sums = compare([errors("a", a, np.arange(400)), errors("b", b, np.arange(400))], ["mae"])[0]
    plain = compare([scored("a", np.abs(a)), scored("b", np.abs(b))], ["ndcg@10"])[0]
    assert by_sums.difference == pytest.approx(plain.difference)
    assert by_sums.ci95 == pytest.approx(plain.ci95)
    assert by_sums.p == pytest.approx(plain.p, abs=0.002)


def test_p_values_of_swapped_sums_are_uniform_under_the_null():
    p = []
    for _ in range(200):
        user = np.repeat(np.arange(40), random.integers(1, 9, 40))
        taste = random.normal(size=40)[user]
        one, other = (taste + random.normal(size=len(user)) for _ in range(2))
        pair = [errors(label, error, user).sums["rmse"] for label, error in (("a", one), ("b", other))]
        p.append(swapped([(pair[0], pair[1])], flips=500)[0])
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_real_difference_of_rmse_is_found_and_equal_models_have_none():
    user = np.repeat(np.arange(150), 6)
    error = random.normal(size=900)
    found = compare(
        [errors("a", error, user), errors("b", 1.1 * error, user), errors("same", error, user)], ["rmse"]
    )
    by_pair = {(one.a, one.b): one for one in found}
    first = by_pair["a", "b"]
    assert first.difference == pytest.approx(-0.1 * np.sqrt(np.mean(error**2)))
    assert first.ci95[0] < first.difference < first.ci95[1] < 0
    assert first.p_holm < 0.001
    assert by_pair["a", "same"].p == 1.0
