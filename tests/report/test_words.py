"""Sentences say what the numbers say, and no more."""

from __future__ import annotations

from palate.evaluation.result import Difference, Result
from palate.experiment.leaderboard import notes, to_markdown
from palate.report.html import render
from palate.report.toml import write
from palate.report.words import (
    by_time_words,
    candidate_words,
    data_words,
    few_words,
    headline,
    seen_words,
    sentence,
    sentences,
)


def pair(difference: float, p: float, metric: str = "ndcg@10") -> Difference:
    ends = (difference - 0.01, difference + 0.01)
    return Difference(
        a="sar",
        b="ease",
        metric=metric,
        difference=difference,
        ci95=ends,
        p=p,
        p_holm=p,
        method="randomisation",
    )


def test_a_difference_that_may_be_luck_is_never_called_a_win() -> None:
    assert "beats" not in sentence(pair(0.02, 0.2))
    assert "within noise" in sentence(pair(0.02, 0.2))


def test_the_winner_stands_first_whatever_the_order_of_the_pair() -> None:
    assert sentence(pair(0.03, 0.001)).startswith("sar beats ease by 0.030")
    assert sentence(pair(-0.03, 0.001)).startswith("ease beats sar by 0.030")
    assert "0.020 to 0.040" in sentence(pair(-0.03, 0.001))


def test_a_lower_error_wins() -> None:
    assert sentence(pair(-0.03, 0.001, "rmse")).startswith("sar beats ease")


def test_an_interval_that_crosses_zero_is_told_with_its_signs() -> None:
    ends = (-0.02, 0.001)
    lost = pair(-0.01, 0.04).model_copy(update={"ci95": ends})
    assert "ease beats sar by 0.010 nDCG@10 (95 % interval -0.001 to 0.020," in sentence(lost)
    won = pair(0.01, 0.04).model_copy(update={"ci95": (-0.001, 0.02)})
    assert "(95 % interval -0.001 to 0.020," in sentence(won)
    less = pair(-0.01, 0.04, "rmse").model_copy(update={"ci95": ends})
    assert "sar beats ease by 0.010 RMSE (95 % interval -0.001 to 0.020," in sentence(less)


def test_the_headline_names_those_who_may_be_as_good(result: Result) -> None:
    assert (
        headline(result)
        == "ease leads with 0.098 nDCG@10 on Online Retail, and its lead over sar-90d may be luck."
    )


def test_the_headline_speaks_of_luck_only_where_it_was_tested(result: Result) -> None:
    alone = [model for model in result.models if model.label in ("ease", "popularity")]
    tested = result.model_copy(update={"models": alone})
    assert headline(tested).endswith("ahead of popularity by more than luck.")
    untested = tested.model_copy(update={"primary": "coverage@10"})
    assert headline(untested).endswith("ahead of ease; the difference is not tested.")
    assert untested.as_good_as_best() == set()


def test_another_order_on_a_split_by_time_is_said(result: Result) -> None:
    assert by_time_words(result) == "On a split by time ease leads too, with 0.069 nDCG@10."
    assert result.by_time is not None
    first = result.by_time.models | {
        "popularity": result.by_time.models["ease"].model_copy(update={"mean": 0.5})
    }
    other = result.model_copy(update={"by_time": result.by_time.model_copy(update={"models": first})})
    assert by_time_words(other).endswith("the order is another: popularity leads, with 0.500 nDCG@10.")
    found = result.by_time.model_copy(update={"models": first, "test_users": 8, "cold_users": 2})
    assert by_time_words(result.model_copy(update={"by_time": found})).endswith(
        "with 0.500 nDCG@10. 2 of its 8 test users (25%) are new to train: a model that needs a history has nothing "
        "for them."
    )
    assert by_time_words(result.model_copy(update={"by_time": None})) == ""


def test_the_best_baseline_is_always_among_the_comparisons(result: Result) -> None:
    assert any("popularity-30d" in said for said in sentences(result))
    assert not any("random " in said for said in sentences(result))


def test_repeats_and_candidates_are_told(result: Result) -> None:
    assert "23,456 test rows (20%)" in seen_words(result)
    sampled = result.model_copy(update={"plan": {"evaluate": {"candidates": {"sampled": 100, "seed": 1}}}})
    assert "100 sampled items" in candidate_words(sampled)
    assert few_words(sampled) in candidate_words(sampled)
    seen = result.model_copy(update={"plan": {"evaluate": {"exclude_seen": False}}})
    assert "may recommend" in seen_words(seen)


def test_toml_keeps_awkward_texts_and_numbers() -> None:
    import tomllib

    content = {
        "text": 'a "quoted" \\ line\nwith é and \x7f and \u0001',
        "numbers": [1, 2.5, 1e-9, -0.0],
        "yes": True,
        "section": {"a key": {"sampled": 100}, "empty": []},
        "models": [{"name": "sar"}, {"name": "ease", "l2": 5.0}],
    }
    assert tomllib.loads(write(content)) == content


def test_every_board_says_of_which_data_and_by_which_protocol_and_warns_where_few_were_ranked(
    result: Result,
) -> None:
    sampled = result.model_copy(update={"plan": {"evaluate": {"candidates": {"sampled": 100, "seed": 1}}}})
    assert few_words(result) == ""
    assert result.data.fingerprint[:12] in data_words(result)
    for told in (notes(result), notes(sampled), [to_markdown(result)], [render(result)], [render(sampled)]):
        assert any(data_words(result) in one for one in told)
    assert few_words(sampled) == notes(sampled)[1]
    assert render(sampled).count("Not comparable") == 2
    assert "Not comparable" not in render(result)
