"""A name or a file -> interactions, catalogue, licence.

```python
from palate import datasets

retail = datasets.load("retail")  # embedded
mine = datasets.load("ratings.csv", user="userId", item="movieId", value="rating", time="timestamp")
datasets.describe(mine).warnings  # what will mislead
```
"""

from palate.datasets.convert import convert
from palate.datasets.dataset import Dataset, DatasetInfo
from palate.datasets.describe import Description, describe
from palate.datasets.news import load_news
from palate.datasets.newsdata import NewsDataset
from palate.datasets.registry import load, names
from palate.datasets.to_mind import to_mind

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Description",
    "NewsDataset",
    "convert",
    "describe",
    "load",
    "load_news",
    "names",
    "to_mind",
]
