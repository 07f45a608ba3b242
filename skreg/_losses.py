"""The losses, written once for both engines.

Everything is a function of the logits (the output layer before its activation),
because the cross-entropy of a saturated sigmoid or softmax is exact only there.
Keras' stock losses are not used: they stay in float32 under float64 layers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops


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
        ``per_row(targets, logits)`` of shapes (..., n_rows, n_outputs) gives the
        losses, of shape (..., n_rows).
    score : callable
        ``score(targets, logits, weight)``, weight of shape (..., n_rows) with mean
        1 over the rows that count, gives each row's share of the score; the score
        is their sum over the number of rows.
    """

    name: str
    activation: str
    per_row: Callable
    score: Callable


def _binary_cross_entropy(targets, logits):
    # -t log s(z) - (1 - t) log(1 - s(z)) with s the sigmoid; both logarithms are
    # softplus of one sign or the other, which leaves softplus(z) - t z.
    return ops.sum(ops.softplus(logits) - targets * logits, axis=-1)


def _categorical_cross_entropy(targets, logits):
    return ops.logsumexp(logits, axis=-1) - ops.sum(targets * logits, axis=-1)


def _binary_accuracy(targets, logits, weight):
    hit = ops.equal(logits[..., 0] > 0, targets[..., 0] > 0)
    return ops.where(hit, weight, ops.zeros_like(weight))


def _categorical_accuracy(targets, logits, weight):
    hit = ops.equal(ops.argmax(logits, axis=-1), ops.argmax(targets, axis=-1))
    return ops.where(hit, weight, ops.zeros_like(weight))


BINARY = Loss("binary", "sigmoid", _binary_cross_entropy, _binary_accuracy)
MULTICLASS = Loss(
    "multiclass", "softmax", _categorical_cross_entropy, _categorical_accuracy
)
