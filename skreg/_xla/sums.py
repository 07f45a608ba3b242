"""Sums over all parameters of a network, or over the rows of a kernel."""

from __future__ import annotations

import tensorflow as tf


def totals(x: tf.Tensor) -> tf.Tensor:
    """Sums (K, 1) of (K, n), or (K, 1, 1) of (K, n_rows, n_columns)."""
    if x.shape.rank == 2:
        return tf.reduce_sum(x, axis=1, keepdims=True)
    return tf.reduce_sum(row_sums(x), axis=1, keepdims=True)


def row_sums(x: tf.Tensor) -> tf.Tensor:
    """Sums (K, n_rows, 1) of (K, n_rows, n_columns).

    As the product of a matrix and a vector: XLA adds up a sum, and a product of two
    vectors, one number at a time, which takes ten times as long.
    """
    shape = tf.shape(x)
    sums = tf.reshape(x, [-1, shape[2]]) @ tf.ones([shape[2], 1], x.dtype)
    return tf.reshape(sums, [shape[0], shape[1], 1])


def row_norms(x: tf.Tensor) -> tf.Tensor:
    """Euclidean norms (K, n_rows, 1) of the rows of (K, n_rows, n_columns)."""
    return tf.sqrt(row_sums(x * x))
