"""Candidates trained on every fold for some more epochs, and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import _check_method_params

from skreg._cv.parallel import Run
from skreg._estimators.base import RegularizedMLP

Split: TypeAlias = tuple[NDArray[np.integer], NDArray[np.integer]]
# None where there is no network.
Prediction: TypeAlias = NDArray[np.floating] | None


def auto_batch_size(n_rows: int) -> int:
    """Rows in a batch where the user does not say: an epoch has 32 batches or so."""
    return int(np.clip(n_rows // 32, 32, 256))


@dataclass(frozen=True)
class FoldFit:
    """A candidate on one fold.

    Attributes
    ----------
    network : RegularizedMLP or None
        Fitted to the fold's training rows, or not yet; None if its fit has failed.
    score : float
        On the fold's test rows; NaN if there is none.
    error : str
        What has gone wrong in the fit or in the scorer; empty if nothing has.
    fit_time, score_time : float
        Seconds that the last rung took.
    """

    network: RegularizedMLP | None
    score: float = np.nan
    error: str = ""
    fit_time: float = 0.0
    score_time: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """One setting of the parameters, as far as it has been trained.

    Attributes
    ----------
    params : dict
        The parameters that it sets.
    folds : list of FoldFit
        One entry per fold.
    epochs : int
        Number of epochs so far.
    front_end : str or None
        That of its rows, see `CrossValidation`.
    """

    params: dict[str, Any]
    folds: list[FoldFit]
    epochs: int = 0
    front_end: str | None = None

    @property
    def params_and_epochs(self) -> dict[str, Any]:
        """The parameters, with the number of epochs among them."""
        return {**self.params, "epochs": self.epochs}

    @property
    def scores(self) -> list[float]:
        """The score on each fold."""
        return [fold.score for fold in self.folds]


@dataclass(frozen=True)
class CrossValidation:
    """All that the fits of a search have in common.

    Attributes
    ----------
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
        The network whose parameters the candidates set.
    X : list of array-like
        For each fold, all rows as networks take them and as scorers see them.
    y : array-like
        All targets.
    splits : list of (train, test)
        Row numbers of each fold.
    scorer : callable
        ``scorer(estimator, X, y, **params)``; higher is better.
    fit_params, score_params : dict
        For ``fit`` and for the scorer; arrays with one entry per row are cut.
    run : callable
        Runs jobs, see `skreg._cv.parallel.workers`.
    score_units : tuple of float
        The unit of the scores is the product of these.
    front_end : str or None
        What `skreg._cv.front_end` has done to the numbers in `X`.
    """

    network: RegularizedMLP
    X: list[Any]
    y: Any
    splits: list[Split]
    scorer: Callable[..., float]
    fit_params: dict[str, Any]
    score_params: dict[str, Any]
    run: Run
    score_units: tuple[float, ...]
    front_end: str | None = None

    def start(self, params: dict[str, Any]) -> Candidate:
        """A candidate that has not been trained yet."""
        folds = []
        for train, _ in self.splits:
            fresh = clone(self.network).set_params(warm_start=True)
            if fresh.batch_size == "auto":
                fresh.set_params(batch_size=auto_batch_size(len(train)))
            folds.append(FoldFit(fresh.set_params(**clone(params, safe=False))))
        return Candidate(params, folds, front_end=self.front_end)

    def work(self, candidates: Sequence[Candidate], epochs: int) -> tuple[int, float]:
        """Number of networks that `train` would train, and their rows times epochs."""
        jobs = self._jobs(candidates)
        rows = [
            len(self.splits[f][0]) * (epochs - candidates[c].epochs) for c, f in jobs
        ]
        return len(jobs), float(sum(rows))

    def train(self, candidates: Sequence[Candidate], epochs: int) -> list[Candidate]:
        """Go on training until each network has had so many epochs, and score it.

        Networks whose fit has failed are left as they are.
        """
        jobs = self._jobs(candidates)
        calls = (
            delayed(train_on_fold)(
                candidates[c].folds[fold].network,
                epochs - candidates[c].epochs,
                epochs,
                self.X[fold],
                self.y,
                self.splits[fold],
                self.scorer,
                self.fit_params,
                self.score_params,
            )
            for c, fold in jobs
        )
        fits = self.run(calls)
        trained = [
            replace(candidate, folds=list(candidate.folds), epochs=epochs)
            for candidate in candidates
        ]
        for (c, fold), fit in zip(jobs, fits, strict=True):
            trained[c].folds[fold] = fit
        return trained

    def predict(self, candidates: Sequence[Candidate]) -> list[list[Prediction]]:
        """What each candidate predicts for the test rows of each fold."""
        jobs = self._jobs(candidates)
        predicted = self.run(
            delayed(predict_on_fold)(
                candidates[c].folds[fold].network,
                self.X[fold],
                self.y,
                self.splits[fold],
            )
            for c, fold in jobs
        )
        result: list[list[Prediction]] = [[None] * len(self.splits) for _ in candidates]
        for (c, fold), values in zip(jobs, predicted, strict=True):
            result[c][fold] = values
        return result

    def _jobs(self, candidates: Sequence[Candidate]) -> list[tuple[int, int]]:
        """Numbers of the candidate and the fold of each network that is trained."""
        return [
            (c, f)
            for c, candidate in enumerate(candidates)
            for f, fold in enumerate(candidate.folds)
            if fold.network is not None
        ]


def train_on_fold(
    network: RegularizedMLP,
    more_epochs: int,
    epochs: int,
    X: Any,
    y: Any,
    split: Split,
    scorer: Callable[..., float],
    fit_params: dict[str, Any],
    score_params: dict[str, Any],
) -> FoldFit:
    """Go on training a network on a fold's training rows, and score it on the others.

    Errors are part of what is returned: one candidate that fails stops no other one.
    """
    train, test = split
    start = perf_counter()
    try:
        X_train, y_train = _safe_split(network, X, y, train)
        network.set_params(epochs=more_epochs)
        network.fit(X_train, y_train, **_check_method_params(X, fit_params, train))
        network.set_params(epochs=epochs)
    except Exception as error:
        return FoldFit(None, error=repr(error), fit_time=perf_counter() - start)
    del X_train, y_train  # The test rows are copied next.
    fitted = perf_counter()
    fit = FoldFit(network, fit_time=fitted - start)
    try:
        X_test, y_test = _safe_split(network, X, y, test, train)
        params = _check_method_params(X, score_params, test)
        score = float(scorer(network, X_test, y_test, **params))
        if not np.isfinite(score):
            fit, score = replace(fit, error=f"the score is {score}"), np.nan
    except Exception as error:
        fit, score = replace(fit, error=repr(error)), np.nan
    return replace(fit, score=score, score_time=perf_counter() - fitted)


def predict_on_fold(
    network: RegularizedMLP, X: Any, y: Any, split: Split
) -> NDArray[np.floating]:
    """Probabilities, or numbers, that a network predicts for a fold's test rows."""
    train, test = split
    X_test, _ = _safe_split(network, X, y, test, train)
    method = "predict_proba" if is_classifier(network) else "predict"
    return getattr(network, method)(X_test)
