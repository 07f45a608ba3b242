"""Losses of the output layer: the rows' values and gradients, from the logits.

Most losses are sums over the outputs of a row. Such a loss is a function of a target t,
an output z, before its activation, and a parameter q, which the quantile loss has, that
returns its value and its derivative in z. To add one, write it here and enter it in
`LOSSES`, and in the losses of the Keras engine. The cross-entropy of a saturated
sigmoid or softmax is exact only as a function of the logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64
from numba.extending import register_jitable
from numpy.typing import NDArray

from skreg._engine.compiling import FLOATS, Pointer, matrix, once, vector


@register_jitable
def _binary_cross_entropy(t: Any, z: Any, q: Any, f: Any) -> Any:
    # -t log s - (1 - t) log(1 - s), where s is the sigmoid of z: both logarithms are
    # softplus of z or of -z, which leaves softplus(z) - t z.
    e = np.exp(-abs(z))
    sigmoid = (f(1) if z > f(0) else e) / (f(1) + e)
    return max(z, f(0)) + np.log1p(e) - t * z, sigmoid - t


@register_jitable
def _squared_error(t: Any, z: Any, q: Any, f: Any) -> Any:
    error = z - t
    return error * error, f(2) * error


@register_jitable
def _absolute_error(t: Any, z: Any, q: Any, f: Any) -> Any:
    error = z - t
    sign = f(1) if error > f(0) else (f(-1) if error < f(0) else error)
    return abs(error), sign


@register_jitable
def _huber(t: Any, z: Any, q: Any, f: Any) -> Any:
    # Half the square up to an error of 1, and the tangent from there on.
    error = z - t
    slope = min(max(error, f(-1)), f(1))
    return slope * (error - f(0.5) * slope), slope


@register_jitable
def _poisson(t: Any, z: Any, q: Any, f: Any) -> Any:
    # Half the deviance: t log(t / m) - t + m, where m is the exponential of z.
    mean = np.exp(z)
    constant = t * (np.log(t) - f(1)) if t > f(0) else f(0)
    return constant - t * z + mean, mean - t


@register_jitable
def _quantile(t: Any, z: Any, q: Any, f: Any) -> Any:
    # The pinball loss. Its derivative is 0 at an error of 0, so that what fits stays.
    error = t - z
    slope = -q if error > f(0) else (f(1) - q if error < f(0) else error)
    return -slope * error, slope


# The function of a loss, and whether a row has the mean over its outputs, not the sum.
LOSSES = {
    "binary": (_binary_cross_entropy, False),
    "squared_error": (_squared_error, True),
    "absolute_error": (_absolute_error, True),
    "huber": (_huber, True),
    "poisson": (_poisson, True),
    "quantile": (_quantile, True),
}


def loss_type(f: Any) -> Any:
    """The signature of the function that `loss` compiles, for the dtype f."""
    return float64(matrix(f), vector(f), matrix(f), vector(f), float64)


@once
def loss(name: str, dtype: str) -> Pointer:
    """Compile a loss, from the product of the output layer on.

    Parameters
    ----------
    name : str
        "multiclass", or one of `LOSSES`.
    dtype : str

    Returns
    -------
    Pointer
        ``loss(z, bias, targets, weight, q)`` returns the weighted mean of the rows'
        losses, and replaces the product z (n_rows, n_outputs) by the derivatives of
        that mean in the logits. `targets` has as many columns as z; for "multiclass"
        it has one, the number of each row's class.
    """
    f = FLOATS[dtype]
    if name == "multiclass":
        return Pointer(loss_type(f), _categorical_cross_entropy)
    function, averages = LOSSES[name]

    def elementwise(
        z: NDArray[Any],
        bias: NDArray[Any],
        targets: NDArray[Any],
        weight: NDArray[Any],
        q: Any,
    ) -> float:
        n_rows, n_outputs = z.shape
        parameter = f(q)
        share = f(1) / f(n_rows * n_outputs if averages else n_rows)
        total = 0.0
        for i in range(n_rows):
            factor = weight[i] * share
            row_loss = f(0)
            for j in range(n_outputs):
                value, slope = function(targets[i, j], z[i, j] + bias[j], parameter, f)
                row_loss += value
                z[i, j] = slope * factor
            total += factor * row_loss
        return total

    return Pointer(loss_type(f), elementwise)


def _categorical_cross_entropy(
    z: NDArray[Any],
    bias: NDArray[Any],
    targets: NDArray[Any],
    weight: NDArray[Any],
    q: Any,
) -> float:
    n_rows, n_classes = z.shape
    total = 0.0
    for i in range(n_rows):
        row = z[i]
        for j in range(n_classes):
            row[j] += bias[j]
        # Exponentials of differences from the largest logit do not overflow.
        largest = row[0]
        for j in range(1, n_classes):
            largest = max(largest, row[j])
        label = int(targets[i, 0])
        distance = largest - row[label]
        exponentials = row[0] * 0
        for j in range(n_classes):
            row[j] = np.exp(row[j] - largest)
            exponentials += row[j]
        factor = weight[i] / n_rows
        total += factor * (np.log(exponentials) + distance)
        scale = z.dtype.type(factor / exponentials)
        for j in range(n_classes):
            row[j] *= scale
        row[label] -= z.dtype.type(factor)
    return total
