"""Which candidates of a search make the best mean: a greedy choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_method_params

from skreg._cv.rungs import Candidate, CrossValidation

# Candidates are chosen among so many, the best by their own score: more of them gain
# hardly anything, and this bounds the memory for what they predict.
MAX_POOL = 30


def choose_greedily(
    n_candidates: int, score: Callable[[list[int]], float], size: int
) -> tuple[list[int], list[float]]:
    """Choose candidates one by one, each time the one that makes the mean best.

    Parameters
    ----------
    n_candidates : int
        Number of candidates to choose from.
    score : callable
        ``score(numbers)`` of the mean of these candidates, in which a number may occur
        several times; higher is better.
    size : int
        Number of choices.

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
    numbers: list[int] = []
    best: list[float] = []
    for _ in range(size):
        scores = [score([*numbers, c]) for c in range(n_candidates)]
        chosen = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
        numbers.append(chosen)
        best.append(scores[chosen])
    return numbers, best


def choose_ensemble(
    candidates: Sequence[Candidate],
    scores: NDArray[np.floating],
    cv: CrossValidation,
    size: int,
) -> tuple[list[int], list[float]]:
    """Choose candidates by the score of the mean of their out-of-fold predictions.

    Parameters
    ----------
    candidates : sequence of Candidate
        Candidates that are trained equally long.
    scores : ndarray of shape (n_candidates,), dtype float64
        The candidates' own scores; one of NaN can't be chosen.
    cv : CrossValidation
        The folds and the scorer.
    size : int
        Number of choices.

    Returns
    -------
    numbers, scores
        As `choose_greedily` returns them.

    Raises
    ------
    ValueError
        If the scorer can't judge a mean.
    """
    order = np.argsort(-scores, kind="stable")  # NaN comes last
    pool = [int(c) for c in order[: np.count_nonzero(~np.isnan(scores))][:MAX_POOL]]
    members = [candidates[c] for c in pool]
    # A fold on which nobody has a score is left out.
    folds = [
        _predictions(members, fold, cv)
        for fold in range(len(cv.splits))
        if not any(np.isnan(member.scores[fold]) for member in members)
    ]

    def score(numbers: list[int]) -> float:
        scores = [
            cv.scorer(mean(numbers), *test, **params) for mean, test, params in folds
        ]
        return float(np.mean(scores))

    if not folds:
        raise ValueError("there is no fold on which all candidates have a score")
    numbers, best = choose_greedily(len(pool), score, size)
    if np.isnan(best).any():
        raise ValueError("the score of a mean is NaN")
    return [pool[c] for c in numbers], best


def _predictions(members: list[Candidate], fold: int, cv: CrossValidation) -> tuple:
    """What is needed to score means on a fold.

    Returns
    -------
    mean : callable
        ``mean(numbers)`` is an estimator that predicts the mean of these members.
    test : tuple of array-like
        X and y of the test rows.
    params : dict
        For the scorer.
    """
    train, test = cv.splits[fold]
    networks: list[Any] = [member.folds[fold].network for member in members]
    X, y = _safe_split(networks[0], cv.X, cv.y, test, train)
    classifier = is_classifier(networks[0])
    multilabel = type_of_target(cv.y) == "multilabel-indicator"
    method = "predict_proba" if classifier else "predict"
    values = np.stack([getattr(network, method)(X) for network in networks])

    def mean(numbers: list[int]) -> BaseEstimator:
        average = values[numbers].mean(axis=0)
        if not classifier:
            return _MeanRegressor(average)
        return _MeanClassifier(average, networks[0].classes_, multilabel)

    return mean, (X, y), _check_method_params(cv.X, cv.score_params, test)


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
