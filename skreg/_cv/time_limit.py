"""How many candidates a time limit leaves room for, and what remains without any."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

from sklearn.base import BaseEstimator, clone

# How many times sooner an epoch of a network ends in a group than alone, at least, and
# what compiling takes beside that.
SPEEDUP = 2
COMPILE_SECONDS = 2.5
# Of the time left, what the first rung may take by such an estimate.
FIRST_RUNG_SHARE = 0.5


class Countdown:
    """Seconds that are left of a time limit."""

    def __init__(self, seconds: float) -> None:
        self._end = perf_counter() + seconds

    @property
    def left(self) -> float:
        return self._end - perf_counter()


class Probe:
    """One network with the given regularization: how long an epoch takes, and more.

    It stands in where there is no time to compare any candidates.

    Parameters
    ----------
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
    fit_arguments : tuple
        Rows, targets and weights.
    """

    def __init__(self, network: BaseEstimator, *fit_arguments: Any) -> None:
        self._max_epochs = network.epochs
        self.network = clone(network).set_params(epochs=1, warm_start=True)
        self._arguments = fit_arguments
        self._run_epoch()  # which traces, and may import TensorFlow
        self.seconds = self._run_epoch() if self._max_epochs > 1 else 0.0

    def _run_epoch(self) -> float:
        start = perf_counter()
        self.network.fit(*self._arguments)
        return perf_counter() - start

    def n_candidates(self, most: int, network_epochs: float, seconds: float) -> int:
        """How many of these candidates the first rung can have in so many seconds.

        Each takes `network_epochs` epochs of one network on all rows.
        """
        for_training = FIRST_RUNG_SHARE * seconds - COMPILE_SECONDS
        each = self.seconds * network_epochs / SPEEDUP
        return most if each * most <= for_training else max(0, int(for_training / each))

    def train_on(self, countdown: Countdown) -> BaseEstimator:
        """Train while there is time, and return the network."""
        n_epochs = self.network.n_iter_
        while n_epochs < self._max_epochs and countdown.left > self.seconds:
            self._run_epoch()
            n_epochs += 1
        return self.network.set_params(epochs=n_epochs, warm_start=False)


def fit_in_time(
    search: Callable[[int, float], BaseEstimator],
    probe: Probe,
    most: int,
    network_epochs: float,
    countdown: Countdown,
    time_limit: float,
) -> BaseEstimator:
    """Fit a search of as many candidates as there is time for, or else one network.

    Parameters
    ----------
    search : callable
        ``search(n_candidates, seconds)`` gives the fitted search, or raises a
        `TimeoutError`.
    probe : Probe
    most : int
        Number of candidates, if there is time.
    network_epochs : float
        See `Probe.n_candidates`.
    countdown : Countdown
    time_limit : float
        For the warning.

    Returns
    -------
    estimator
        The search, or the network, after a warning.
    """
    n_candidates = probe.n_candidates(most, network_epochs, countdown.left)
    if n_candidates:
        try:
            return search(n_candidates, countdown.left)
        except TimeoutError:
            pass
    network = probe.train_on(countdown)
    warnings.warn(
        f"time_limit={time_limit!r} seconds are too few to compare candidates: what "
        f"predicts is one network with default regularization, after {network.n_iter_} "
        "epochs.",
        stacklevel=5,
    )
    return network
