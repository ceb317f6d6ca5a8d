"""How many users chose both items: the counting behind SAR and EASE.

Input is the distinct items of each user as CSR, ascending. The plain way makes sum of n_u^2 / 2 increments, each a
load, an add and a store at a random place of a row of counts. Two things make it several times faster:

* Items are renamed by popularity. Of each pair only the rarer item's row is filled (the rest is its mirror image), so
  most increments fall on the short, hot head of a row, which stays in the nearest cache.
* Pairs inside the most popular items, which most increments belong to, are counted 64 users at a time: each item is a
  bit set of users, and a pair's count is the population count of the intersection. How many items are
  worth it follows from the two costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

_BLOCK = 64  # a 64 x 64 block of int32 is 16 KB: two of them stay in the first cache while they are mirrored
_PAIRS = 16  # 2 x 16 bit sets are intersected at a time ...
_WORDS = 512  # ... over 512 words (32,768 users), 128 KB in all, inside the second cache
_AHEAD = 8  # lists to prefetch
_WORD_COST = 0.4  # one word of an intersection against one increment, measured


@intrinsic
def _popcount(typingctx: Any, word: Any) -> Any:
    """Return the number of bits set in a 64-bit word: one machine instruction."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), build


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of `array[index]`: lists of users lie all over the memory, and are known ahead."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = cgutils.get_item_pointer(
            context, builder, signature.args[0], view, [args[1]], wraparound=False
        )
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        call = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        )
        builder.call(call, [builder.bitcast(pointer, byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), build


@dataclass(frozen=True)
class Lists:
    """Who has which item, items named by their rank in popularity."""

    indptr: NDArray[np.int64]
    """(users + 1) where each user's ranks stand"""
    ranks: NDArray[np.unsignedinteger]
    """(pairs) ascending for each user"""
    pointers: NDArray[np.int64]
    """(items + 1) where each rank's users stand"""
    users: NDArray[np.int32]
    """(pairs) ascending for each rank"""
    places: NDArray[np.int32]
    """(pairs) where the rank stands in the list of that user"""
    rank: NDArray[np.int32]
    """(items) of each item"""
    by_rank: NDArray[np.int32]
    """(items) the item of each rank"""

    @property
    def popularity(self) -> NDArray[np.int64]:
        """Users of each rank, falling."""
        return np.diff(self.pointers)

    def buffers(self, first: int) -> NDArray[np.integer]:
        """Return a row of counts for each thread, wide enough for ranks from `first` on."""
        most = int(self.popularity[first]) if first < len(self.rank) else 0
        return np.zeros((get_num_threads(), len(self.rank)), np.uint16 if most < 2**16 else np.int32)


def lists(indptr: NDArray[np.int64], items: NDArray[np.int32], n_items: int) -> Lists:
    """Return the lists for counting.

    Args:
        indptr, items: distinct items of each user, ascending (`order.distinct_pairs`).
        n_items: size of the catalogue.
    """
    by_rank = np.argsort(-np.bincount(items, minlength=n_items), kind="stable").astype(np.int32)
    rank = np.empty(n_items, np.int32)
    rank[by_rank] = np.arange(n_items, dtype=np.int32)
    # Half the bytes for lists and rows, wherever they fit, is half the misses of the cache.
    ranks = relabel(indptr, items, rank, np.empty(len(items), np.uint16 if n_items <= 2**16 else np.uint32))
    return Lists(indptr, ranks, *invert(indptr, ranks, n_items), rank, by_rank)


def count_pairs(indptr: NDArray[np.int64], items: NDArray[np.int32], n_items: int) -> NDArray[np.int32]:
    """Return the symmetric matrix of how many users have both items, (items, items) int32; the diagonal is popularity.

    Args:
        indptr, items: distinct items of each user, ascending (`order.distinct_pairs`).
        n_items: size of the catalogue.

    Memory: 4 bytes x items^2, and 16 bytes a pair while it runs.
    """
    counts = np.empty((n_items, n_items), np.int32)
    have = lists(indptr, items, n_items)
    n_head = _head(have.popularity, indptr)
    if n_head:
        _count_head(_bit_sets(indptr, have.ranks, n_head), have.by_rank, counts)
    _count(
        indptr, have.ranks, have.pointers, have.users, have.places, have.by_rank, n_head, n_items, False,
        have.buffers(n_head), counts,
    )  # fmt: skip
    _mirror(counts, have.rank)
    return counts


def count_rows(have: Lists, first: int, stop: int, counts: NDArray[np.int32]) -> None:
    """Write the whole rows of the items of rank `first` to `stop - 1` to `counts` (rows, items).

    For a catalogue whose whole matrix would be too large: without its mirror image, twice the increments.
    """
    _count(
        have.indptr, have.ranks, have.pointers, have.users, have.places, have.by_rank, first, stop, True,
        have.buffers(first), counts,
    )  # fmt: skip


def _head(popularity: NDArray[np.int64], indptr: NDArray[np.int64]) -> int:
    """Return how many of the most popular items are worth a bit set (popularity in falling order)."""
    increments = float((np.diff(indptr).astype(np.float64) ** 2).sum() / 2)
    words = (len(indptr) - 1 + 63) // 64
    sizes = np.arange(len(popularity) + 1)
    # Each user's share of head items is taken as the average one.
    covered = np.r_[0.0, np.cumsum(popularity)] / max(popularity.sum(), 1)
    cost = _WORD_COST * words * sizes.astype(np.float64) ** 2 / 2 - increments * covered**2
    return int(np.argmin(cost))


@njit(cache=True, nogil=True)
def invert(
    indptr: NDArray[np.int64], items: NDArray[np.integer], n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return each item's users, ascending, as CSR pointers (n_items + 1) and users, and its place in their lists."""
    pointers = np.zeros(n_items + 1, np.int64)
    for item in items:
        pointers[np.int64(item) + 1] += 1
    for i in range(n_items):
        pointers[i + 1] += pointers[i]
    fill = pointers[:-1].copy()
    users = np.empty(len(items), np.int32)
    places = np.empty(len(items), np.int32)
    for u in range(len(indptr) - 1):
        for n in range(indptr[u], indptr[u + 1]):
            users[fill[items[n]]] = u
            places[fill[items[n]]] = n - indptr[u]
            fill[items[n]] += 1
    return pointers, users, places


@njit(cache=True, nogil=True)
def relabel(
    indptr: NDArray[np.int64],
    items: NDArray[np.int32],
    rank: NDArray[np.int32],
    ranks: NDArray[np.unsignedinteger],
) -> NDArray[np.unsignedinteger]:
    """Write to `ranks` the ranks of each user's items, ascending: the same sets under other names."""
    n_users, n_items = len(indptr) - 1, len(rank)
    place = np.zeros(n_items + 1, np.int64)
    for item in items:
        place[rank[item] + 1] += 1
    for r in range(n_items):
        place[r + 1] += place[r]
    users = np.empty(len(items), np.int32)  # grouped by rank
    fill = place[:-1].copy()
    for u in range(n_users):
        for n in range(indptr[u], indptr[u + 1]):
            r = rank[items[n]]
            users[fill[r]] = u
            fill[r] += 1
    start = indptr[:-1].copy()
    for r in range(n_items):
        for n in range(place[r], place[r + 1]):
            ranks[start[users[n]]] = r
            start[users[n]] += 1
    return ranks


@njit(cache=True, nogil=True)
def _bit_sets(
    indptr: NDArray[np.int64], ranks: NDArray[np.unsignedinteger], n_head: int
) -> NDArray[np.uint64]:
    """Return for each of the first `n_head` items the set of its users, 64 to a word."""
    n_users = len(indptr) - 1
    bits = np.zeros((n_head, (n_users + 63) // 64), np.uint64)
    for u in range(n_users):
        bit = np.uint64(1) << np.uint64(u % 64)
        for n in range(indptr[u], indptr[u + 1]):
            if ranks[n] >= n_head:
                break
            bits[ranks[n], u // 64] |= bit
    return bits


@njit(cache=True, nogil=True, parallel=True)
def _count_head(bits: NDArray[np.uint64], by_rank: NDArray[np.int32], counts: NDArray[np.int32]) -> None:
    """Fill counts[i, j] for items with bit sets, j at least as popular as i."""
    n_head, n_words = bits.shape
    blocks = (n_head + _PAIRS - 1) // _PAIRS
    for task in prange(blocks * (blocks + 1) // 2):
        a = np.int64((np.sqrt(8.0 * task + 1.0) - 1.0) / 2.0)  # task = a (a + 1) / 2 + b, b <= a
        b = task - a * (a + 1) // 2
        found = np.zeros((_PAIRS, _PAIRS), np.int64)
        for start in range(0, n_words, _WORDS):
            stop = min(start + _WORDS, n_words)
            for r in range(a * _PAIRS, min((a + 1) * _PAIRS, n_head)):
                for s in range(b * _PAIRS, min((b + 1) * _PAIRS, r + 1)):
                    both = np.uint64(0)
                    for w in range(start, stop):
                        both += _popcount(bits[r, w] & bits[s, w])
                    found[r - a * _PAIRS, s - b * _PAIRS] += np.int64(both)
        for r in range(a * _PAIRS, min((a + 1) * _PAIRS, n_head)):
            for s in range(b * _PAIRS, min((b + 1) * _PAIRS, r + 1)):
                counts[by_rank[r], by_rank[s]] = found[r - a * _PAIRS, s - b * _PAIRS]


@njit(cache=True, nogil=True)
def _count_row(
    r: int,
    indptr: NDArray[np.int64],
    ranks: NDArray[np.unsignedinteger],
    pointers: NDArray[np.int64],
    users: NDArray[np.int32],
    places: NDArray[np.int32],
    by_rank: NDArray[np.int32],
    whole: bool,
    row: NDArray[np.integer],
    target: NDArray[np.int32],
) -> None:
    """Write the counts of rank r with every rank, or if not `whole` with those at least as popular, by item."""
    end = len(by_rank) if whole else r + 1
    row[:end] = 0
    for p in range(pointers[r], pointers[r + 1]):
        soon = indptr[users[min(p + _AHEAD, len(users) - 1)]]
        prefetch(ranks, soon)
        prefetch(ranks, soon + 32)
        start = indptr[users[p]]
        stop = indptr[users[p] + 1] if whole else start + places[p]
        for n in range(start, stop):
            row[ranks[n]] += 1  # unsigned ranks spare the test for an index below zero
    row[r] = pointers[r + 1] - pointers[r]
    for s in range(end):
        target[by_rank[s]] = row[s]


@njit(cache=True, nogil=True, parallel=True)
def _count(
    indptr: NDArray[np.int64],
    ranks: NDArray[np.unsignedinteger],
    pointers: NDArray[np.int64],
    users: NDArray[np.int32],
    places: NDArray[np.int32],
    by_rank: NDArray[np.int32],
    first: int,
    stop: int,
    whole: bool,
    rows: NDArray[np.integer],
    counts: NDArray[np.int32],
) -> None:
    """Count for ranks `first` to `stop - 1`: whole rows one below the other, or lower halves where the items stand."""
    threads = len(rows)
    for thread in prange(threads):
        # Striding gives each thread rows of every length.
        for r in range(first + thread, stop, threads):
            target = counts[r - first] if whole else counts[by_rank[r]]
            _count_row(r, indptr, ranks, pointers, users, places, by_rank, whole, rows[thread], target)


@njit(cache=True, nogil=True, parallel=True)
def _mirror(counts: NDArray[np.int32], rank: NDArray[np.int32]) -> None:
    """Copy counts[j, i] to counts[i, j] wherever j is the rarer item."""
    n_items = len(rank)
    blocks = (n_items + _BLOCK - 1) // _BLOCK
    for a in prange(blocks):
        for b in range(blocks):
            for i in range(a * _BLOCK, min((a + 1) * _BLOCK, n_items)):
                for j in range(b * _BLOCK, min((b + 1) * _BLOCK, n_items)):
                    if rank[i] < rank[j]:
                        counts[i, j] = counts[j, i]
