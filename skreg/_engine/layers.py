"""Layers of the compiled engine: K networks' rows forward, and gradients back.

Kernels are of shape (K, n_in + 1, n_out), the biases as their last row. A lone network
may go without the axis K, in all arrays.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class _Bare(NamedTuple):
    """Rows (K, B, n_in) without a column of ones, or a sparse matrix of them.

    Without XLA, a column more makes the product of large matrices up to twice as slow,
    where their width is a power of two else. With it, it saves an operation.
    """

    rows: tf.Tensor | tf.SparseTensor
    weights: tf.Tensor  # of the kernels, what the rows are multiplied with
    biases: tf.Tensor


def _into(h, kernels, bare):
    """What goes into a layer: rows, with a column of ones for the biases or without."""
    if bare:
        return _Bare(h, kernels[..., :-1, :], kernels[..., -1:, :])
    return tf.concat([h, tf.ones_like(h[..., :1])], axis=-1)


def _times(into, kernels):
    """Products (K, B, n_out) of what goes into a layer with its kernels."""
    if not isinstance(into, _Bare):
        return into @ kernels
    if isinstance(into.rows, tf.SparseTensor):
        return _sparse_times(into.rows, into.weights) + into.biases
    return into.rows @ into.weights + into.biases


def _transposed_times(into, slope):
    """Products (K, n_in + 1, n_out) of what went into a layer with its slope.

    A list of the parts that there are, the biases' being the last.
    """
    if not isinstance(into, _Bare):
        return [tf.matmul(into, slope, transpose_a=True)]
    of_biases = tf.reduce_sum(slope, axis=-2, keepdims=True)
    if isinstance(into.rows, tf.SparseTensor):
        return [_sparse_times(into.rows, slope, adjoint_a=True), of_biases]
    return [tf.matmul(into.rows, slope, transpose_a=True), of_biases]


def _sparse_times(matrix, dense, **options):
    """Product with one matrix for all networks, see `skreg._engine.batches.entries`."""
    if dense.shape.rank == 2:
        return tf.sparse.sparse_dense_matmul(matrix, dense, **options)
    n_networks, _, n_out = tf.unstack(tf.shape(dense), num=3)
    flat = tf.reshape(dense, (-1, n_out))
    product = tf.sparse.sparse_dense_matmul(matrix, flat, **options)
    return tf.reshape(product, (n_networks, -1, n_out))


class _Hidden(NamedTuple):
    """What a forward pass leaves of a hidden layer, for the way back."""

    inputs: tf.Tensor | _Bare
    before: tf.Tensor  # (K, B, n), what the activation was applied to
    after: tf.Tensor
    tape: tf.GradientTape  # from the one to the other
    drop: Callable  # dropout, which is linear: back through it goes the same way


def forward(activation, kernels, h, drops=None, *, bare):
    """Push rows (K, B, n_in) forward, through dropout where there is any.

    `bare`: without a column of ones for the biases. Returns the hidden layers, what
    goes into the output layer, and the logits.
    """
    drops = drops or [tf.identity] * len(kernels[:-1])
    hidden = []
    for kernel, drop in zip(kernels[:-1], drops, strict=True):
        into = _into(h, kernel, bare)
        z = _times(into, kernel)
        with tf.GradientTape() as tape:
            tape.watch(z)
            after = activation(z)
        hidden.append(_Hidden(into, z, after, tape, drop))
        h = drop(after)
    into = _into(h, kernels[-1], bare)
    return hidden, into, _times(into, kernels[-1])


def dropouts(noise, widths, inputs):
    """Dropout of each hidden layer: one noise for all networks, to each its rates.

    The noise is of shape (B, units of all hidden layers).
    """
    noise = tf.split(noise, widths, axis=1, num=len(widths))
    least = tf.unstack(inputs["least_kept"], num=len(widths))
    shares = tf.unstack(inputs["kept_share"], num=len(widths))

    def dropout(noise, least, share):
        kept = noise >= least
        return lambda h: tf.where(kept, h / share, 0)

    return [dropout(*layer) for layer in zip(noise, least, shares, strict=True)]


def _back(into, slope, kernels):
    """Slopes of a layer's rows, from those of what comes out."""
    if isinstance(into, _Bare):
        return tf.matmul(slope, into.weights, transpose_b=True)
    return tf.matmul(slope, kernels, transpose_b=True)[..., :-1]


def backward(kernels, hidden, into, slope):
    """Gradients of the data loss in the kernels, from those in the logits.

    One a kernel or, of bare rows, two: in the weights and in the biases.
    """
    gradients = _transposed_times(into, slope)
    for kernel, layer in zip(reversed(kernels[1:]), reversed(hidden), strict=True):
        slope = layer.drop(_back(into, slope, kernel))
        slope = layer.tape.gradient(layer.after, layer.before, slope)
        into = layer.inputs
        gradients = _transposed_times(into, slope) + gradients
    return gradients
