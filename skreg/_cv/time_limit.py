"""How long training takes, by what it took so far, and whether that is in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from math import ceil, inf, isnan
from numbers import Real
from time import perf_counter
from typing import TypeAlias

Step: TypeAlias = Callable[[str], AbstractContextManager[None]]

# The final networks are left so much of the limit, if they need it.
FINAL_SHARE = 0.5


class Stopwatch:
    """Seconds that are left of a time limit, and what there is time for.

    Work is counted in rows times epochs. What it takes is never estimated by a model,
    but measured by the trainings of the same fit.

    Parameters
    ----------
    limit : float or None
        Seconds from now on; None means that there is time for everything.
    n_workers : int
        Number of networks that are trained at the same time.
    n_final : int
        Number of networks that are to be trained on all rows in the end.
    n_rows : int, default=0
        Number of these rows.
    """

    def __init__(
        self, limit: float | None, n_workers: int, n_final: int, n_rows: int = 0
    ) -> None:
        self.limit = inf if limit is None else float(limit)
        self.n_workers = n_workers
        self._end = perf_counter() + self.limit
        self._n_final = n_final
        self.n_rows = n_rows
        self._rate = self._final_rate = 0.0

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 if the time is up."""
        return self._end - perf_counter()

    def measure(
        self, seconds: float, n_networks: int, work: float, share: float = 1.0
    ) -> None:
        """So many networks took so many seconds for that much work in all.

        A `share` of them was training, the rest scoring, which final networks are not.
        """
        if work > 0:
            self._rate = seconds / self._turns(n_networks, work)
            self._final_rate = share * self._rate

    def seconds(self, n_networks: int, work: float) -> float:
        """What so many networks would take for that much work in all."""
        return self._rate * self._turns(n_networks, work)

    def _turns(self, n_networks: int, work: float) -> float:
        """Work of the worker that is done last, with networks of equal work."""
        return ceil(n_networks / self.n_workers) * work / max(1, n_networks)

    def allows(self, trainings: list[tuple[int, float]], final_epochs: int) -> bool:
        """Whether there is time for these trainings and the final networks after them.

        Parameters
        ----------
        trainings : list of (int, float)
            The number of networks and their work in all, one after the other.
        final_epochs : int
            Number of epochs of the final networks.
        """
        needed = sum(self.seconds(*training) for training in trainings)
        one = self.final_seconds(final_epochs)
        every = self.final_seconds(final_epochs, self._n_final)
        return needed + max(one, min(every, FINAL_SHARE * self.limit)) <= self.left

    def final_seconds(self, epochs: int, n_networks: int = 1) -> float:
        """What so many final networks would take."""
        work = float(n_networks * self.n_rows * epochs)
        return self._final_rate * self._turns(n_networks, work)


def check_time_limit(limit: float | None) -> None:
    """Raise an error unless the limit is None or a positive number."""
    if limit is None:
        return
    if not isinstance(limit, Real) or isinstance(limit, bool):
        raise TypeError(f"time_limit must be a number or None, got {limit!r}.")
    if isnan(limit) or limit <= 0:
        raise ValueError(f"time_limit must be positive or None, got {limit!r}.")


def timed_steps(subtask: Step, verbose: bool) -> Step:
    """``step(title)``: a context manager for a part of a fit.

    Tells scikit-learn's callbacks by `subtask`; prints the title, and the seconds.
    """

    @contextmanager
    def step(title: str) -> Iterator[None]:
        start = perf_counter()
        with subtask(title):
            yield
        if verbose:
            print(f"{title}: {perf_counter() - start:.1f} s")

    return step
