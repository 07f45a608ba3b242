"""What a step does with its gradients: to slots, weights and their average."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from skreg._engine.optimizer_settings import decay
from skreg._engine.penalties import L1, GroupL1, shrink_rows
from skreg._engine.pieces import (
    Moved,
    as_pieces,
    first_kernel,
    hyper_of_pieces,
    with_first_kernel,
)
from skreg._engine.program import LayerSlice, Program
from skreg._engine.update_rules import Hyper, StepSize


def accumulate(
    program: Program,
    hyper: Hyper,
    moved: Moved,
    gradients: list[tf.Tensor],
    moving: tf.Tensor,
) -> Moved:
    """Take the gradients into the optimizer's slots, of the networks that move."""
    select = _selecting(program, moving)
    hyper = hyper_of_pieces(program, hyper)
    pieces = []
    for piece, gradient in zip(moved.pieces, gradients, strict=True):
        new = program.rule.accumulate(gradient, piece.slots, hyper)
        pieces.append(piece._replace(slots=tuple(map(select, new, piece.slots))))
    steps = 1 if program.unbatched else tf.cast(moving, moved.step.dtype)
    return moved._replace(pieces=pieces, step=moved.step + steps)


def update(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    hyper: Hyper,
    moved: Moved,
    moving: tf.Tensor,
) -> Moved:
    """Update the weights of the networks whose slots a step has changed.

    With XLA the next step does it, not that one itself: an array is updated in place
    only if nothing reads it but what is computed before. Otherwise XLA copied the
    slots, and computed them twice.
    """
    select = _selecting(program, moving)
    hyper = hyper_of_pieces(program, hyper)
    step = as_pieces(program, tf.expand_dims(moved.step, -1))
    pieces, mean_gradient = [], moved.mean_gradient
    for i, piece in enumerate(moved.pieces):
        change = program.rule.update(piece.slots, step, hyper)
        if program.weight_decay:
            change += decay(hyper, piece.params)
        params = piece.params - change
        if program.l1:
            step_size = _step_size(program, piece.slots, step, hyper)
            params = L1(inputs["l1"][i]).prox(params, step_size)
        if program.group_l1 and i == 0:
            cut = partial(first_kernel, program, slices)
            of_change, kernel = cut(change), cut(params)
            slots = tuple(map(cut, piece.slots))
            step_size = _step_size(program, slots, *_of_kernels(step, hyper))
            kernel, new_mean = shrink_rows(
                GroupL1(inputs["group_l1"]),
                moved.norms,
                of_change,
                kernel,
                step_size,
                moved.step[:, tf.newaxis, tf.newaxis],
                mean_gradient,
            )
            params = with_first_kernel(program, params, kernel)
            mean_gradient = select(new_mean, mean_gradient)
        average = piece.average
        if program.averaging:
            momentum = as_pieces(program, inputs["ema_momentum"])
            new = average_of(params, average, momentum, step, program.proximal)
            average = select(new, average)
        params = select(params, piece.params)
        pieces.append(piece._replace(params=params, average=average))
    return moved._replace(pieces=pieces, mean_gradient=mean_gradient)


def average_of(
    params: Any, average: Any, momentum: Any, step: Any, proximal: bool
) -> tf.Tensor:
    """The running average after a step, counted from 1, that gave these parameters."""
    # At first of few steps, so that short trainings do not lag behind.
    momentum = tf.minimum(momentum, (1 + step) / (10 + step))
    average = params + momentum * (average - params)
    if not proximal:
        return average
    # It forgets only slowly that a weight was not zero.
    return tf.where(params == 0, params, average)


def _step_size(
    program: Program, slots: tuple[tf.Tensor, ...], step: tf.Tensor, hyper: Hyper
) -> StepSize:
    assert program.rule.step_size is not None, "see `why_not_compiled`"
    return program.rule.step_size(slots, step, hyper)


def _of_kernels(step: tf.Tensor, hyper: Hyper) -> tuple[tf.Tensor, Hyper]:
    """Step and hyperparameters to go with arrays (K, n_rows, n_columns)."""

    def expand(array: tf.Tensor) -> tf.Tensor:
        return array if array.shape.rank == 3 else tf.expand_dims(array, -1)

    return expand(step), {name: expand(value) for name, value in hyper.items()}


def _selecting(program: Program, moving: tf.Tensor) -> Callable[..., tf.Tensor]:
    """Gives the new values of the networks that move, the old ones of the others.

    Not by a factor 0, which would turn an infinity into NaN. A single network takes
    part in every step.
    """

    def select(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
        if program.unbatched:
            return new
        which = moving[:, tf.newaxis, tf.newaxis]
        new = tf.where(which if old.shape.rank == 3 else which[:, 0], new, old)
        new.set_shape(old.shape)  # which a loop must not change
        return new

    return select
