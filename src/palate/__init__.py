"""Palate learns what people prefer: recommenders that are compared, explained and reported honestly.

```python
import palate

data = palate.load("retail")
split = palate.split.by_time(data.interactions, at=0.8)
model = palate.SAR().fit(split.train, catalogue=data.catalogue)
print(model.recommend(users=[12346], k=5))
print(palate.evaluate(model, split))
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Names are resolved on first use (PEP 562): `import palate` costs nothing.
_HOMES = {
    "Bias": "palate.models.bias",
    "Blend": "palate.models.blend",
    "CTR": "palate.models.news",
    "Catalogue": "palate.catalogue",
    "Content": "palate.models.news",
    "Dataset": "palate.datasets",
    "EASE": "palate.models.ease",
    "Histories": "palate.interactions",
    "IALS": "palate.models.ials",
    "Impressions": "palate.news",
    "Interactions": "palate.interactions",
    "LM": "palate.models.news",
    "MF": "palate.models.mf",
    "Markov": "palate.models.markov",
    "Mean": "palate.models.mean",
    "NCF": "palate.models.ncf",
    "NPA": "palate.models.news",
    "NRMS": "palate.models.news",
    "NewsBlend": "palate.models.news",
    "NewsDataset": "palate.datasets",
    "PalateError": "palate.errors",
    "Popularity": "palate.models.popularity",
    "RBM": "palate.models.rbm",
    "RLRMC": "palate.models.rlrmc",
    "Random": "palate.models.random",
    "Recommender": "palate.models.base",
    "SAR": "palate.models.sar",
    "SASRec": "palate.models.sasrec",
    "SVD": "palate.models.svd",
    "SessionKNN": "palate.models.session_knn",
    "Split": "palate.split",
    "compare": "palate.evaluation",
    "compare_models": "palate.experiment.compare",
    "describe": "palate.datasets",
    "evaluate": "palate.evaluation",
    "evaluate_impressions": "palate.evaluation",
    "evaluate_tables": "palate.evaluation",
    "load": "palate.datasets",
    "load_model": "palate.models",
    "load_news": "palate.datasets",
    "run": "palate.experiment.run",
    "tune": "palate.experiment.tune",
}
_MODULES = ("datasets", "errors", "evaluation", "experiment", "models", "report", "split", "text")

__all__ = [
    "CTR",
    "EASE",
    "IALS",
    "LM",
    "MF",
    "NCF",
    "NPA",
    "NRMS",
    "RBM",
    "RLRMC",
    "SAR",
    "SVD",
    "Bias",
    "Blend",
    "Catalogue",
    "Content",
    "Dataset",
    "Histories",
    "Impressions",
    "Interactions",
    "Markov",
    "Mean",
    "NewsBlend",
    "NewsDataset",
    "PalateError",
    "Popularity",
    "Random",
    "Recommender",
    "SASRec",
    "SessionKNN",
    "Split",
    "__version__",
    "compare",
    "compare_models",
    "datasets",
    "describe",
    "errors",
    "evaluate",
    "evaluate_impressions",
    "evaluate_tables",
    "evaluation",
    "experiment",
    "load",
    "load_model",
    "load_news",
    "models",
    "report",
    "run",
    "split",
    "text",
    "tune",
]

if TYPE_CHECKING:
    from palate import datasets, errors, evaluation, experiment, models, report, split, text
    from palate.catalogue import Catalogue
    from palate.datasets import Dataset, NewsDataset, describe, load, load_news
    from palate.errors import PalateError
    from palate.evaluation import compare, evaluate, evaluate_impressions, evaluate_tables
    from palate.experiment.compare import compare_models
    from palate.experiment.run import run
    from palate.experiment.tune import tune
    from palate.interactions import Histories, Interactions
    from palate.models import load_model
    from palate.models.base import Recommender
    from palate.models.bias import Bias
    from palate.models.blend import Blend
    from palate.models.ease import EASE
    from palate.models.ials import IALS
    from palate.models.markov import Markov
    from palate.models.mean import Mean
    from palate.models.mf import MF
    from palate.models.ncf import NCF
    from palate.models.news import CTR, LM, NPA, NRMS, Content, NewsBlend
    from palate.models.popularity import Popularity
    from palate.models.random import Random
    from palate.models.rbm import RBM
    from palate.models.rlrmc import RLRMC
    from palate.models.sar import SAR
    from palate.models.sasrec import SASRec
    from palate.models.session_knn import SessionKNN
    from palate.models.svd import SVD
    from palate.news import Impressions
    from palate.split import Split


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"palate.{name}")
    raise AttributeError(f"module 'palate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
