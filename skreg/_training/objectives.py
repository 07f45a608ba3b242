"""Losses of the output layer, and the scores that are reported beside them.

The formulas of the losses take NumPy, or `keras.ops` of the same names, as their first
argument: validation computes them by NumPy, the Keras engine trains by them. The
compiled engine has its own, see `skreg._engine.losses`. They are functions of the
logits (the output layer before its activation), because the cross-entropy of a
saturated sigmoid or softmax is exact only there. Keras' stock losses are not used: they
stay in float32 under float64 layers. Nor are operations that round float64 to float32
on backends other than TensorFlow, such as `ops.mean` and `ops.maximum` on PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Loss:
    """A loss, the output activation that belongs to it, and a score to report.

    Attributes
    ----------
    name : str
        Identifies the loss in the compiled engine.
    activation : str
        Keras name of the output layer's activation.
    per_row : callable
        ``per_row(xp, targets, logits)`` of shapes (n_rows, n) and (n_rows, n_outputs)
        gives the losses, of shape (n_rows,). The targets are, in as many columns as
        there are outputs, numbers, or labels as 0 or 1 in int8; or in one column the
        number of each row's class in int32. `xp` is NumPy or `keras.ops`.
    score : callable
        ``score(targets, logits, weight)`` gives each row's share of the score, which is
        their mean. `weight`, of shape (n_rows, n), is what `score_weights` makes of the
        rows' weights.
    score_weights : callable
        ``score_weights(weight, targets)``, of shapes (n_rows,) with mean 1 and
        (n_rows, n).
    parameter : float
        The quantile, where the loss is that of one.
    """

    name: str
    activation: str
    per_row: Callable[[Any, Any, Any], Any]
    score: Callable[[Any, Any, Any], Any]
    score_weights: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
    parameter: float = 0.5


def _binary_cross_entropy(xp: Any, targets: Any, logits: Any) -> Any:
    # -t log s(z) - (1 - t) log(1 - s(z)) with s the sigmoid; both logarithms are
    # softplus of one sign or the other, which leaves softplus(z) - t z.
    is_positive = logits > 0
    # Not by `xp.abs`, whose derivative at 0 is 0: at a logit of 0, that of the loss is
    # 1/2 - t.
    negative = xp.where(is_positive, -logits, logits)
    positive = xp.where(is_positive, logits, xp.zeros_like(logits))
    softplus = positive + xp.log1p(xp.exp(negative))
    return xp.sum(softplus - targets * logits, axis=-1)


def _categorical_cross_entropy(xp: Any, targets: Any, logits: Any) -> Any:
    # Exponentials of differences from the largest logit do not overflow.
    logits = logits - xp.max(logits, axis=-1, keepdims=True)
    is_class = targets == xp.arange(logits.shape[-1], dtype="int32")
    own = xp.sum(xp.where(is_class, logits, xp.zeros_like(logits)), axis=-1)
    return xp.log(xp.sum(xp.exp(logits), axis=-1)) - own


def _squared_error(xp: Any, targets: Any, outputs: Any) -> Any:
    return _row_means(xp, xp.square(targets - outputs))


def _absolute_error(xp: Any, targets: Any, outputs: Any) -> Any:
    return _row_means(xp, xp.abs(targets - outputs))


def _huber(xp: Any, targets: Any, outputs: Any) -> Any:
    # Half the square up to an error of 1, from there on the tangent.
    error = xp.abs(targets - outputs)
    inside = xp.where(error < 1, error, xp.ones_like(error))
    return _row_means(xp, inside * (error - inside / 2))


def _poisson(xp: Any, targets: Any, logs: Any) -> Any:
    # Half the deviance: t log(t / m) - t + m, with m the exponential of the output.
    present = targets > 0
    log_targets = xp.log(xp.where(present, targets, xp.ones_like(targets)))
    return _row_means(xp, targets * (log_targets - logs - 1) + xp.exp(logs))


def _pinball(xp: Any, targets: Any, outputs: Any, quantile: float = 0.5) -> Any:
    error = targets - outputs
    above = xp.where(error > 0, error, xp.zeros_like(error))
    below = xp.where(error < 0, error, xp.zeros_like(error))
    return _row_means(xp, quantile * above + (quantile - 1) * below)


def _row_means(xp: Any, values: Any) -> Any:
    return xp.sum(values, axis=-1) / values.shape[-1]


def _one_column(weight: Any, targets: Any) -> Any:
    return weight[:, np.newaxis]


def _binary_accuracy(targets: Any, logits: Any, weight: Any) -> Any:
    """All labels of a row are to be right."""
    hit = ((logits > 0) == (targets > 0)).all(axis=-1)
    return np.where(hit, weight[:, 0], 0)


def _categorical_accuracy(targets: Any, logits: Any, weight: Any) -> Any:
    return np.where(logits.argmax(axis=-1) == targets[:, 0], weight[:, 0], 0)


def _r2_weights(weight: Any, targets: Any) -> Any:
    """Weights of the rows, and of their squared errors in each output.

    R2 is 1 - mean(w * error**2) / variance, on average over the outputs. Where all
    targets of an output are the same it is undefined, and 0 here.
    """
    weight = weight[:, np.newaxis]
    n_rows, n_outputs = targets.shape
    mean = (weight * targets).sum(axis=0) / n_rows
    variance = (weight * (targets - mean) ** 2).sum(axis=0) / n_rows
    # The variance of equal targets may be rounded up, and that of tiny ones to 0.
    varies = (np.ptp(targets, axis=0) > 0) & (variance > 0)
    shares = varies / np.where(varies, variance, 1) / n_outputs
    return np.hstack([weight * varies.mean(), weight * shares]).astype(targets.dtype)


def _r2(targets: Any, outputs: Any, weight: Any) -> Any:
    return weight[:, 0] - (weight[:, 1:] * np.square(targets - outputs)).sum(axis=-1)


def _poisson_r2(targets: Any, logs: Any, weight: Any) -> Any:
    return _r2(targets, np.exp(logs), weight)


BINARY = Loss("binary", "sigmoid", _binary_cross_entropy, _binary_accuracy, _one_column)
MULTICLASS = Loss(
    "multiclass",
    "softmax",
    _categorical_cross_entropy,
    _categorical_accuracy,
    _one_column,
)
REGRESSION = {
    name: Loss(name, activation, per_row, score, _r2_weights)
    for name, activation, per_row, score in (
        ("squared_error", "linear", _squared_error, _r2),
        ("absolute_error", "linear", _absolute_error, _r2),
        ("huber", "linear", _huber, _r2),
        ("poisson", "exponential", _poisson, _poisson_r2),
        ("quantile", "linear", _pinball, _r2),
    )
}


def regression_loss(name: str, quantile: float) -> Loss:
    """The loss of that name, one of `REGRESSION`."""
    loss = REGRESSION[name]
    if name != "quantile":
        return loss
    return replace(
        loss, per_row=partial(_pinball, quantile=quantile), parameter=quantile
    )
