"""How candidates are scored."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator


def neg_log_loss(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: ArrayLike | None = None
) -> float:
    """Minus the log-loss, for folds too that lack a class.

    Unlike scikit-learn's scorer of that name: a class that the estimator has not seen
    has probability 0, clipped as all are, and where a row may have several labels, it
    is the mean over the labels. It is also many times faster, as it checks nothing.
    """
    proba = estimator.predict_proba(X)
    y = y.toarray() if issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        likelihood = np.where(y > 0, proba, 1 - proba)
    else:
        y = y.ravel()
        column = np.searchsorted(estimator.classes_, y).clip(max=proba.shape[1] - 1)
        likelihood = proba[np.arange(len(y)), column]
        likelihood = np.where(estimator.classes_[column] == y, likelihood, 0)
    losses = np.log(likelihood.clip(min=np.finfo(proba.dtype).eps))
    if losses.ndim == 2:
        losses = losses.mean(axis=1)
    weights = None if sample_weight is None else np.asarray(sample_weight)
    return float(np.average(losses, weights=weights))


neg_log_loss.__module__ = "skreg"  # as pickles call it


def accepts_sample_weight(scorer: Callable[..., float]) -> bool:
    """Whether a scorer, or the metric that it wraps, takes sample weights."""
    metric = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in signature(metric).parameters
