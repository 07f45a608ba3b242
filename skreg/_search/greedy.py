"""Which candidates of a search make the best mean: a greedy choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_method_params

# Among the best so many, by their own score, candidates are chosen: more of them gain
# hardly anything, and this bounds the memory for what they predict.
MAX_POOL = 30


def choose_greedily(
    n_candidates: int, score: Callable[[list[int]], float], size: int
) -> tuple[list[int], float]:
    """Choose candidates one by one, each time the one that makes the mean best.

    Parameters
    ----------
    n_candidates : int
    score : callable
        ``score(numbers)`` of the mean of these candidates, in which a number may occur
        several times; higher is better.
    size : int
        How many to choose.

    Returns
    -------
    numbers : list of int
        In the order in which they were chosen.
    score : float
        That of their mean.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from
    libraries of models", ICML 2004.
    """
    numbers: list[int] = []
    for _ in range(size):
        scores = [score([*numbers, c]) for c in range(n_candidates)]
        numbers.append(int(np.argmax(scores)))
    return numbers, max(scores)


@dataclass(frozen=True)
class EnsembleChoice:
    """The candidates that were chosen.

    Attributes
    ----------
    numbers : list of int
        Of the candidates, in the order in which they were chosen first.
    counts : list of int
        How often each was chosen.
    score : float
        Of the mean of their out-of-fold predictions, on average over the folds.
    """

    numbers: list[int]
    counts: list[int]
    score: float


@dataclass(frozen=True)
class EnsembleSelector:
    """Chooses candidates by the score of the mean of their out-of-fold predictions.

    Attributes
    ----------
    size : int
        How many choices are made.
    X, y : array-like
        All rows.
    scorer : callable
        ``scorer(estimator, X, y, **params)``.
    score_params : dict
        For the scorer; what has one entry per row is cut to the test rows.
    classifier : bool
        Whether probabilities are averaged, or predictions.
    """

    size: int
    X: Any
    y: Any
    scorer: Callable[..., float]
    score_params: dict[str, Any]
    classifier: bool

    def check_scorer(self) -> None:
        """Raise a ValueError if the scorer can't judge a mean."""
        classes, values = None, self.y
        if self.classifier:
            multilabel = _is_multilabel(self.y)
            classes = np.arange(self.y.shape[1]) if multilabel else np.unique(self.y)
            share = 0.5 if multilabel else 1 / len(classes)
            values = np.full((len(self.y), len(classes)), share)
        self._score(values, classes, self.X, self.y, self.score_params)

    def choose(self, outcomes: Any, splits: Any, scores: Any) -> EnsembleChoice:
        """Choose among candidates.

        Parameters
        ----------
        outcomes : ndarray of shape (n_candidates, n_folds), object
            Estimators that are fitted on the folds, or errors.
        splits : list of (train, test)
        scores : ndarray of shape (n_candidates,)
            The candidates' own scores, NaN for those that can't be chosen.
        """
        order = np.argsort(-np.asarray(scores), kind="stable")  # NaN comes last
        pool = order[: np.count_nonzero(~np.isnan(scores))][:MAX_POOL]
        folds = [
            self._of_fold(outcomes[pool, fold], split)
            for fold, split in enumerate(splits)
        ]

        def score(numbers: list[int]) -> float:
            return float(
                np.mean(
                    [
                        self._score(values[numbers].mean(axis=0), *others)
                        for values, *others in folds
                    ]
                )
            )

        numbers, best = choose_greedily(len(pool), score, self.size)
        counts = Counter(numbers)  # in the order of first occurrence
        return EnsembleChoice(
            [int(pool[c]) for c in counts], list(counts.values()), best
        )

    def _of_fold(self, fitted: Any, split: Any) -> tuple[Any, ...]:
        """What candidates predict for the test rows, and the arguments of `_score`."""
        train, test = split
        X, y = _safe_split(fitted[0], self.X, self.y, test, train)
        method = "predict_proba" if self.classifier else "predict"
        values = np.stack([getattr(candidate, method)(X) for candidate in fitted])
        params = _check_method_params(self.X, self.score_params, test)
        return values, getattr(fitted[0], "classes_", None), X, y, params

    def _score(self, values: Any, classes: Any, X: Any, y: Any, params: Any) -> float:
        if self.classifier:
            mean = _MeanClassifier(values, classes, _is_multilabel(self.y))
        else:
            mean = _MeanRegressor(values)
        try:
            return self.scorer(mean, X, y, **params)
        except Exception as error:
            what = "predict_proba" if self.classifier else "predict"
            raise ValueError(
                f"ensemble_size={self.size} needs a scoring that judges averaged "
                f"predictions, of an estimator that has {what} alone; got "
                f"{self.scorer!r}, which raised {error!r}."
            ) from error


def _is_multilabel(y: Any) -> bool:
    return type_of_target(y) == "multilabel-indicator"


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
