"""Losses of the output layer, one formula for both engines.

Written in Keras' backend-neutral operations, of the logits (the output layer before
its activation), because the cross-entropy of a saturated sigmoid or softmax is exact
only there. Keras' stock losses are not used: they stay in float32 under float64 layers.
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
    score: Callable[[Any, Any, Any], Any]
    score_weights: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


def _binary_cross_entropy(targets: Any, logits: Any) -> Any:
    # -t log s(z) - (1 - t) log(1 - s(z)) with s the sigmoid; both logarithms are
    # softplus of one sign or the other, which leaves softplus(z) - t z.
    targets = ops.cast(targets, logits.dtype)
    return ops.sum(ops.softplus(logits) - targets * logits, axis=-1)


def _categorical_cross_entropy(targets: Any, logits: Any) -> Any:
    # Not Keras' own of class numbers, whose checks XLA leaves out with a warning.
    classes = ops.arange(ops.shape(logits)[-1], dtype="int32")
    of_class = ops.where(ops.equal(targets, classes), logits, ops.zeros_like(logits))
    return ops.logsumexp(logits, axis=-1) - ops.sum(of_class, axis=-1)


def _squared_error(targets: Any, outputs: Any) -> Any:
    return ops.mean(ops.square(targets - outputs), axis=-1)


def _absolute_error(targets: Any, outputs: Any) -> Any:
    return ops.mean(ops.abs(targets - outputs), axis=-1)


def _huber(targets: Any, outputs: Any) -> Any:
    # Half the square up to an error of 1, from there on the tangent.
    error = ops.abs(targets - outputs)
    inside = ops.minimum(error, 1)
    return ops.mean(inside * (error - inside / 2), axis=-1)


def _poisson(targets: Any, logs: Any) -> Any:
    # Half the deviance: t log(t / m) - t + m, with m the exponential of the output.
    present = targets > 0
    log_targets = ops.log(ops.where(present, targets, ops.ones_like(targets)))
    terms = targets * (log_targets - logs - 1) + ops.exp(logs)
    return ops.mean(terms, axis=-1)


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
    varies = np.ptp(targets, axis=0) > 0
    shares = varies / np.where(varies, variance, 1) / n_outputs
    return np.hstack([weight * varies.mean(), weight * shares]).astype(targets.dtype)


def _r2(targets: Any, outputs: Any, weight: Any) -> Any:
    errors = weight[..., 1:] * ops.square(targets - outputs)
    return weight[..., 0] - ops.sum(errors, axis=-1)


def _poisson_r2(targets: Any, logs: Any, weight: Any) -> Any:
    return _r2(targets, ops.exp(logs), weight)


BINARY = Loss("binary", "sigmoid", _binary_cross_entropy, _binary_accuracy, _one_column)
MULTICLASS = Loss(
    "multiclass",
    "softmax",
    _categorical_cross_entropy,
    _categorical_accuracy,
    _one_column,
)
REGRESSION = {
    loss.name: loss
    for loss in (
        Loss("squared_error", "linear", _squared_error, _r2, _r2_weights),
        Loss("absolute_error", "linear", _absolute_error, _r2, _r2_weights),
        Loss("huber", "linear", _huber, _r2, _r2_weights),
        Loss("poisson", "exponential", _poisson, _poisson_r2, _r2_weights),
    )
}
