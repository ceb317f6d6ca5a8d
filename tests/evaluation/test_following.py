"""Measures of following instructions, by hand and by their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import DataError
from palate.evaluation.following import FEW, clustered, paired, ranking_accuracy
from palate.evaluation.written import repeated_share, repeats
from palate.text.rank import Trial


def trial(margin: float, *, source: str = "a", kinds: tuple[str, ...] = ("name",), **more: object) -> Trial:
    told = {
        "specificity": "1,1",
        "overlap": False,
        "control": False,
        "tokens": 9,
        "log_p": -30.0,
        "example": f"{source}/1",
        "text": f"{source}/1",
        "chapter": f"{source}/one",
        "blind": 0.0,
        "question": "q",
    } | more
    return Trial(source=source, kinds=kinds, margin=margin, **told)  # type: ignore[arg-type]


def test_a_tie_is_wrong_and_a_control_must_turn():
    assert trial(0.1).right
    assert not trial(0.0).right
    assert trial(-0.1, control=True).right
    assert not trial(0.1, control=True).right
    assert not trial(0.0, control=True).right


def test_groups_are_the_trials_that_belong_to_them():
    found = ranking_accuracy(
        [
            trial(1.0, specificity="M,M"),
            trial(1.0),
            trial(-1.0, kinds=("length",), overlap=True),
            trial(3.0, control=True),
        ]
    )
    assert found.of("M,M").accuracy.mean == 1
    assert (found.of("1,1").accuracy.mean, found.of("1,1").accuracy.n, found.of("1,1").margin) == (
        0.5,
        2,
        0.0,
    )
    assert found.of("length", by="kind").accuracy.mean == 0
    assert found.of("without", by="overlap").accuracy.mean == 1
    assert found.of("turned", by="control").accuracy.mean == 0
    with pytest.raises(DataError, match="no trial was asked for the specificity M,1"):
        found.of("M,1")


def test_sources_are_resampled_where_there_are_enough_else_chapters():
    many = [trial(1.0, source=str(place)) for place in range(FEW)]
    assert ranking_accuracy(many).clusters == "sources"
    assert ranking_accuracy(many[:-1]).clusters == "chapters"


def test_pieces_of_a_chapter_count_as_one():
    """Ten chapters of twenty pieces, alike within a chapter, say as much as ten texts."""
    many = [
        trial(1.0 if chapter % 2 else -1.0, chapter=str(chapter), text=f"{chapter}/{piece}")
        for chapter in range(FEW)
        for piece in range(20)
    ]
    low, high = ranking_accuracy(many).of("1,1").accuracy.ci95
    alone = ranking_accuracy([one for one in many if one.text.endswith("/0")]).of("1,1").accuracy.ci95
    assert high - low == pytest.approx(alone[1] - alone[0])
    assert high - low > 0.5


def test_the_instructions_alone_are_judged_beside_the_texts():
    found = ranking_accuracy([trial(1.0, blind=-0.5), trial(-1.0, blind=2.0), trial(1.0, blind=0.0)])
    assert found.of("1,1").accuracy.mean == pytest.approx(2 / 3)
    assert found.of("1,1", by="blind").accuracy.mean == pytest.approx(1 / 3)
    assert found.of("1,1", by="blind").margin == pytest.approx(0.5)


def test_a_paired_difference_is_narrower_than_two_intervals():
    """Forty chapters, half of them hard for both models; one of them is right a little more often."""
    rng = np.random.default_rng(0)
    hard = rng.random(40) < 0.5
    asked = [
        trial(-1.0 if hard[place] else 1.0, chapter=str(place), question=str(place)) for place in range(40)
    ]
    better = [
        replace(one, margin=1.0) if place in np.flatnonzero(hard)[:8] else one
        for place, one in enumerate(asked)
    ]
    (found,) = (one for one in paired(better, asked) if (one.by, one.name) == ("specificity", "1,1"))
    assert found.accuracy.mean == pytest.approx(8 / 40)
    alone = ranking_accuracy(asked).of("1,1").accuracy.ci95
    assert found.accuracy.ci95[1] - found.accuracy.ci95[0] < alone[1] - alone[0]
    assert found.p == pytest.approx(2 / 2**8)  # all eight signs alike
    (same,) = (one for one in paired(asked, asked) if (one.by, one.name) == ("specificity", "1,1"))
    assert (same.accuracy.mean, same.p) == (0, 1)


def test_trials_of_other_questions_are_not_paired():
    with pytest.raises(DataError, match="0 of 1 and 1 trials are the same: rank both models on the same set"):
        paired([trial(1.0)], [trial(1.0, question="other")])


def test_clusters_that_are_alike_widen_an_interval():
    """Twenty sources of ten texts each, alike within a source: as much as twenty texts say."""
    rng = np.random.default_rng(0)
    by_source = (rng.random(20) < 0.5).astype(float)
    values, source = np.repeat(by_source, 10), [str(place) for place in np.repeat(np.arange(20), 10)]
    low, high = clustered(values, source).ci95
    naive = clustered(values, [str(place) for place in range(200)]).ci95
    assert (high - low) > 2.5 * (naive[1] - naive[0])
    spread = 2 * 1.96 * by_source.std() / 20**0.5
    assert high - low == pytest.approx(spread, rel=0.15)


def test_an_interval_of_few_clusters_is_none():
    assert clustered(np.array([1.0, 0.0]), ["a", "b"]).ci95 is None


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_repetition_is_what_counting_says(words: list[str], n: int, times: int):
    runs = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    assert repeats(words, n, times=times) == any(runs.count(run) >= times for run in runs)
    again = sum(run in runs[:place] for place, run in enumerate(runs))
    assert repeated_share(words, n) == (again / len(runs) if runs else 0.0)


def test_a_part_of_a_text_is_counted_against_all_before_it():
    words = "a b c d a b c d".split()  # noqa: SIM905
    assert repeated_share(words, 2, first=4) == 1.0
    assert repeated_share(words, 2, last=4) == 0.0
