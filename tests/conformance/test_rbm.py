from __future__ import annotations

from typing import ClassVar

import numpy as np

from palate.interactions import Interactions
from palate.models.base import Recommender
from palate.models.rbm import RBM
from tests.conformance.conformance import Conformance


class TestRBM(Conformance):
    model = RBM
    any_order = False
    params: ClassVar = {"hidden": 20, "batch": 5, "epochs": 100}


class TestSoftmaxRBM(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = {"visible": "softmax", "hidden": 10, "batch": 5, "epochs": 60, "learning_rate": 0.2}


class TestJointRBM(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = {"visible": "joint", "hidden": 20, "batch": 5, "epochs": 100}


class TestMultinomialRBMByItem(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = {
        "visible": "multinomial",
        "orientation": "item",
        "hidden": 10,
        "batch": 5,
        "learning_rate": 0.2,
        "cd_steps": [1, 2],
        "persistent": True,
        "conditional": True,
    }

    def test_the_history_of_a_user_scores_as_the_user(self, train: Interactions, fitted: Recommender) -> None:
        # By item a user of train is a unit with weights of its own, and a stranger's are found from the history.
        of_users = fitted.score()
        strangers = fitted.score(histories=train)
        agreement = [np.corrcoef(one, other)[0, 1] for one, other in zip(of_users, strangers, strict=True)]
        assert np.median(agreement) > 0.8
