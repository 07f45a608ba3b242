"""Layers of the compiled engine: K networks' rows forward, and gradients back.

A layer's parameters are as `skreg._xla.pieces.kernels_of` gives them. In the
unbatched variant all arrays go without the axis K; `skreg._xla.program` explains
the variants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from skreg._xla.gather import SharedRows
from skreg._xla.noise import hashed
from skreg._xla.pieces import SeparateBias

Kernel: TypeAlias = tf.Tensor | SeparateBias


def _layer_input(rows: Any, kernel: Kernel) -> Any:
    """Rows (K, B, n_in), with a column of ones where the kernel has the biases."""
    if isinstance(kernel, SeparateBias):
        return rows
    return tf.concat([rows, tf.ones_like(rows[..., :1])], axis=-1)


def _layer_output(inputs: Any, kernel: Kernel) -> tf.Tensor:
    """Of shape (K, B, n_out), before the activation."""
    if not isinstance(kernel, SeparateBias):
        return inputs @ kernel
    if isinstance(inputs, SharedRows):
        return inputs.times(kernel.weights) + kernel.biases
    if isinstance(inputs, tf.SparseTensor):
        return _sparse_product(inputs, kernel.weights) + kernel.biases
    return inputs @ kernel.weights + kernel.biases


def _kernel_gradients(
    inputs: Any, kernel: Kernel, output_gradient: tf.Tensor
) -> list[tf.Tensor]:
    """Gradients in a layer's kernel, or in its weights and in its biases."""
    if not isinstance(kernel, SeparateBias):
        return [tf.matmul(inputs, output_gradient, transpose_a=True)]
    of_biases = tf.reduce_sum(output_gradient, axis=-2, keepdims=True)
    if isinstance(inputs, tf.SparseTensor):
        of_weights = _sparse_product(inputs, output_gradient, adjoint_a=True)
    else:
        of_weights = tf.matmul(inputs, output_gradient, transpose_a=True)
    return [of_weights, of_biases]


def _row_gradients(kernel: Kernel, output_gradient: tf.Tensor) -> tf.Tensor:
    """Gradients (K, B, n_in) in the rows that went into a layer."""
    if isinstance(kernel, SeparateBias):
        return tf.matmul(output_gradient, kernel.weights, transpose_b=True)
    return tf.matmul(output_gradient, kernel, transpose_b=True)[..., :-1]


def _sparse_product(
    matrix: tf.SparseTensor, dense: tf.Tensor, **options: bool
) -> tf.Tensor:
    """Product with one matrix for all networks, see `skreg._xla.batches.entries`."""
    if dense.shape.rank == 2:
        return tf.sparse.sparse_dense_matmul(matrix, dense, **options)
    n_networks, _, n_out = tf.unstack(tf.shape(dense), num=3)
    flat = tf.reshape(dense, (-1, n_out))
    product = tf.sparse.sparse_dense_matmul(matrix, flat, **options)
    return tf.reshape(product, (n_networks, -1, n_out))


class _HiddenLayer(NamedTuple):
    """What the forward pass keeps of a hidden layer, for the backward pass."""

    inputs: Any
    before: tf.Tensor  # (K, B, n), what the activation was applied to
    after: tf.Tensor
    tape: tf.GradientTape  # from the one to the other
    dropout: Callable[[tf.Tensor], tf.Tensor]  # linear, and its own transpose


class ForwardPass(NamedTuple):
    """The logits, and what `backward` needs beside them."""

    hidden: list[_HiddenLayer]
    output_inputs: Any
    logits: tf.Tensor


def forward(
    activation: Callable[[Any], Any],
    kernels: list[Kernel],
    rows: Any,
    dropouts: list[Callable[[tf.Tensor], tf.Tensor]] | None = None,
) -> ForwardPass:
    """Push rows (K, B, n_in) forward, through dropout where there is any."""
    dropouts = dropouts or [tf.identity] * len(kernels[:-1])
    hidden = []
    for kernel, dropout in zip(kernels[:-1], dropouts, strict=True):
        inputs = _layer_input(rows, kernel)
        before = _layer_output(inputs, kernel)
        with tf.GradientTape() as tape:
            tape.watch(before)
            after = activation(before)
        hidden.append(_HiddenLayer(inputs, before, after, tape, dropout))
        rows = dropout(after)
    inputs = _layer_input(rows, kernels[-1])
    return ForwardPass(hidden, inputs, _layer_output(inputs, kernels[-1]))


def backward(
    kernels: list[Kernel], passed: ForwardPass, logits_gradient: tf.Tensor
) -> list[tf.Tensor]:
    """Gradients of the data loss in the kernels, from those in the logits.

    One per kernel or, with separate biases, two: in the weights and in the biases.
    """
    gradient = logits_gradient
    gradients = _kernel_gradients(passed.output_inputs, kernels[-1], gradient)
    for i in reversed(range(len(passed.hidden))):
        layer = passed.hidden[i]
        gradient = layer.dropout(_row_gradients(kernels[i + 1], gradient))
        gradient = layer.tape.gradient(layer.after, layer.before, gradient)
        gradients = _kernel_gradients(layer.inputs, kernels[i], gradient) + gradients
    return gradients


def make_dropouts(
    noise: tf.Tensor, widths: list[Any], inputs: dict[str, Any]
) -> list[Callable[[tf.Tensor], tf.Tensor]]:
    """Dropout of each hidden layer, of each network by its rates.

    The noise is of shape (B, units of all hidden layers), or (K, B, units). With XLA it
    has still to be hashed with the keys of the networks.
    """
    n = len(widths)
    if "noise_keys" in inputs:
        noise = hashed(
            noise, inputs["noise_keys"], tf.bitwise.bitwise_xor, tf.bitwise.right_shift
        )

    def make(noise: tf.Tensor, least_kept: tf.Tensor, kept_share: tf.Tensor) -> Any:
        kept = noise >= least_kept
        return lambda units: tf.where(kept, units / kept_share, 0)

    return [
        make(*layer)
        for layer in zip(
            tf.split(noise, widths, axis=-1, num=n),
            tf.unstack(inputs["least_kept"], num=n),
            tf.unstack(inputs["kept_share"], num=n),
            strict=True,
        )
    ]
