"""Losses of the output layer, one formula for both engines.

Written in Keras' backend-neutral operations, of the logits (the output layer before
its activation), because the cross-entropy of a saturated sigmoid or softmax is exact
only there. Keras' stock losses are not used: they stay in float32 under float64 layers.
Nor are operations that round float64 to float32 on backends other than TensorFlow,
among them `ops.matmul`, `ops.mean`, `ops.minimum` and `ops.maximum` on PyTorch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray


@dataclass(frozen=True)
class Loss:
    """A loss, the output activation that belongs to it, and a score to report.

    Attributes
    ----------
    name : str
        Identifies the loss, in caches and errors.
    activation : str
        Keras name of the output layer's activation.
    per_row : callable
        ``per_row(targets, logits)`` of shapes (..., n_rows, n) and (..., n_rows,
        n_outputs) gives the losses, of shape (..., n_rows). The targets are, in as many
        columns as there are outputs, numbers, or labels as 0 or 1 in int8; or in one
        column the number of each row's class in int32.
    gradient : callable
        ``gradient(targets, logits)`` gives the derivatives of each row's loss in its
        logits, of the shape of these.
    score : callable
        ``score(targets, logits, weight)`` gives each row's share of the score, which is
        their mean. `weight`, of shape (..., n_rows, n), is what `score_weights` makes
        of the rows' weights.
    score_weights : callable
        ``score_weights(weight, targets)``, of shapes (n_rows,) with mean 1 and
        (n_rows, n), as NumPy arrays.
    """

    name: str
    activation: str
    per_row: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], Any]
    score: Callable[[Any, Any, Any], Any]
    score_weights: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


def _binary_cross_entropy(targets: Any, logits: Any) -> Any:
    # -t log s(z) - (1 - t) log(1 - s(z)) with s the sigmoid; both logarithms are
    # softplus of one sign or the other, which leaves softplus(z) - t z.
    targets = ops.cast(targets, logits.dtype)
    return ops.sum(ops.softplus(logits) - targets * logits, axis=-1)


def _binary_gradient(targets: Any, logits: Any) -> Any:
    return ops.sigmoid(logits) - ops.cast(targets, logits.dtype)


def _is_class(targets: Any, logits: Any) -> Any:
    """Whether a column of the logits is that of the row's class."""
    return ops.equal(targets, ops.arange(ops.shape(logits)[-1], dtype="int32"))


def _categorical_cross_entropy(targets: Any, logits: Any) -> Any:
    # Not Keras' own of class numbers, whose checks XLA leaves out with a warning.
    of_class = ops.where(_is_class(targets, logits), logits, ops.zeros_like(logits))
    return ops.logsumexp(logits, axis=-1) - ops.sum(of_class, axis=-1)


def _categorical_gradient(targets: Any, logits: Any) -> Any:
    one_hot = ops.cast(_is_class(targets, logits), logits.dtype)
    return ops.softmax(logits, axis=-1) - one_hot


def _squared_error(targets: Any, outputs: Any) -> Any:
    return _row_means(ops.square(targets - outputs))


def _squared_error_gradient(targets: Any, outputs: Any) -> Any:
    return 2 * (outputs - targets) / _n_outputs(outputs)


def _absolute_error(targets: Any, outputs: Any) -> Any:
    return _row_means(ops.abs(targets - outputs))


def _absolute_error_gradient(targets: Any, outputs: Any) -> Any:
    return ops.sign(outputs - targets) / _n_outputs(outputs)


def _huber(targets: Any, outputs: Any) -> Any:
    # Half the square up to an error of 1, from there on the tangent.
    error = ops.abs(targets - outputs)
    inside = ops.where(error < 1, error, ops.ones_like(error))
    return _row_means(inside * (error - inside / 2))


def _huber_gradient(targets: Any, outputs: Any) -> Any:
    return ops.clip(outputs - targets, -1, 1) / _n_outputs(outputs)


def _poisson(targets: Any, logs: Any) -> Any:
    # Half the deviance: t log(t / m) - t + m, with m the exponential of the output.
    present = targets > 0
    log_targets = ops.log(ops.where(present, targets, ops.ones_like(targets)))
    terms = targets * (log_targets - logs - 1) + ops.exp(logs)
    return _row_means(terms)


def _poisson_gradient(targets: Any, logs: Any) -> Any:
    return (ops.exp(logs) - targets) / _n_outputs(logs)


def _row_means(values: Any) -> Any:
    return ops.sum(values, axis=-1) / _n_outputs(values)


def _n_outputs(outputs: Any) -> Any:
    return ops.cast(ops.shape(outputs)[-1], outputs.dtype)


def _one_column(weight: Any, targets: Any) -> Any:
    return weight[:, np.newaxis]


def _binary_accuracy(targets: Any, logits: Any, weight: Any) -> Any:
    """All labels of a row are to be right."""
    hit = ops.all(ops.equal(logits > 0, targets > 0), axis=-1)
    return ops.where(hit, weight[..., 0], ops.zeros_like(weight[..., 0]))


def _categorical_accuracy(targets: Any, logits: Any, weight: Any) -> Any:
    hit = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), targets[..., 0])
    return ops.where(hit, weight[..., 0], ops.zeros_like(weight[..., 0]))


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
    errors = weight[..., 1:] * ops.square(targets - outputs)
    return weight[..., 0] - ops.sum(errors, axis=-1)


def _poisson_r2(targets: Any, logs: Any, weight: Any) -> Any:
    return _r2(targets, ops.exp(logs), weight)


BINARY = Loss(
    "binary",
    "sigmoid",
    _binary_cross_entropy,
    _binary_gradient,
    _binary_accuracy,
    _one_column,
)
MULTICLASS = Loss(
    "multiclass",
    "softmax",
    _categorical_cross_entropy,
    _categorical_gradient,
    _categorical_accuracy,
    _one_column,
)
REGRESSION = {
    name: Loss(name, activation, per_row, gradient, score, _r2_weights)
    for name, activation, per_row, gradient, score in (
        ("squared_error", "linear", _squared_error, _squared_error_gradient, _r2),
        ("absolute_error", "linear", _absolute_error, _absolute_error_gradient, _r2),
        ("huber", "linear", _huber, _huber_gradient, _r2),
        ("poisson", "exponential", _poisson, _poisson_gradient, _poisson_r2),
    )
}
