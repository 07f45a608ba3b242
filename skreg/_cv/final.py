"""Networks on all rows: those of the chosen candidates, or default ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf
from time import perf_counter
from typing import Any

from sklearn.base import BaseEstimator, clone, is_classifier

from skreg._cv.ensemble import MLPEnsembleClassifier, MLPEnsembleRegressor
from skreg._cv.members import fit_members, seeded_members
from skreg._cv.parallel import Run
from skreg._cv.time_limit import Stopwatch
from skreg._estimators.base import RegularizedMLP

# Measuring the pace takes so much of a time limit at most, and so many epochs.
MEASURING_SHARE = 0.1
MEASURING_EPOCHS = 10


@dataclass(frozen=True)
class FinalFit:
    """Fits networks on all rows.

    Attributes
    ----------
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
        The network whose parameters the candidates set.
    X : ndarray or CSR of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or CSR
    fit_params : dict
        For ``fit``.
    run : callable
        Runs jobs, see `skreg._cv.parallel.workers`.
    n_jobs : int or None
        For the ensemble, should it be fitted again.
    ensemble_size : int or None
        Number of networks; None means one network instead of an ensemble.
    stopwatch : Stopwatch
        Says what there is time for.
    """

    network: RegularizedMLP
    X: Any
    y: Any
    fit_params: dict[str, Any]
    run: Run
    n_jobs: int | None
    ensemble_size: int | None
    stopwatch: Stopwatch

    def fit(
        self, settings: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[Any]]:
        """Fit one network after the other while there is time, or all at once.

        Where there is not even time for the first one, all have fewer epochs.

        Returns
        -------
        settings : list of dict
            Those of the networks, with the epochs that they had; fewer than were given
            if there is no time for more.
        networks : list of RegularizedMLP or Exception
            The networks, or the errors of their fits.
        """
        needed = self.stopwatch.final_seconds(settings[0]["epochs"])
        share = max(0.0, self.stopwatch.left) / needed if needed else 1.0
        if share < 1:
            settings = [
                s | {"epochs": max(1, int(share * s["epochs"]))} for s in settings
            ]
        fitted = self._fit_in_time([], self._members(settings))
        return settings[: len(fitted)], fitted

    def measure(self) -> list[RegularizedMLP]:
        """Train networks of default regularization to see how long an epoch takes.

        Returns
        -------
        list of RegularizedMLP
            What predicts if there is no time to compare others, see `finish`.
        """
        n_networks = min(self.ensemble_size or 1, self.stopwatch.n_workers)
        members = self._members([{} for _ in range(n_networks)])
        members = self._go_on(members, 1)
        # The first epoch takes longer than others: modules are imported, and code is
        # compiled.
        more = MEASURING_SHARE * self.stopwatch.limit / self.stopwatch.final_seconds(1)
        if self.stopwatch.left > 0:
            members = self._go_on(members, max(1, min(int(more), MEASURING_EPOCHS)))
        return members

    def finish(self, members: list[RegularizedMLP], epochs: int) -> list[Any]:
        """Go on with the networks of `measure`, and add more, while there is time."""
        pace = self.stopwatch.final_seconds(1, len(members))
        more = min(int(self.stopwatch.left / pace), epochs - members[0].n_iter_)
        if more > 0:
            members = self._go_on(members, more)
        for member in members:
            member.set_params(epochs=member.n_iter_, warm_start=False)
        if members[0].n_iter_ < epochs:
            return members
        every = self._members([{"epochs": epochs}] * (self.ensemble_size or 1))
        return self._fit_in_time(members, every[len(members) :])

    def predictor(
        self, settings: list[dict[str, Any]], fitted: list[Any]
    ) -> tuple[BaseEstimator, list[int], list[str]]:
        """What predicts, the numbers of the networks in it, and warnings.

        Networks that could not be fitted are left out.
        """
        good = [i for i, one in enumerate(fitted) if not isinstance(one, Exception)]
        errors = [one for one in fitted if isinstance(one, Exception)]
        if not good:
            raise ValueError(
                f"No final network could be fitted on all rows. The first error was: "
                f"{errors[0]!r}"
            ) from errors[0]
        messages = []
        if errors:
            messages.append(
                f"{len(errors)} of {len(fitted)} final networks could not be fitted, "
                f"and are left out. The first error was: {errors[0]!r}"
            )
        if self.ensemble_size is None:
            return fitted[0], good, messages
        classifier = is_classifier(self.network)
        kind = MLPEnsembleClassifier if classifier else MLPEnsembleRegressor
        ensemble = kind(self.network, [settings[i] for i in good], n_jobs=self.n_jobs)
        return ensemble._set_members([fitted[i] for i in good]), good, messages

    def _fit_in_time(self, fitted: list[Any], members: list[Any]) -> list[Any]:
        """Fit members as long as there is time, as many at once as there are workers.

        Without a limit, all are fitted at once. With one, the first ones are fitted
        even if there is no time, where no other ones have been.
        """
        unlimited = isinf(self.stopwatch.limit)
        n_at_once = max(1, len(members)) if unlimited else self.stopwatch.n_workers
        for first in range(0, len(members), n_at_once):
            turn = members[first : first + n_at_once]
            epochs = max(member.epochs for member in turn)
            needed = self.stopwatch.final_seconds(epochs, len(turn))
            if fitted and needed > self.stopwatch.left:
                break
            fitted = fitted + self._fit_members(turn)
        return fitted

    def _go_on(self, members: list[Any], epochs: int) -> list[Any]:
        """Train networks for so many more epochs, and measure that."""
        for member in members:
            member.set_params(epochs=epochs, warm_start=True)
        start = perf_counter()
        members = self._fit_members(members)
        for outcome in members:
            if isinstance(outcome, Exception):
                raise outcome
        work = float(len(members) * self.X.shape[0] * epochs)
        self.stopwatch.measure(perf_counter() - start, len(members), work)
        return members

    def _members(self, settings: list[dict[str, Any]]) -> list[Any]:
        if self.ensemble_size is None:
            return [clone(self.network).set_params(**settings[0])]
        return seeded_members(self.network, settings)

    def _fit_members(self, members: Sequence[Any]) -> list[Any]:
        return fit_members(members, self.X, self.y, self.fit_params, self.run)
