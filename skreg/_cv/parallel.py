"""Jobs that run at the same time, wherever joblib is told to run them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from sklearn.utils.parallel import Parallel


def run_all(n_jobs: int | None, jobs: Iterable[Any]) -> list[Any]:
    """Run `sklearn.utils.parallel.delayed` calls, on threads by default.

    Each of scikit-learn's threads sets and resets the filters of warnings, which belong
    to the whole process: what they leave is undone.
    """
    with warnings.catch_warnings():
        return Parallel(n_jobs, prefer="threads")(jobs)
