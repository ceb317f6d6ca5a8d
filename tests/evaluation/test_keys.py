import pytest

from palate.errors import PlanError
from palate.evaluation.keys import AT_K, NAMES, wanted
from palate.kernels.ranking import METRICS


def test_names_with_a_cutoff_are_the_kernels_rows():
    assert AT_K == METRICS


def test_every_name_gives_a_key():
    assert {key.partition("@")[0] for key in wanted(NAMES, 10).keys} == set(NAMES)


def test_cutoffs_apply_to_metrics_that_have_one():
    asked = wanted(["recall", "rmse", "hit@1", "gini"], [5, 3])
    assert asked.keys == ("recall@5", "recall@3", "rmse", "hit@1", "gini@5", "gini@3")
    assert asked.cutoffs() == (1, 3, 5)
    assert asked.cutoffs(["hit"]) == (1,)
    assert asked.any_of(["gini"])
    assert not asked.any_of(["auc"])


@pytest.mark.parametrize(
    ("metrics", "k", "said"),
    [
        (["ndgc"], 10, "Did you mean 'ndcg'"),
        (["ndcg@ten"], 10, "whole number"),
        (["rmse@10"], 10, "takes no cut-off"),
        (["ndcg"], 0, "from 1"),
        (["ndcg"], [True], "from 1"),
        (["ndcg"], [], "no metric"),
        ([], 10, "no metric"),
    ],
)
def test_what_cannot_be_computed_is_refused(metrics, k, said):
    with pytest.raises(PlanError, match=said):
        wanted(metrics, k)
