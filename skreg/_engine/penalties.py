"""Penalties on the kernels, which training adds to the loss.

A smooth penalty, L2, has a gradient, which is added to that of the data loss. The
others have a proximal operator, which is applied after the optimizer's step:

    prox(w) = argmin_u  sum((u - w)**2 / (2 * step_size)) + penalty(u)

with the step size that the optimizer takes in each weight. With plain SGD, whose step
size is the learning rate, this is ISTA [1]_; with Adam, RMSprop and others the step
size of a weight is the learning rate divided by the root of its average squared
gradient [2]_. Whatever the step sizes, ``prox(w - step_size * g) = w`` where 0 is a
subgradient of data loss and penalty together, and only there: then the optimizer rests.

L1 and the groups are applied one after the other, which is the operator of their sum
[3]_.

References
----------
.. [1] A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for
   linear inverse problems", SIAM Journal on Imaging Sciences 2, 2009.
.. [2] J. Yun, A. C. Lozano and E. Yang, "Adaptive proximal gradient methods for
   structured neural networks", NeurIPS 2021, arXiv 2007.07828.
.. [3] Y. Yu, "On decomposing the proximal map", NIPS 2013.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int64, void
from numba.extending import register_jitable
from numpy.typing import NDArray

from skreg._engine.compiling import FLOATS, Pointer, matrix, once, vector

# The momentum of the average over steps that decides which columns leave the network.
MEAN_MOMENTUM = 0.999


@register_jitable
def _add_l2(w: NDArray[Any], gradients: NDArray[Any], strength: Any) -> float:
    """``strength * sum(w**2)``: add its gradient; return its value."""
    twice = w.dtype.type(2 * strength)
    squares = w.dtype.type(0)
    for i in range(w.size):
        squares += w[i] * w[i]
        gradients[i] += twice * w[i]
    return strength * squares


@register_jitable
def _l1_value(w: NDArray[Any], strength: Any) -> float:
    """``strength * sum(|w|)``."""
    return strength * np.abs(w).sum()


@register_jitable
def _l1_prox(w: NDArray[Any], denominators: NDArray[Any], threshold: Any) -> None:
    """Soft thresholding: zero where ``|w| <= step_size * strength``."""
    for i in range(w.size):
        largest = threshold / denominators[i]
        w[i] -= min(max(w[i], -largest), largest)


@register_jitable
def _row_norms(kernel: NDArray[Any], norms: NDArray[Any]) -> None:
    for j in range(kernel.shape[0]):
        squares = kernel.dtype.type(0)
        for i in range(kernel.shape[1]):
            squares += kernel[j, i] * kernel[j, i]
        norms[j] = np.sqrt(squares)


@register_jitable
def _group_prox(w: NDArray[Any], d: NDArray[Any], norm: Any, threshold: Any) -> None:
    """Shorten a row w of a kernel, whose norm was `norm` before the optimizer's step.

    With s the step sizes of the row and r the norm of the result u, stationarity,
    ``(u - w) / s + strength * u / r = 0``, gives ``u = w * r / (r + a)`` with ``a =
    strength * s``. So r solves ``phi(r) = sum((w / (r + a))**2) = 1``, which has a root
    unless ``phi(0) <= 1``: then u is zero. The root is that of ``phi**-0.5 - 1``, too,
    which is increasing, concave, and a line where all step sizes are equal: one Newton
    step from the norm before comes close to it, and stays at it where training rests.
    With ``s = rate / d`` and ``threshold = strength * rate``, ``r + a = (r * d +
    threshold) / d`` takes one division.
    """
    zero = w.dtype.type(0)
    # Not from 0, where squares overflow if there is no penalty, or hardly any.
    r = max(norm, w.dtype.type(1e-10))
    phi, slope = zero, zero
    for i in range(w.size):
        inverse = d[i] / (r * d[i] + threshold)
        term = (w[i] * inverse) * (w[i] * inverse)
        phi += term
        slope += term * inverse
    if slope > zero:
        r = max(r - (phi - phi * np.sqrt(phi)) / slope, zero)  # below 0 if phi(0) <= 1
    for i in range(w.size):
        w[i] *= r * d[i] / (r * d[i] + threshold) if r > zero else zero


@register_jitable
def _zero_unless_pulled(
    w: NDArray[Any],
    change: NDArray[Any],
    d: NDArray[Any],
    mean: NDArray[Any],
    strength: Any,
    rate: Any,
    momentum: Any,
) -> None:
    """Take the row's gradient into its mean; make w zero unless the data pull at it.

    A row u of the minimum is zero if, and only if, the data pull at it with less than
    the penalty: ``||gradient|| <= strength``. The gradient of one batch is noisy:
    judged by it, useless columns would leave the network and return. So the test takes
    one step along the mean gradient that is as long as all the steps it averages: the
    proximal operator makes w zero if ``||w / length - gradient|| <= strength``.
    """
    zero = w.dtype.type(0)
    inverse_rate = w.dtype.type(1) / rate if rate > zero else zero
    share = w.dtype.type(1) - momentum
    pull = zero
    for i in range(w.size):
        gradient = change[i] * d[i] * inverse_rate
        mean[i] = gradient + momentum * (mean[i] - gradient)
        difference = w[i] * d[i] * inverse_rate * share - mean[i]
        pull += difference * difference
    if pull <= strength * strength:
        w[:] = zero


def smooth_type(f: Any) -> Any:
    """The signature of the function that `smooth_part` compiles, for the dtype f."""
    return float64(
        vector(f),
        vector(f),
        vector(int64),
        vector(float64),
        vector(float64),
        float64,
        vector(f),
    )


@once
def smooth_part(dtype: str) -> Pointer:
    """Compile the penalties' part before the optimizer's step.

    Returns
    -------
    Pointer
        ``smooth(params, gradients, sizes, l1, l2, group_l1, norms)`` returns the value
        of all penalties, and adds the gradient of L2 to the gradients. `sizes` are
        those of the layers, from the columns of X to the outputs; `l1` and `l2` have a
        strength per kernel. With `group_l1` the norms of the first kernel's rows go to
        `norms`.
    """

    def smooth(
        params: NDArray[Any],
        gradients: NDArray[Any],
        sizes: NDArray[Any],
        l1: NDArray[Any],
        l2: NDArray[Any],
        group_l1: Any,
        norms: NDArray[Any],
    ) -> float:
        penalty = 0.0
        start = 0
        for k in range(sizes.size - 1):
            stop = start + sizes[k] * sizes[k + 1]
            if l2[k] > 0:
                penalty += _add_l2(params[start:stop], gradients[start:stop], l2[k])
            if l1[k] > 0:
                penalty += _l1_value(params[start:stop], l1[k])
            start = stop + sizes[k + 1]
        if group_l1 > 0:
            first = params[: sizes[0] * sizes[1]].reshape((sizes[0], sizes[1]))
            _row_norms(first, norms)
            penalty += group_l1 * norms.sum()
        return penalty

    return Pointer(smooth_type(FLOATS[dtype]), smooth)


def proximal_type(f: Any) -> Any:
    """The signature of the function that `proximal_step` compiles, for the dtype f."""
    return void(
        vector(f),
        vector(f),
        vector(f),
        vector(int64),
        vector(float64),
        float64,
        f,
        int64,
        vector(f),
        matrix(f),
    )


@once
def proximal_step(dtype: str) -> Pointer:
    """Compile the penalties' part after the optimizer's step.

    Returns
    -------
    Pointer
        ``prox(params, changes, denominators, sizes, l1, group_l1, rate, step, norms,
        mean_gradient)`` applies the proximal operators of L1 and of the groups. The
        optimizer has subtracted `changes`, in its step of number `step`, counted from
        1; its step sizes are ``rate / denominators``. `norms` are those of the rows of
        the first kernel before, and `mean_gradient`, of that kernel's shape, is carried
        from step to step.
    """
    f = FLOATS[dtype]

    def prox(
        params: NDArray[Any],
        changes: NDArray[Any],
        denominators: NDArray[Any],
        sizes: NDArray[Any],
        l1: NDArray[Any],
        group_l1: Any,
        rate: Any,
        step: Any,
        norms: NDArray[Any],
        mean_gradient: NDArray[Any],
    ) -> None:
        start = 0
        for k in range(sizes.size - 1):
            stop = start + sizes[k] * sizes[k + 1]
            if l1[k] > 0:
                threshold = f(l1[k]) * rate
                _l1_prox(params[start:stop], denominators[start:stop], threshold)
            start = stop + sizes[k + 1]
        if group_l1 > 0:
            strength = f(group_l1)
            # Over the later half of all steps, or the last 1000 once there are more.
            momentum = f(min((1 + step) / (3 + step), MEAN_MOMENTUM))
            for j in range(sizes[0]):
                row = slice(j * sizes[1], (j + 1) * sizes[1])
                w, d = params[row], denominators[row]
                _group_prox(w, d, norms[j], strength * rate)
                mean = mean_gradient[j]
                _zero_unless_pulled(w, changes[row], d, mean, strength, rate, momentum)

    return Pointer(proximal_type(f), prox)
