"""The default score of the classifier's candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.metrics import log_loss


def neg_log_loss(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: ArrayLike | None = None
) -> float:
    """Minus the log-loss, for folds too that lack a class.

    Unlike scikit-learn's scorer of that name: a class that the estimator has not seen
    has probability 0, clipped as all are, and where a row may have several labels, it
    is the mean over the labels.
    """
    proba = estimator.predict_proba(X)
    y = y.toarray() if issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        losses = [
            log_loss(label, p, sample_weight=sample_weight, labels=[0, 1])
            for label, p in zip(y.T, proba.T, strict=True)
        ]
        return -float(np.mean(losses))
    classes = np.union1d(estimator.classes_, y)
    known = np.searchsorted(classes, estimator.classes_)
    of_all = np.zeros((len(proba), len(classes)), proba.dtype)
    of_all[:, known] = proba
    return -float(log_loss(y, of_all, sample_weight=sample_weight, labels=classes))
