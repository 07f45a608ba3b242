"""How long training takes, by what it took so far, and whether that is in time."""

from __future__ import annotations

from math import ceil, inf, isnan
from numbers import Real
from time import perf_counter

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
        Number of networks that are to be trained in the end.
    final_work : float
        Work of each of them.

    Raises
    ------
    TypeError, ValueError
        If the limit is no positive number.
    """

    def __init__(
        self, limit: float | None, n_workers: int, n_final: int, final_work: float
    ) -> None:
        self.limit = inf if limit is None else limit
        self.n_workers = n_workers
        self._end = perf_counter() + self.limit
        self._n_final = n_final
        self._final_work = final_work
        self._rate = 0.0

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 if the time is up."""
        return self._end - perf_counter()

    def measure(self, seconds: float, n_networks: int, work: float) -> None:
        """So many networks took so many seconds for that much work in all."""
        if work > 0:
            self._rate = seconds / self._turns(n_networks, work)

    def seconds(self, n_networks: int, work: float) -> float:
        """What so many networks would take for that much work in all."""
        return self._rate * self._turns(n_networks, work)

    def _turns(self, n_networks: int, work: float) -> float:
        """Work of the worker that is done last, with networks of equal work."""
        return ceil(n_networks / self.n_workers) * work / max(1, n_networks)

    def allows(self, trainings: list[tuple[int, float]]) -> bool:
        """Whether there is time for these trainings and the final networks after them.

        Parameters
        ----------
        trainings : list of (int, float)
            The number of networks and their work in all, one after the other.
        """
        needed = sum(self.seconds(*training) for training in trainings)
        one = self.seconds(1, self._final_work)
        every = self.seconds(self._n_final, self._n_final * self._final_work)
        return needed + max(one, min(every, FINAL_SHARE * self.limit)) <= self.left

    def share_of_final_work(self) -> float:
        """The share of a final network's work that there is time for, 1 at most."""
        one = self.seconds(1, self._final_work)
        return min(1.0, max(0.0, self.left) / one) if one else 1.0


def check_time_limit(limit: float | None) -> None:
    """Raise an error unless the limit is None or a positive number."""
    if limit is None:
        return
    if not isinstance(limit, Real) or isinstance(limit, bool):
        raise TypeError(f"time_limit must be a number or None, got {limit!r}.")
    if isnan(limit) or limit <= 0:
        raise ValueError(f"time_limit must be positive or None, got {limit!r}.")
