"""What a step changes, in the pieces that are updated one by one.

With XLA there is one piece per layer, of the shape of its kernel with the biases as the
last row, (K, n_in + 1, n_out): so its gradient goes into the update, and its kernel
comes out of it, without being copied into, and out of, an array of all parameters.
Without XLA it is the number of operations that counts, and one piece has all
parameters, (K, P).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from skreg._engine.program import LayerSlice, Program, SeparateBias, State, cut_kernels
from skreg._engine.update_rules import Hyper


class Piece(NamedTuple):
    """Parameters and what belongs to them, as in `State`."""

    params: tf.Tensor
    average: tf.Tensor  # none of them without averaging
    slots: tuple[tf.Tensor, ...]


class Moved(NamedTuple):
    """What steps change."""

    pieces: list[Piece]
    step: tf.Tensor
    mean_gradient: tf.Tensor  # as in `State`
    norms: tf.Tensor  # of the rows of the first kernel, where its gradient was taken


def cut_pieces(program: Program, slices: list[LayerSlice], state: State) -> Moved:
    """What steps change of a state."""
    pieces = [Piece(state.params, state.average, state.slots)]
    if program.xla:
        params, *slots = (
            cut_kernels(program, slices, array)
            for array in (state.params, *state.slots)
        )
        averages: Any = [state.average] * len(slices)
        if program.averaging:
            averages = cut_kernels(program, slices, state.average)
        pieces = list(map(Piece, params, averages, zip(*slots, strict=True)))
    norms = tf.zeros_like(state.mean_gradient[..., :1])
    return Moved(pieces, state.step, state.mean_gradient, norms)


def join_pieces(program: Program, moved: Moved, state: State) -> State:
    """The state, with what steps have changed."""
    params, averages, slots = zip(*moved.pieces, strict=True)
    return state._replace(
        params=flatten(params, state.params),
        average=(
            flatten(averages, state.params) if program.averaging else state.average
        ),
        slots=tuple(flatten(s, state.params) for s in zip(*slots, strict=True)),
        step=moved.step,
        mean_gradient=moved.mean_gradient,
    )


def kernels_of(
    program: Program, slices: list[LayerSlice], pieces: list[Piece]
) -> list[tf.Tensor | SeparateBias]:
    """The layers' parameters, as from `cut_kernels`."""
    if program.xla:
        return [piece.params for piece in pieces]
    return cut_kernels(program, slices, pieces[0].params)


def gradients_of(
    program: Program, gradients: list[tf.Tensor], pieces: list[Piece]
) -> list[tf.Tensor]:
    """Gradients in kernels, or in weights and biases, as those of the pieces."""
    return gradients if program.xla else [flatten(gradients, pieces[0].params)]


def flatten(parts: Any, like: tf.Tensor) -> tf.Tensor:
    """Arrays of all layers as one, of shape (K, P), as another is."""
    if len(parts) == 1 and parts[0].shape.rank == 2:
        return parts[0]
    shape = tf.stack([tf.shape(like)[0], -1])
    return tf.concat([tf.reshape(part, shape) for part in parts], axis=1)


def first_kernel(
    program: Program, slices: list[LayerSlice], array: tf.Tensor
) -> tf.Tensor:
    """Of what belongs to the first piece, the part of the first kernel and biases."""
    if program.xla:
        return array
    n_rows, n_columns = slices[0].n_in + 1, slices[0].n_out
    return tf.reshape(array[:, : n_rows * n_columns], [-1, n_rows, n_columns])


def with_first_kernel(
    program: Program, array: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    """The first piece's array with another first kernel."""
    if program.xla:
        return kernel
    flat = flatten([kernel], array)
    return tf.concat([flat, array[:, tf.shape(flat)[1] :]], axis=1)


def as_pieces(program: Program, array: tf.Tensor) -> tf.Tensor:
    """What each network has one of, (K, 1), to go with what pieces have."""
    return tf.expand_dims(array, -1) if program.xla else array


def hyper_of_pieces(program: Program, hyper: Hyper) -> Hyper:
    """The same for hyperparameters."""
    return {name: as_pieces(program, value) for name, value in hyper.items()}
