"""What share of this machine's limits do the kernels reach? One thread, float32.

    python benchmarks/kernels/limits.py [--share 0.2]

First the machine: memory (STREAM's triad), reading the second cache, GEMM, increments at random places of a
row that stays in the first cache, scatter of 8-byte words over main memory. Then each kernel on two synthetic
worlds (../sar/synthetic.py), one of the size of MovieLens-1M and `--share` of the users of one of the size of
MovieLens-20M, as a share of the limit that its work is bound by:

* co-occurrence counting: increments a second against random increments in the nearest cache. Above 1 is
  possible: pairs of popular items are counted 64 users to an instruction instead of one at a time;
* histories times the item-item matrix to top-k, the whole way: bytes read from strips against reading a strip
  straight through, and multiply-adds against GEMM (which reuses each number it loads hundreds of times; here
  each is used once for each event);
* ordering rows by user and time, and distinct pairs by user and item: rows a second against the scatter;
* ranking metrics from lists: bytes in and out against the triad;
* cross-entropy over a whole catalogue of MovieLens-1M's and of Amazon Beauty's size, gradients included (4,096
  positions, 64 numbers each): its three products against the product of the same tables alone, whose inner size is
  64 (each number of the result is written after only 64 additions).

Best of five, each after one call that compiles; the cross-entropy and its product by turns, medians of 15.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sar"))
import synthetic

import common
from palate.interactions import Interactions
from palate.kernels import cooccurrence, order, ranking
from palate.kernels.strip import STRIP_BYTES
from palate.models.sar import SAR

_K = 10  # length of a list
_SMALL = (6_040, 3_706, 1_000_209)  # users, items, rows


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the shortest CPU time of `work`, in seconds, after one call that compiles."""
    work()
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


@njit
def _triad(a, b, c):  # type: ignore[no-untyped-def]
    for n in range(len(a)):
        a[n] = b[n] + np.float32(3) * c[n]


@njit(fastmath=True)
def _read(values, times):  # type: ignore[no-untyped-def]
    for _ in range(times):
        total = np.float32(0)
        for n in range(len(values)):
            total += values[n]
        values[0] = total  # so that no pass can be left out


@njit
def _increment(row, places):  # type: ignore[no-untyped-def]
    for place in places:
        row[place] += 1


@njit
def _scatter(target, places):  # type: ignore[no-untyped-def]
    for n in range(len(places)):
        target[places[n]] = n


def machine_limits() -> dict[str, float]:
    """Measure the machine: GB/s, GFLOP/s, millions a second."""
    rng = np.random.default_rng(42)
    a, b, c = (np.ones(1 << 25, np.float32) for _ in range(3))
    near = np.ones(64 << 10, np.float32)  # 256 KB
    square = rng.random((2048, 2048), dtype=np.float32)
    places = rng.integers(0, 4096, 1 << 22).astype(np.uint32)
    row = np.zeros(4096, np.int32)
    far = rng.permutation(1 << 23)
    target = np.empty_like(far)
    return {
        "triad_gb_s": 3 * a.nbytes / best(lambda: _triad(a, b, c)) / 1e9,
        "second_cache_read_gb_s": 1000 * near.nbytes / best(lambda: _read(near, 1000)) / 1e9,
        "gemm_gflop_s": 2 * 2048**3 / best(lambda: square @ square, 2) / 1e9,
        "increments_million_s": len(places) / best(lambda: _increment(row, places)) / 1e6,
        "scatter_million_s": len(far) / best(lambda: _scatter(target, far)) / 1e6,
    }


def world(users: int, items: int, rows: int) -> dict[str, np.ndarray]:
    """Rows in codes."""
    made = synthetic.make(users, items, rows)
    return {"user": made["user"] - 1, "item": made["item"] - 1, "time": made["time"]}


def counting(rows: dict[str, np.ndarray], limits: dict[str, float]) -> dict[str, float]:
    n_users, n_items = int(rows["user"].max()) + 1, int(rows["item"].max()) + 1
    indptr, items = order.distinct_pairs(rows["user"], rows["item"], n_users, n_items)
    lengths = np.diff(indptr).astype(np.float64)
    increments = float((lengths * (lengths + 1) / 2).sum())
    seconds = best(lambda: cooccurrence.count_pairs(indptr, items, n_items), 3)
    rate = increments / seconds / 1e6
    return {
        "pairs_million_s": rate,
        "of_increments": rate / limits["increments_million_s"],
        "seconds": seconds,
    }


