"""implicit's item-item model (cosine) through its public interface, in its own environment.

    implicit_cosine.py ROWS.npz NEIGHBOURS     seconds of fit and recommend, twice, one thread

The sparse matrix is made before the clock starts. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import CosineRecommender
from threadpoolctl import threadpool_limits


def main() -> None:
    source, neighbours = sys.argv[1:]
    threadpool_limits(1, "blas")
    with np.load(source) as arrays:
        users, user = np.unique(arrays["user"], return_inverse=True)
        items, item = np.unique(arrays["item"], return_inverse=True)
    matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(len(users), len(items)))
    everyone = np.arange(len(users))
    runs = []
    for _ in range(2):
        model = CosineRecommender(K=int(neighbours), num_threads=1)
        start = time.process_time()
        model.fit(matrix, show_progress=False)
        middle = time.process_time()
        top, _scores = model.recommend(everyone, matrix, N=10, filter_already_liked_items=True)
        runs.append({"fit": {"cpu_s": middle - start}, "recommend": {"cpu_s": time.process_time() - middle}})
    peer = {"peer": f"implicit {version('implicit')}"}
    print(json.dumps(peer | {"runs": runs, "rows": matrix.nnz, "lists": len(top)}))


if __name__ == "__main__":
    main()
