"""Layers of the compiled engine: K networks' rows forward, and gradients back.

Kernels are of shape (K, n_in + 1, n_out), the biases as their last row.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


def _times(into, kernels):
    """Products (K, B, n_out) of what goes into a layer with its kernels."""
    if not isinstance(into, tf.SparseTensor):
        return into @ kernels
    n_networks, _, n_out = tf.unstack(tf.shape(kernels), num=3)
    flat = tf.reshape(kernels, (-1, n_out))
    product = tf.sparse.sparse_dense_matmul(into, flat)
    return tf.reshape(product, (n_networks, -1, n_out))


def _transposed_times(into, slope):
    """Products (K, n_in + 1, n_out) of what went into a layer with its slope."""
    if not isinstance(into, tf.SparseTensor):
        return tf.matmul(into, slope, transpose_a=True)
    n_networks, _, n_out = tf.unstack(tf.shape(slope), num=3)
    flat = tf.reshape(slope, (-1, n_out))
    product = tf.sparse.sparse_dense_matmul(into, flat, adjoint_a=True)
    return tf.reshape(product, (n_networks, -1, n_out))


def _with_ones(h):
    """Append a column of ones, for the biases; sparse rows have one already."""
    if isinstance(h, tf.SparseTensor):
        return h
    return tf.concat([h, tf.ones_like(h[..., :1])], axis=-1)


class _Hidden(NamedTuple):
    """What a forward pass leaves of a hidden layer, for the way back."""

    inputs: tf.Tensor  # (K, B, n_in + 1), the last column ones; may be sparse
    before: tf.Tensor  # (K, B, n), what the activation was applied to
    after: tf.Tensor
    tape: tf.GradientTape  # from the one to the other
    drop: Callable  # dropout, which is linear: back through it goes the same way


def forward(activation, kernels, h, drops=None):
    """Push rows (K, B, n_in) forward, through dropout where there is any.

    Returns the hidden layers, what goes into the output layer, and the logits.
    """
    drops = drops or [tf.identity] * len(kernels[:-1])
    hidden = []
    for kernel, drop in zip(kernels[:-1], drops, strict=True):
        into = _with_ones(h)
        z = _times(into, kernel)
        with tf.GradientTape() as tape:
            tape.watch(z)
            after = activation(z)
        hidden.append(_Hidden(into, z, after, tape, drop))
        h = drop(after)
    into = _with_ones(h)
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


def backward(kernels, hidden, into, slope):
    """Gradients of the data loss in the kernels, from those in the logits."""
    gradients = [_transposed_times(into, slope)]
    for kernel, layer in zip(reversed(kernels[1:]), reversed(hidden), strict=True):
        slope = tf.matmul(slope, kernel, transpose_b=True)[..., :-1]
        slope = layer.drop(slope)
        slope = layer.tape.gradient(layer.after, layer.before, slope)
        gradients.insert(0, _transposed_times(layer.inputs, slope))
    return gradients
