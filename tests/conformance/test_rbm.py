from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from palate.interactions import Interactions
from palate.models.base import Recommender
from palate.models.rbm import RBM
from tests.conformance.conformance import Conformance

SMALL: dict[str, Any] = {"hidden": 20, "epochs": 40, "batch": 10, "learning_rate": 0.3}


class TestRBM(Conformance):
    model = RBM
    any_order = False
    params: ClassVar = SMALL


class TestSoftmaxRBM(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = SMALL | {"visible": "softmax", "cd_steps": [1, 2], "persistent": True}


class TestJointRBM(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = SMALL | {"visible": "joint"}


class TestMultinomialRBMByItem(Conformance):
    model = RBM
    any_order = False
    rated = True
    params: ClassVar = SMALL | {"visible": "multinomial", "orientation": "item", "batch": 5}

    def test_the_history_of_a_user_scores_as_the_user(self, train: Interactions, fitted: Recommender) -> None:
        # By item a user of train is a unit with weights of its own, and a stranger's are found from the history.
        of_users = fitted.score()
        strangers = fitted.score(histories=train)
        agreement = [np.corrcoef(one, other)[0, 1] for one, other in zip(of_users, strangers, strict=True)]
        assert np.median(agreement) > 0.8