def scoring(rows: dict[str, np.ndarray], limits: dict[str, float]) -> dict[str, float]:
    """The whole way from a fitted model to the lists of all its users: strips, sums, best ten."""
    train = Interactions.from_table(rows)
    model = SAR().fit(train)
    seconds = best(lambda: model.recommend_codes(k=_K), 2)
    adds = float(len(train)) * train.n_items
    strip = np.ones(train.n_items * STRIP_BYTES // 4, np.float32)
    straight = 50 * strip.nbytes / best(lambda: _read(strip, 50)) / 1e9
    return {
        "gb_s": 4 * adds / seconds / 1e9,
        "strip_read_gb_s": straight,
        "of_strip_read": 4 * adds / seconds / 1e9 / straight,
        "gflop_s": 2 * adds / seconds / 1e9,
        "of_gemm": 2 * adds / seconds / 1e9 / limits["gemm_gflop_s"],
        "seconds": seconds,
    }


def ordering(rows: dict[str, np.ndarray], limits: dict[str, float]) -> dict[str, float]:
    mixed = np.random.default_rng(42).permutation(len(rows["user"]))
    user, item, when = (rows[name][mixed] for name in ("user", "item", "time"))
    n_users, n_items = int(user.max()) + 1, int(item.max()) + 1
    by_time = len(user) / best(lambda: order.group_by_time(user, when, n_users)) / 1e6
    pairs = len(user) / best(lambda: order.distinct_pairs(user, item, n_users, n_items)) / 1e6
    return {
        "by_time_million_s": by_time,
        "by_time_of_scatter": by_time / limits["scatter_million_s"],
        "distinct_million_s": pairs,
        "distinct_of_scatter": pairs / limits["scatter_million_s"],
    }


def metrics(limits: dict[str, float]) -> dict[str, float]:
    users, per_user = 1_000_000, 5
    rng = np.random.default_rng(42)
    top = (rng.integers(0, 20_000, (users, 1)) + np.arange(_K) * 7).astype(np.int32)
    relevant = np.sort(top[:, ::2] + rng.integers(0, 2, (users, per_user)), axis=1).astype(np.int32).ravel()
    indptr = np.arange(0, users * per_user + 1, per_user)
    n_relevant, ks = np.full(users, per_user), np.array([_K])
    discount, ideal = ranking.discounts(_K)
    values, r_precision = np.empty((len(ranking.METRICS), 1, users)), np.empty(users)
    given = (top, indptr, relevant, n_relevant, ks, discount, ideal, values, r_precision)
    seconds = best(lambda: ranking.list_metrics(*given))
    rate = sum(array.nbytes for array in given) / seconds / 1e9
    return {"million_users_s": users / seconds / 1e6, "gb_s": rate, "of_triad": rate / limits["triad_gb_s"]}


def cross_entropy(items: int, positions: int = 4_096, size: int = 64) -> dict[str, float]:
    import torch

    from palate.neural import losses

    torch.set_num_threads(1)
    torch.manual_seed(42)
    table, hidden = torch.randn(items, size) * 0.1, torch.randn(positions, size)
    target = torch.randint(0, items, (positions,))
    logits = torch.empty(items, losses.CHUNK)
    some = hidden[: losses.CHUNK].T
    chunks = positions // losses.CHUNK
    found = []
    for _ in range(15):  # by turns: a neighbour's noise on the memory then meets both
        alone = best(lambda: [torch.mm(table, some, out=logits) for _ in range(chunks)], 1)
        whole = best(lambda: losses.cross_entropy(hidden, table, target), 1)
        found.append((2 * items * losses.CHUNK * size * chunks / alone, 6 * positions * items * size / whole))
    gemm, loss = np.median(np.array(found) / 1e9, axis=0)
    share = float(np.median([one / other for other, one in found]))
    return {"gflop_s": float(loss), "gemm_inner_64_gflop_s": float(gemm), "of_gemm_inner_64": share}


def measure(share: float) -> dict[str, object]:
    limits = machine_limits()
    part = round(synthetic.USERS * share), synthetic.ITEMS, round(synthetic.ROWS * share)
    kernels = {"metrics": metrics(limits)}
    for items in (3_416, 12_101):
        kernels[f"cross-entropy, {items:,} items"] = cross_entropy(items)
    for users, items, rows in (_SMALL, part):
        made, size = world(users, items, rows), f"{rows:,} rows, {items:,} items"
        kernels |= {
            f"co-occurrence, {size}": counting(made, limits),
            f"scores to top-k, {size}": scoring(made, limits),
            f"ordering, {size}": ordering(made, limits),
        }
    rounded = {
        name: {key: round(value, 3) for key, value in found.items()} for name, found in kernels.items()
    }
    return {"limits": {key: round(value, 1) for key, value in limits.items()}, "kernels": rounded}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--share", type=float, default=0.2, help="share of the users of the large world")
    options = parser.parse_args()
    common.warn_when_busy()
    result = common.worker(__file__, options.share)
    print(json.dumps(result, indent=1))
    common.write("kernel-limits", result, options.out)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        print(json.dumps(measure(float(sys.argv[-1]))))
    else:
        main()
