"""Measurements here, or in processes of their own: several at a time, each with its share of the cores.

A worker gets the plan and the data once, when it starts, through a file that its parent wrote and removes. Ctrl-C is
the parent's alone; a worker whose parent is killed ends itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Self

from palate.errors import PalateError, PlanError
from palate.experiment.bench import Bench, Outcome, Task
from palate.interrupts import ctrl_c_later

MOST = 4
"""Processes by default at most: each holds the data."""
_THREADS = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_PROGRESS = "PALATE_PROGRESS"  # what `palate.progress` looks at

_bench: Bench | None = None  # a worker's own


class Workers:
    """Measures tasks, `jobs` at a time; with one job in this process."""

    def __init__(self, bench: Bench, jobs: int | None = None) -> None:
        """Take so many jobs; None: as many as there are cores, at most `MOST`."""
        if jobs is not None and jobs < 1:
            raise PlanError(f"jobs = {jobs}: expected a whole number from 1.")
        self.jobs = jobs or min(cores(), MOST)
        self.bench = bench
        """measures here what is measured here"""
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is None:
            return
        processes: list[BaseProcess] = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:  # an error or Ctrl-C: do not wait for fits that nobody wants
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
        if self._folder is not None:
            self._folder.cleanup()

    def submit(self, task: Task) -> Future[Outcome]:
        """Have a task measured; with one job it is done when this returns."""
        if self.jobs == 1:
            done: Future[Outcome] = Future()
            with _changed({_PROGRESS: "0"}):  # one bar is enough
                done.set_result(self.bench.measure(task))
            return done
        if self._pool is None:
            # Data and plan go through a file of our own. As arguments of a process they would hold us, deaf to Ctrl-C,
            # until the child has imported all that it needs and reads.
            self._folder = tempfile.TemporaryDirectory(prefix="palate-")
            gift = Path(self._folder.name) / "bench"
            gift.write_bytes(ForkingPickler.dumps(self.bench))
            self._pool = ProcessPoolExecutor(
                self.jobs,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(gift,),
            )
        with _children(threads=max(1, cores() // self.jobs)):  # a process starts when a task finds none idle
            return self._pool.submit(_measure, task)

    @staticmethod
    def result(future: Future[Outcome]) -> Outcome:
        """Return what a finished task gave. Raises PalateError where its process died."""
        try:
            return future.result()
        except BrokenProcessPool:
            raise PalateError(
                "a worker process ended without an answer, most likely for want of memory. What is finished is kept: "
                "run the same again with fewer jobs (--jobs 1)."
            ) from None


def cores() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(gift: Path) -> None:
    global _bench  # noqa: PLW0603 - what a worker is told once
    os.environ[_PROGRESS] = "0"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bench = ForkingPickler.loads(gift.read_bytes())  # as multiprocessing itself would, from our own parent


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure(task: Task) -> Outcome:
    assert _bench is not None
    return _bench.measure(task)


@contextmanager
def _children(*, threads: int) -> Iterator[None]:
    """Let processes that are started here have so many threads each, and leave Ctrl-C to their parent."""
    with ctrl_c_later(), _changed({name: os.environ.get(name) or str(threads) for name in _THREADS}):
        yield


@contextmanager
def _changed(variables: dict[str, str]) -> Iterator[None]:
    """Have environment variables other values for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
