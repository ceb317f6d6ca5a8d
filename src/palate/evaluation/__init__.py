"""How good recommendations are, and whether a difference is more than luck.

from palate.evaluation import compare, evaluate, evaluate_tables
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Names are resolved on first use (PEP 562): a reader of results needs no kernels.
_HOMES = {
    "Comparison": "significance",
    "Contest": "contest",
    "Estimate": "significance",
    "Estimates": "tables",
    "Evaluation": "evaluation",
    "ImpressionEvaluation": "impressions",
    "Study": "study",
    "compare": "significance",
    "evaluate": "evaluation",
    "evaluate_impressions": "impressions",
    "evaluate_tables": "tables",
}

__all__ = [
    "Comparison",
    "Contest",
    "Estimate",
    "Estimates",
    "Evaluation",
    "ImpressionEvaluation",
    "Study",
    "compare",
    "evaluate",
    "evaluate_impressions",
    "evaluate_tables",
]

if TYPE_CHECKING:
    from palate.evaluation.contest import Contest
    from palate.evaluation.evaluation import Evaluation, evaluate
    from palate.evaluation.impressions import ImpressionEvaluation, evaluate_impressions
    from palate.evaluation.significance import Comparison, Estimate, compare
    from palate.evaluation.study import Study
    from palate.evaluation.tables import Estimates, evaluate_tables


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"palate.evaluation.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'palate.evaluation' has no attribute {name!r}")
