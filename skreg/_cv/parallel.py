"""Jobs that run at the same time, wherever joblib is told to run them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel


def run_all(n_jobs: int | None, jobs: Iterable[Any]) -> list[Any]:
    """Run `sklearn.utils.parallel.delayed` calls, on threads by default.

    Each of scikit-learn's threads sets and resets the filters of warnings, which belong
    to the whole process: what they leave is undone.
    """
    with warnings.catch_warnings():
        return Parallel(n_jobs, prefer="threads")(jobs)


def count_workers(n_jobs: int | None) -> int:
    """How many jobs `run_all` runs at the same time."""
    backend, default = get_active_backend(prefer="threads")
    return backend.effective_n_jobs(default if n_jobs is None else n_jobs)
