"""What a search ends with: the choice of candidates, and networks on all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier

from skreg._cv.ensemble import MLPEnsembleClassifier, MLPEnsembleRegressor
from skreg._cv.greedy import choose_ensemble
from skreg._cv.halving import Rung, mean_scores, score_table
from skreg._cv.members import fit_members, seeded_members
from skreg._cv.rungs import Candidate, CrossValidation
from skreg._cv.time_limit import Stopwatch
from skreg._estimators.base import RegularizedMLP

# Measuring the pace takes so much of a time limit.
MEASURING_SHARE = 0.1


@dataclass(frozen=True)
class Chosen:
    """The candidates that are fitted on all rows.

    Attributes
    ----------
    best : int
        The best candidate's row of ``cv_results_``.
    counts : Counter of int
        How many networks each chosen row gets.
    params : list of dict
        The parameters of each chosen row, ``epochs`` among them.
    score : float
        Score of the mean of their out-of-fold predictions; NaN if it is not known.
    warnings : list of str
        What the user should know.
    """

    best: int
    counts: Counter[int]
    params: list[dict[str, Any]]
    score: float
    warnings: list[str]


def choose(
    rungs: Sequence[Rung],
    cv: CrossValidation,
    ensemble_size: int | None,
    epochs: int,
    stopwatch: Stopwatch,
) -> Chosen:
    """Choose from the last rung in which candidates could be compared.

    Raises
    ------
    ValueError
        If there is no such rung.
    """
    rows = [(rung, c) for rung in rungs for c in rung.candidates]
    pool, means = _last_compared(rows)
    candidates = [rows[i][1] for i in pool]
    best, warnings = int(np.nanargmax(means)), []
    numbers, scores = [best], [float("nan")]
    if ensemble_size is not None:
        try:
            numbers, scores = choose_ensemble(candidates, means, cv, ensemble_size)
        except Exception as error:  # a scorer that wants more than predictions
            numbers, scores = [best] * ensemble_size, scores * ensemble_size
            warnings.append(
                "The means of candidates could not be compared, and the ensemble has "
                f"networks of the best one only: {error!r}"
            )
    n_networks, share = stopwatch.final_networks()
    numbers = numbers[:n_networks]
    last = rows[pool[0]][0]
    if last.number < max(rung.number for rung in rungs):  # which nobody has survived
        epochs = last.epochs
    final = {"epochs": max(1, int(share * epochs))}
    counts = Counter(pool[c] for c in numbers)  # in the order of first occurrence
    params = [{**rows[i][1].params, **final} for i in counts]
    return Chosen(pool[best], counts, params, scores[len(numbers) - 1], warnings)


def _last_compared(
    rows: list[tuple[Rung, Candidate]],
) -> tuple[list[int], NDArray[np.floating]]:
    """Rows of the last rung that has a score, and their mean scores."""
    for number in sorted({rung.number for rung, _ in rows}, reverse=True):
        pool = [i for i, (rung, _) in enumerate(rows) if rung.number == number]
        means = mean_scores(score_table([rows[i][1] for i in pool]))
        if not np.isnan(means).all():
            return pool, means
    errors = [fold.error for _, candidate in rows for fold in candidate.folds]
    raise ValueError(
        "No candidate could be fitted and scored on any fold. The first error was: "
        f"{errors[0]}"
    )


def left_out(rungs: Sequence[Rung]) -> list[str]:
    """Say which folds and candidates were left out."""
    if not rungs:
        return []
    first = [c for rung in rungs if rung.number == 0 for c in rung.candidates]
    unused = np.isnan(score_table(first)).all(axis=0)
    messages = []
    if unused.any():
        error = first[0].folds[int(np.argmax(unused))].error
        messages.append(
            f"Folds {np.flatnonzero(unused).tolist()} of {len(unused)} are left out: "
            f"no candidate has a score there. The first error was: {error}"
        )
    errors: dict[int, str] = {}
    for candidate in (c for rung in rungs for c in rung.candidates):
        for fold in np.flatnonzero(~unused):
            if candidate.folds[fold].error:
                errors.setdefault(id(candidate.params), candidate.folds[fold].error)
    if errors:
        messages.append(
            f"{len(errors)} of {len(first)} candidates lack a score on some fold, and "
            f"are left out. The first error was: {next(iter(errors.values()))}"
        )
    return messages


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
    n_jobs : int or None
        As in scikit-learn.
    """

    network: RegularizedMLP
    X: Any
    y: Any
    fit_params: dict[str, Any]
    n_jobs: int | None

    def fit(
        self, chosen: Chosen, ensemble_size: int | None
    ) -> tuple[BaseEstimator, list[str]]:
        """Fit what was chosen; returns what predicts, and warnings."""
        counts = chosen.counts.values()
        settings = [
            params
            for params, n in zip(chosen.params, counts, strict=True)
            for _ in range(n)
        ]
        members = self._members(settings, ensemble_size)
        return self._predictor(settings, self._fit_members(members), ensemble_size)

    def measure(
        self, ensemble_size: int | None, epochs: int, stopwatch: Stopwatch
    ) -> list[RegularizedMLP]:
        """Train networks of default regularization to see how long an epoch takes.

        Returns
        -------
        list of RegularizedMLP
            What predicts if there is no time to compare others, see `finish`.
        """
        n_networks = min(ensemble_size or 1, stopwatch.n_workers)
        members = self._members([{}] * n_networks, ensemble_size)
        for member in members:
            member.set_params(warm_start=True)
        seconds = MEASURING_SHARE * stopwatch.limit
        return self._train_for(seconds, members, epochs, stopwatch)

    def finish(
        self,
        members: list[RegularizedMLP],
        ensemble_size: int | None,
        epochs: int,
        stopwatch: Stopwatch,
    ) -> tuple[BaseEstimator, list[str]]:
        """Go on with the networks of `measure`, and add more, while there is time."""
        members = self._train_for(stopwatch.left, members, epochs, stopwatch)
        for member in members:
            member.set_params(epochs=member.n_iter_, warm_start=False)
        n_more, share = stopwatch.final_networks()
        if ensemble_size is not None and share == 1.0:
            others = self._members([{}] * ensemble_size, ensemble_size)
            others = others[len(members) :][:n_more]
            members = members + self._fit_members(others)
        settings: list[dict[str, Any]] = [{} for _ in members]
        predictor, messages = self._predictor(settings, members, ensemble_size)
        return predictor, [
            f"time_limit={stopwatch.limit:g} seconds are too few to compare "
            f"candidates: what predicts has default regularization, {len(members)} "
            f"networks after {members[0].n_iter_} epochs.",
            *messages,
        ]

    def _train_for(
        self,
        seconds: float,
        members: list[Any],
        epochs: int,
        stopwatch: Stopwatch,
    ) -> list[Any]:
        """Train networks with warm_start, twice as long each time, and measure that.

        They have two epochs at least if there is time after the first one, which takes
        longer than others: modules are imported and code is compiled.
        """
        end = stopwatch.left - seconds
        done = getattr(members[0], "n_iter_", 0)
        one_epoch = len(members) * self.X.shape[0]
        while done < epochs:
            more = min(max(done, 1), epochs - done)
            if done and stopwatch.left <= 0:
                break
            if done > 1:
                pace = stopwatch.seconds(len(members), one_epoch)
                more = min(more, int((stopwatch.left - end) / pace))
            if more < 1:
                break
            for member in members:
                member.set_params(epochs=more)
            start = perf_counter()
            members = self._fit_members(members)
            for outcome in members:
                if isinstance(outcome, Exception):
                    raise outcome
            took = perf_counter() - start
            stopwatch.measure(took, len(members), more * one_epoch)
            done += more
        return members

    def _members(
        self, settings: list[dict[str, Any]], ensemble_size: int | None
    ) -> list[Any]:
        if ensemble_size is None:
            return [clone(self.network).set_params(**settings[0])]
        return seeded_members(self.network, settings)

    def _fit_members(self, members: Sequence[Any]) -> list[Any]:
        return fit_members(members, self.X, self.y, self.fit_params, self.n_jobs)

    def _predictor(
        self, settings: list[dict[str, Any]], fitted: list[Any], size: int | None
    ) -> tuple[BaseEstimator, list[str]]:
        """What predicts, of those that could be fitted, and warnings."""
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
        if size is None:
            return fitted[0], messages
        classifier = is_classifier(self.network)
        kind = MLPEnsembleClassifier if classifier else MLPEnsembleRegressor
        ensemble = kind(self.network, [settings[i] for i in good], n_jobs=self.n_jobs)
        return ensemble._set_members([fitted[i] for i in good]), messages
