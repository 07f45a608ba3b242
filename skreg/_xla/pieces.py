"""A network's parameters in the pieces that are updated one by one, and its layers.

With XLA there is one piece per layer, its kernel with the biases as the last row, (K,
n_in + 1, n_out): so its gradient goes into the update, and its kernel comes out of it,
without being copied into, and out of, an array of all parameters. Without XLA it is
the number of operations that counts, and one piece has all parameters, (K, P): weights
and biases, flattened, layer after layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skreg._xla.program import Pieces, Program


class LayerSlice(NamedTuple):
    """A layer's sizes, and where its parameters are among those of a network.

    `parts` has, without XLA, of weights and of biases, (begin, length, shape), which
    `tf.slice` and `tf.reshape` take.
    """

    n_in: int | tf.Tensor
    n_out: int | tf.Tensor
    parts: list[Any]


class SeparateBias(NamedTuple):
    """A layer's parameters without XLA: the biases are added apart."""

    weights: tf.Tensor  # (K, n_in, n_out)
    biases: tf.Tensor  # (K, 1, n_out)


def layer_slices(program: Program, inputs: dict[str, Any]) -> list[LayerSlice]:
    """Where the layers are; made of tensors without XLA."""
    if program.xla:
        return [LayerSlice(n_in, n_out, []) for n_in, n_out in program.layers]
    slices, start = [], 0
    for sizes in tf.unstack(inputs["layers"], len(program.layers)):
        n_in, n_out = tf.unstack(sizes, 2)
        parts = []
        for n_rows in (n_in, 1):
            length = n_rows * n_out
            where: Any = [0, start], [-1, length], [-1, n_rows, n_out]
            if program.unbatched:
                where = tuple(part[1:] for part in where)
            parts.append(tuple(map(tf.stack, where)))  # once, not in every step
            start += length
        slices.append(LayerSlice(n_in, n_out, parts))
    return slices


def kernels_of(
    program: Program, slices: list[LayerSlice], pieces: Pieces
) -> list[tf.Tensor | SeparateBias]:
    """The layers' parameters, without the axis K in the unbatched variant."""
    if program.xla:
        return list(pieces)
    (params,) = pieces
    if program.unbatched:
        params = tf.squeeze(params, 0)
    return [
        SeparateBias(
            *(tf.reshape(tf.slice(params, *at), to) for *at, to in layer.parts)
        )
        for layer in slices
    ]


def gradients_of(
    program: Program, gradients: list[tf.Tensor], params: Pieces
) -> Pieces:
    """Gradients in kernels, or in weights and biases, in pieces."""
    if program.xla:
        return tuple(gradients)
    shape = tf.stack([tf.shape(params[0])[0], -1])
    return (tf.concat([tf.reshape(g, shape) for g in gradients], axis=1),)


def first_kernel(layer: LayerSlice, piece: tf.Tensor) -> tf.Tensor:
    """What the first piece has of the first layer, (K, n_in + 1, n_out)."""
    if piece.shape.rank == 3:
        return piece
    n_rows, n_columns = layer.n_in + 1, layer.n_out
    return tf.reshape(piece[:, : n_rows * n_columns], [-1, n_rows, n_columns])


def with_first_kernel(piece: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The first piece with another kernel and biases in the first layer."""
    if piece.shape.rank == 3:
        return kernel
    flat = tf.reshape(kernel, tf.stack([tf.shape(kernel)[0], -1]))
    return tf.concat([flat, piece[:, tf.shape(flat)[1] :]], axis=1)


def select(networks: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """The new values of some networks, by bools (K,), and the old ones of the others.

    Not by a factor 0, which would turn an infinity into NaN.
    """
    for _ in range(old.shape.rank - 1):
        networks = tf.expand_dims(networks, -1)
    selected = tf.where(networks, new, old)
    selected.set_shape(old.shape)  # which a loop must not change
    return selected


def of_networks(program: Program, values: Any) -> Any:
    """One value per network, (K,), to go with pieces."""
    return values[:, np.newaxis, np.newaxis] if program.xla else values[:, np.newaxis]


def cut_flat(program: Program, flat: NDArray[Any]) -> Pieces:
    """The pieces of an array (K, P)."""
    if not program.xla:
        return (tf.convert_to_tensor(flat),)
    sizes = [(n_in + 1) * n_out for n_in, n_out in program.layers]
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    pairs = zip(parts, program.layers, strict=True)
    return tuple(
        tf.convert_to_tensor(part.reshape(len(flat), n_in + 1, n_out))
        for part, (n_in, n_out) in pairs
    )


def flat_of(pieces: Pieces) -> NDArray[Any]:
    """The array (K, P) of pieces."""
    flat = [piece.numpy().reshape(len(piece), -1) for piece in pieces]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
