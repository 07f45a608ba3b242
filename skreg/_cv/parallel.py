"""Jobs that run at the same time, wherever joblib is told to run them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, TypeAlias

from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel

Run: TypeAlias = Callable[[Iterable[Any]], list[Any]]


@contextmanager
def workers(n_jobs: int | None) -> Iterator[Run]:
    """Workers for one fit, threads by default.

    The same threads run all jobs: the C library keeps what a thread has freed for the
    next job of that thread, and would keep as much again for others.

    Each of scikit-learn's threads sets and resets the filters of warnings, which belong
    to the whole process: what they leave is undone.

    Yields
    ------
    callable
        ``run(calls)`` gives the results of `sklearn.utils.parallel.delayed` calls.
    """
    with warnings.catch_warnings(), Parallel(n_jobs, prefer="threads") as parallel:

        def run(calls: Iterable[Any]) -> list[Any]:
            nonlocal parallel
            calls = list(calls)
            try:
                return parallel(calls)
            except CancelledError:  # A Dask worker has died, and data with it.
                # joblib can't use the same object again after an error.
                parallel = Parallel(n_jobs, prefer="threads")
                return parallel(calls)

        yield run


def count_workers(n_jobs: int | None) -> int:
    """How many jobs run at the same time."""
    backend, default = get_active_backend(prefer="threads")
    return backend.effective_n_jobs(default if n_jobs is None else n_jobs)
