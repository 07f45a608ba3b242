"""Which candidates of a search make the best mean: a greedy choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from math import isinf
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_method_params

from skreg._cv.halving import Search, score_table
from skreg._cv.rungs import CrossValidation
from skreg._cv.time_limit import Stopwatch

# The choice takes so much of a time limit at most: scorers of users may be slow.
CHOICE_SHARE = 0.05


def choose_greedily(
    own: Sequence[float],
    score: Callable[[list[int]], float],
    size: int,
    has_time: Callable[[], bool] = lambda: True,
) -> tuple[list[int], list[float]]:
    """Choose candidates one by one, each time the one that makes the mean best.

    Parameters
    ----------
    own : sequence of float
        The score of each candidate alone.
    score : callable
        ``score(numbers)`` of the mean of these candidates, in which a number may occur
        several times; higher is better.
    size : int
        Number of choices.
    has_time : callable, default=always
        Whether another mean may be scored. Once it may not, the choices so far are
        repeated in their order.

    Returns
    -------
    numbers : list of int
        The chosen candidates, in the order of the choices.
    scores : list of float
        The score of the mean after each choice.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from
    libraries of models", ICML 2004.
    """
    numbers = [int(np.argmax(np.nan_to_num(own, nan=-np.inf)))]
    best = [own[numbers[0]]]
    while len(numbers) < size:
        scores: list[float] = []
        for c in range(len(own)):
            if not has_time():
                n_missing = size - len(numbers)
                repeated = list(islice(cycle(numbers), n_missing))
                return numbers + repeated, best + best[-1:] * n_missing
            scores.append(score([*numbers, c]))
        numbers.append(int(np.argmax(np.nan_to_num(scores, nan=-np.inf))))
        best.append(scores[numbers[-1]])
    return numbers, best


def choose_ensemble(
    found: Search, size: int, stopwatch: Stopwatch
) -> tuple[list[int], list[float]]:
    """Choose candidates by the score of the mean of their out-of-fold predictions.

    Parameters
    ----------
    found : Search
        Has a rung at least, and the predictions of those that can be chosen.
    size : int
        Number of choices.
    stopwatch : Stopwatch
        Says what there is time for.

    Returns
    -------
    rows : list of int
        The chosen rows of ``cv_results_``, in the order of the choices.
    scores : list of float
        The score of the mean after each choice.

    Raises
    ------
    ValueError
        If the scorer can't judge a mean.
    """
    pool, rows, cv = list(found.predictions), found.rows, found.cv
    assert cv is not None, "there is a rung"
    own = score_table([rows[row] for row in pool])
    # A fold on which nobody has a score is left out.
    used = np.flatnonzero(~np.isnan(own).any(axis=0)).tolist()
    if not used:
        raise ValueError("there is no fold on which all candidates have a score")
    folds = [
        _fold_scorer([found.predictions[row][fold] for row in pool], fold, cv)
        for fold in used
    ]
    # A mean takes about as long to score as a candidate took.
    times = [[rows[row].folds[fold].score_time for fold in used] for row in pool]
    one = float(np.sum(times, axis=1).mean())
    end = stopwatch.left - CHOICE_SHARE * stopwatch.limit
    numbers, scores = choose_greedily(
        own[:, used].mean(axis=1).tolist(),
        lambda numbers: float(np.mean([f(numbers) for f in folds])),
        size,
        lambda: isinf(stopwatch.limit) or stopwatch.left - one >= end,
    )
    if np.isnan(scores).any():
        raise ValueError("the score of a mean is NaN")
    return [pool[c] for c in numbers], scores


def _fold_scorer(
    predictions: list[Any], fold: int, cv: CrossValidation
) -> Callable[[list[int]], float]:
    """A function that scores the mean of predictions for a fold's test rows."""
    train, test = cv.splits[fold]
    X, y = _safe_split(cv.network, cv.X[fold], cv.y, test, train)
    params = _check_method_params(cv.X[fold], cv.score_params, test)
    values = np.stack(predictions)
    stand_in: Callable[[Any], BaseEstimator] = _MeanRegressor
    if is_classifier(cv.network):
        multilabel = type_of_target(cv.y) == "multilabel-indicator"
        classes = np.arange(values.shape[-1])
        if not multilabel:
            classes = np.unique(_safe_indexing(cv.y, train))
        stand_in = partial(_MeanClassifier, classes=classes, multilabel=multilabel)

    def score(numbers: list[int]) -> float:
        return cv.scorer(stand_in(values[numbers].mean(axis=0)), X, y, **params)

    return score


class _MeanClassifier(ClassifierMixin, BaseEstimator):
    """Stands in for a fitted classifier whose probabilities are known."""

    def __init__(self, proba, classes, multilabel):
        self.proba = proba
        self.classes_ = classes
        self.multilabel = multilabel

    def predict_proba(self, X):
        return self.proba

    def predict(self, X):
        if self.multilabel:
            return (self.proba > 0.5).astype(int)
        return self.classes_[self.proba.argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True


class _MeanRegressor(RegressorMixin, BaseEstimator):
    """Stands in for a fitted regressor whose predictions are known."""

    def __init__(self, predicted):
        self.predicted = predicted

    def predict(self, X):
        return self.predicted

    def __sklearn_is_fitted__(self):
        return True
