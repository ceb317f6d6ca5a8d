from __future__ import annotations

from typing import Any, ClassVar

from palate.models.news import CTR, NPA, NRMS, Content, NewsBlend
from tests.conformance.news import NewsConformance

SMALL: dict[str, Any] = {
    "word_size": 8,
    "query_size": 8,
    "epochs": 2,
    "learning_rate": 0.02,
    "holdout": 0.0,
    "device": "cpu",
}
LONGER = {"epochs": 20}


class TestCTR(NewsConformance):
    model = CTR
    learns_words = False


class TestContent(NewsConformance):
    model = Content


class TestNewsBlend(NewsConformance):
    model = NewsBlend
    # The last moments of train give the weights, so there must be some.
    test_a_table_without_values_or_times_will_do = None
    test_checkerboard_the_item_left_of_the_block_comes_first = None
    test_ties_go_to_the_smaller_id = None
    test_the_ends_of_the_integers_are_ids = None
    test_a_catalogue_of_other_ids_is_refused_or_said = None
    # A score is measured against the others that are asked for, so those of two calls do not compare.
    test_candidates_limit_the_list_and_nothing_else = None
    test_scores_come_in_the_order_asked_for = None


class TestNRMS(NewsConformance):
    model = NRMS
    stops_early = True
    single_precision = True
    params: ClassVar = SMALL | {"heads": 2, "head_size": 4}
    longer = LONGER


class TestNPA(NewsConformance):
    model = NPA
    stops_early = True
    single_precision = True
    params: ClassVar = SMALL | {"filters": 8, "user_size": 4}
    longer = LONGER
