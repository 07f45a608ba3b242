"""Penalties on the weights, which training adds to the loss.

A smooth penalty has a gradient, which is added to that of the data loss. The others
have a proximal operator, which is applied after the optimizer's step:

    prox(w) = argmin_u  sum((u - w)**2 / (2 * step_size)) + penalty(u)

with the step size that the optimizer takes in each weight. With plain SGD, whose step
size is the learning rate, this is ISTA [1]_; with Adam, RMSprop and others the step
size of a weight is the learning rate divided by the root of its average squared
gradient [2]_. Whatever the step sizes, ``prox(w - step_size * g) = w`` where 0 is a
subgradient of data loss and penalty together, and only there: then the optimizer rests.

References
----------
.. [1] A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for
   linear inverse problems", SIAM Journal on Imaging Sciences 2, 2009.
.. [2] J. Yun, A. C. Lozano and E. Yang, "Adaptive proximal gradient methods for
   structured neural networks", NeurIPS 2021, arXiv 2007.07828.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from skreg._xla.sums import row_sums
from skreg._xla.update_rules import StepSize

# Of the average over steps that decides which columns leave the network.
MEAN_MOMENTUM = 0.999


class L2(NamedTuple):
    """``strength * sum(w**2)``, for each of K networks: ``sum(w * gradient) / 2``.

    Attributes
    ----------
    twice : tensor
        Twice the strength, of a shape that broadcasts against the weights'.
    """

    twice: tf.Tensor

    def gradient(self, w: tf.Tensor) -> tf.Tensor:
        """Of the shape of the weights."""
        return self.twice * w


class L1(NamedTuple):
    """``strength * sum(|w|)``, for each of K networks.

    Attributes
    ----------
    strength : tensor
        Of a shape that broadcasts against the weights'.
    """

    strength: tf.Tensor

    def terms(self, w: tf.Tensor) -> tf.Tensor:
        """What is summed, of the shape of the weights."""
        return self.strength * tf.abs(w)

    def prox(self, w: tf.Tensor, step_size: StepSize) -> tf.Tensor:
        """Soft thresholding: zero where ``|w| <= step_size * strength``."""
        rate, denominators = step_size
        threshold = rate * self.strength / denominators
        return w - tf.clip_by_value(w, -threshold, threshold)


class GroupL1(NamedTuple):
    """``strength * sum_j ||w_j||`` over the rows of a kernel, for each of K networks.

    Rows of the first kernel belong to the columns of X, of which the network does not
    use those whose row is zero. The last row, of the biases, has strength 0.

    Attributes
    ----------
    strength : tensor of shape (K, n_in + 1, 1)
    """

    strength: tf.Tensor

    def value(self, norms: tf.Tensor) -> tf.Tensor:
        """The penalty (K,) of rows of these norms (K, n_in + 1, 1)."""
        return tf.reduce_sum(self.strength * norms, axis=(1, 2))

    def prox(self, w: tf.Tensor, step_size: StepSize, norms: tf.Tensor) -> tf.Tensor:
        """Shortened rows, of these norms before the optimizer's step; or zero.

        With s the step sizes of a row and r the norm of the result u, stationarity,
        ``(u - w) / s + strength * u / r = 0``, gives ``u = w * r / (r + a)`` with ``a =
        strength * s``. So r solves ``phi(r) = sum((w / (r + a))**2) = 1``, which has a
        root unless ``phi(0) <= 1``: then u is zero. The root is that of ``phi**-0.5 -
        1``, too, which is increasing, concave, and a line where all step sizes are
        equal: one Newton step from the norm before comes close to it, and stays at it
        where training rests. With ``s = rate / d``, ``r + a = (r * d + strength *
        rate) / d`` takes one division.
        """
        rate, d = step_size
        threshold = self.strength * rate
        # Not from 0, where squares overflow if there is no penalty, or hardly any.
        r = tf.maximum(norms, 1e-10)
        inverse = d / (r * d + threshold)
        terms = tf.square(w * inverse)
        phi, slope = row_sums(terms), row_sums(terms * inverse)
        r -= tf.math.divide_no_nan(phi - phi * tf.sqrt(phi), slope)
        r = tf.maximum(r, 0)  # below 0 if phi(0) <= 1
        shortened = w * tf.math.divide_no_nan(r * d, r * d + threshold)
        return tf.where(self.strength > 0, shortened, w)

    def hold(
        self, w: tf.Tensor, inverse_length: tf.Tensor, mean_gradient: tf.Tensor
    ) -> tf.Tensor:
        """Rows that the penalty holds at zero are zero, the others as they were.

        A row u of the minimum is zero if, and only if, the data pull it with less than
        the penalty: ``||gradient|| <= strength``. The gradient of a batch is noisy. By
        single steps along it columns of no use come and go, even if the mean over all
        rows of X is weaker than the penalty. So what counts is a step along the mean
        gradient, of the length of as many steps as that is the mean of: the proximal
        operator makes w zero if ``||w * inverse_length - gradient|| <= strength``.
        """
        pull = w * inverse_length - mean_gradient
        held = row_sums(pull * pull) <= tf.square(self.strength)
        held &= self.strength > 0
        return tf.where(held, tf.zeros_like(w), w)


def shrink_rows(
    penalty: GroupL1,
    norms: tf.Tensor,
    change: tf.Tensor,
    w: tf.Tensor,
    step_size: StepSize,
    step: tf.Tensor,
    mean_gradient: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Apply the proximal operator of the groups after an optimizer's step.

    After that of L1: one after the other, they are the operator of the sum [1]_.

    Parameters
    ----------
    penalty : GroupL1
    norms : tensor of shape (K, n_in + 1, 1)
        Of the kernel's rows before the step.
    change, w : tensors of shape (K, n_in + 1, n_out)
        What the step has subtracted, and the kernel after it and the operator of L1.
    step_size : StepSize
        Of the optimizer, as a rate (K, 1, 1) and denominators.
    step : tensor of shape (K, 1, 1)
        Its number, counted from 1.
    mean_gradient : tensor of the kernel's shape
        What the last step has returned; 0 before the first.

    Returns
    -------
    kernel, mean_gradient : tensors
        Of this shape.

    References
    ----------
    .. [1] Y. Yu, "On decomposing the proximal map", NIPS 2013.
    """
    rate, denominators = step_size
    inverse_rate = tf.math.reciprocal_no_nan(rate)
    gradient = change * denominators * inverse_rate
    # Over the later half of all steps, or the last 1000 once there are more.
    momentum = (1 + step) / (3 + step)
    momentum = tf.minimum(momentum, tf.cast(MEAN_MOMENTUM, step.dtype))
    mean_gradient = gradient + momentum * (mean_gradient - gradient)
    w = penalty.prox(w, step_size, norms)
    inverse_length = denominators * (inverse_rate * (1 - momentum))
    return penalty.hold(w, inverse_length, mean_gradient), mean_gradient
