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


class L2(NamedTuple):
    """``strength * sum(w**2)``, for each of K networks.

    Attributes
    ----------
    strength : tensor
        Of a shape that broadcasts against the weights'.
    """

    strength: tf.Tensor

    def value(self, w: tf.Tensor) -> tf.Tensor:
        """The penalty (K,) of weights (K, ...)."""
        return _inner_products(w, self.strength * w)

    def gradient(self, w: tf.Tensor) -> tf.Tensor:
        """Its gradient, of the shape of the weights."""
        return 2 * self.strength * w


class L1(NamedTuple):
    """``strength * sum(|w|)``, for each of K networks; as `L2`."""

    strength: tf.Tensor

    def value(self, w: tf.Tensor) -> tf.Tensor:
        """The penalty (K,) of weights (K, ...)."""
        return _inner_products(w, self.strength * tf.sign(w))

    def prox(self, w: tf.Tensor, step_size: tf.Tensor) -> tf.Tensor:
        """Soft thresholding: zero where ``|w| <= step_size * strength``."""
        threshold = step_size * self.strength
        return w - tf.clip_by_value(w, -threshold, threshold)


class GroupL1(NamedTuple):
    """``strength * sum_j ||w_j||`` over the rows of a kernel, for each of K networks.

    Rows of the first kernel belong to the columns of X, of which the network does not
    use those whose row is zero.

    Attributes
    ----------
    strength : tensor of shape (K, 1, 1)
    """

    strength: tf.Tensor

    def value(self, w: tf.Tensor) -> tf.Tensor:
        """The penalty (K,) of kernels (K, n_in, n_out)."""
        norms = tf.norm(w, axis=2, keepdims=True)
        return tf.reduce_sum(self.strength * norms, axis=(1, 2))

    def prox(self, w: tf.Tensor, step_size: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Shortened rows, which were `before` until the optimizer's step; or zero.

        With s the step sizes of a row and r the norm of the result u, stationarity,
        ``(u - w) / s + strength * u / r = 0``, gives ``u = w * r / (r + a)`` with ``a =
        strength * s``. So r solves ``phi(r) = sum((w / (r + a))**2) = 1``, which has a
        root unless ``phi(0) <= 1``: then u is zero. The root is that of ``phi**-0.5 -
        1``, too, which is increasing, concave, and a line where all step sizes are
        equal: one Newton step from the norm before comes close to it, and stays at it
        where training rests.
        """
        a = self.strength * step_size
        # Not from 0, where squares overflow if there is no penalty, or hardly any.
        r = tf.maximum(tf.sqrt(_row_sums(before * before)), 1e-10)
        inverse = 1 / (r + a)
        terms = tf.square(w * inverse)
        phi, slope = _row_sums(terms), _row_sums(terms * inverse)
        r -= tf.math.divide_no_nan(phi - phi * tf.sqrt(phi), slope)
        r = tf.maximum(r, 0)  # below 0 if phi(0) <= 1
        return w * tf.math.divide_no_nan(r, r + a)

    def hold(
        self, w: tf.Tensor, rate: tf.Tensor, mean_gradient: tf.Tensor
    ) -> tf.Tensor:
        """Rows that the penalty holds at zero are zero, the others as they were.

        A row u of the minimum is zero if, and only if, the data pull it with less than
        the penalty: ``||gradient|| <= strength``. The gradient of a batch is noisy. By
        single steps along it columns of no use come and go, even if the mean over all
        rows of X is weaker than the penalty. So what counts is a step along the mean
        gradient, of the length of as many steps as that is the mean of: the proximal
        operator makes w zero if ``||w * rate - gradient|| <= strength``, with `rate`
        the inverse of the length.
        """
        pull = w * rate - mean_gradient
        held = _row_sums(pull * pull) <= tf.square(self.strength)
        return tf.where(held, tf.zeros_like(w), w)


def _row_sums(x: tf.Tensor) -> tf.Tensor:
    """Sums (K, n_in, 1) of (K, n_in, n_out), as products: XLA takes long for sums."""
    shape = tf.shape(x)
    sums = tf.reshape(x, [-1, shape[2]]) @ tf.ones([shape[2], 1], x.dtype)
    return tf.reshape(sums, [shape[0], shape[1], 1])


def _inner_products(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Of shape (K,): as products where XLA is used, which takes long for long sums."""
    if a.shape.rank == 2:
        return tf.reduce_sum(a * b, axis=1)
    flat = [tf.reshape(x, (tf.shape(x)[0], -1)) for x in (a, b)]
    product = flat[0][:, tf.newaxis] @ flat[1][..., tf.newaxis]
    return product[:, 0, 0]
