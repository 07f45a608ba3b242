"""The time that a halving search has, and whether another rung fits into it."""

from __future__ import annotations

from time import time

from skreg._search.progress import OutOfTime

# Of the time for the first rung, before which nothing is known: what follows it is a
# choice among its candidates, and the refit.
FIRST_SHARE = 0.7


class TimeBudget:
    """Decides rung by rung, by what the rungs before took.

    Costs are in any unit that is proportional to time, such as epochs of a network.

    Parameters
    ----------
    seconds : float
        From now on.

    Attributes
    ----------
    deadline : float
        When the rung that has begun is to be abandoned, as of `time.time`, which other
        processes share.
    """

    def __init__(self, seconds: float) -> None:
        self._begun = time()
        self._end = self._begun + seconds
        self._cost: float | None = None
        self._refit_cost = 0.0
        self.deadline = self._begun + FIRST_SHARE * seconds

    def begin_rung(self, cost: float, refit_cost: float) -> None:
        """A rung is to begin, of that cost; a refit after it would have the other.

        Raises
        ------
        OutOfTime
            If both would not be done in time.
        """
        if self._cost is not None:
            now = time()
            pace = (now - self._begun) / self._cost
            if now + pace * (cost + refit_cost) > self._end:
                raise OutOfTime
            self._begun = now
            self.deadline = self._end - pace * self._refit_cost
        self._cost, self._refit_cost = cost, refit_cost
