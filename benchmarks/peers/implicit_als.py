"""implicit's alternating least squares through its public interface, in its own environment.

    implicit_als.py ROWS.npz PARAMS FOLDER     seconds of fit and recommend, twice, one thread; item factors in FOLDER

The sparse matrix is made before the clock starts. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits


def main() -> None:
    source, params, folder = sys.argv[1:]
    threadpool_limits(1, "blas")
    with np.load(source) as arrays:
        users, user = np.unique(arrays["user"], return_inverse=True)
        items, item = np.unique(arrays["item"], return_inverse=True)
    matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(len(users), len(items)))
    everyone = np.arange(len(users))
    runs = []
    for _ in range(2):
        model = AlternatingLeastSquares(**json.loads(params), num_threads=1, random_state=42)
        start = time.process_time()
        model.fit(matrix, show_progress=False)
        middle = time.process_time()
        top, _scores = model.recommend(everyone, matrix, N=10, filter_already_liked_items=True)
        runs.append({"fit": {"cpu_s": middle - start}, "recommend": {"cpu_s": time.process_time() - middle}})
    np.save(Path(folder) / "implicit.npy", model.item_factors)
    peer = {"peer": f"implicit {version('implicit')}"}
    print(json.dumps(peer | {"runs": runs, "rows": matrix.nnz, "lists": len(top)}))


if __name__ == "__main__":
    main()
