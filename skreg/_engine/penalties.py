"""Penalties on the weights, which training adds to the loss."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class L1L2(NamedTuple):
    """``l1 * sum(|w|) + l2 * sum(w**2)``, for each of K networks.

    Attributes
    ----------
    l1, l2 : tensor
        Strengths, of a shape that broadcasts against the weights'.
    """

    l1: tf.Tensor
    l2: tf.Tensor

    def value(self, w: tf.Tensor) -> tf.Tensor:
        """The penalty (K,) of weights (K, P), or (K, n_in + 1, n_out) with XLA.

        With XLA as one product, since it takes long to compile a sum of so many terms.
        """
        slope = self._slope(w)
        if w.shape.rank == 2:
            return tf.reduce_sum(w * slope, axis=1)
        flat = [tf.reshape(x, (tf.shape(x)[0], -1)) for x in (w, slope)]
        product = flat[0][:, tf.newaxis] @ flat[1][..., tf.newaxis]
        return product[:, 0, 0]

    def gradient(self, w: tf.Tensor) -> tf.Tensor:
        """A (sub)gradient, of the shape of the weights."""
        return self._slope(w) + self.l2 * w

    def _slope(self, w: tf.Tensor) -> tf.Tensor:
        """The penalty of each weight, divided by the weight.

        Value and gradient share it: TensorFlow computes it once for both.
        """
        return self.l1 * tf.sign(w) + self.l2 * w
