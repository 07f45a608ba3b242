"""What a step does with its gradients: to slots, weights and their average."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from skreg._xla.optimizer_settings import decay
from skreg._xla.penalties import L1, GroupL1, shrink_rows
from skreg._xla.pieces import (
    LayerSlice,
    first_kernel,
    of_networks,
    select,
    with_first_kernel,
)
from skreg._xla.program import Pieces, Program, State
from skreg._xla.update_rules import Hyper, StepSize


def accumulate(
    program: Program, hyper: Hyper, state: State, gradients: Pieces, moving: tf.Tensor
) -> State:
    """Take the gradients into the optimizer's slots, of the networks that move."""
    keep = _selecting(program, moving)
    pieces = []
    for gradient, slots in zip(gradients, zip(*state.slots, strict=True), strict=True):
        new = program.rule.accumulate(gradient, slots, hyper)
        pieces.append(map(keep, new, slots))
    steps = 1 if program.unbatched else tf.cast(moving, state.step.dtype)
    slots = tuple(zip(*pieces, strict=True))
    return state._replace(slots=slots, step=state.step + steps)


def update(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    hyper: Hyper,
    state: State,
    moving: tf.Tensor,
    norms: Pieces,
) -> State:
    """Update the weights of the networks whose slots a step has changed.

    With XLA the next step does it, not that one itself: an array is updated in place
    only if nothing reads it but what is computed before. Otherwise XLA copied the
    slots, and computed them twice.

    `norms`, one array (K, n_in + 1, 1), are those of the rows of the first kernel
    before the step, with `group_l1`.
    """
    keep = _selecting(program, moving)
    step = of_networks(program, state.step)
    params, averages = [], []
    for i, before in enumerate(state.params):
        slots = tuple(slot[i] for slot in state.slots)
        change = program.rule.update(slots, step, hyper)
        if program.weight_decay:
            change += decay(hyper, before)
        after = before - change
        if program.proximal:
            assert program.rule.step_size is not None, "see `why_not_compiled`"
            step_size = program.rule.step_size(slots, step, hyper)
        if program.l1:
            after = L1(inputs["l1"][i]).prox(after, step_size)
        if program.group_l1 and i == 0:
            after, mean_gradient = shrink_first_kernel(
                slices[0],
                GroupL1(inputs["group_l1"]),
                norms[0],
                change,
                after,
                step_size,
                state.step[:, tf.newaxis, tf.newaxis],
                state.mean_gradient[0],
            )
            mean_gradient = keep(mean_gradient, state.mean_gradient[0])
            state = state._replace(mean_gradient=(mean_gradient,))
        if program.averaging:
            new = _average(
                program, inputs["ema_momentum"], step, after, state.average[i]
            )
            averages.append(keep(new, state.average[i]))
        params.append(keep(after, before))
    return state._replace(params=tuple(params), average=tuple(averages))


def shrink_first_kernel(
    layer: LayerSlice,
    penalty: GroupL1,
    norms: tf.Tensor,
    change: tf.Tensor,
    after: tf.Tensor,
    step_size: StepSize,
    step: tf.Tensor,
    mean_gradient: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`shrink_rows` in the first layer: gives the first piece, and the mean gradient.

    `change` and `after` are pieces, and the step size is for them.
    """
    rate, denominators = step_size
    kernel, mean_gradient = shrink_rows(
        penalty,
        norms,
        first_kernel(layer, change),
        first_kernel(layer, after),
        (
            tf.reshape(rate, [-1, 1, 1]),
            first_kernel(layer, denominators + tf.zeros_like(after)),
        ),
        step,
        mean_gradient,
    )
    return with_first_kernel(after, kernel), mean_gradient


def _average(
    program: Program,
    momentum: tf.Tensor,
    step: tf.Tensor,
    params: tf.Tensor,
    average: tf.Tensor,
) -> tf.Tensor:
    """The running average of a piece after a step."""
    # At first of few steps, so that short trainings do not lag behind.
    momentum = tf.minimum(momentum, (1 + step) / (10 + step))
    average = params + momentum * (average - params)
    if program.proximal:  # it forgets only slowly that a weight was not zero
        average = tf.where(params == 0, params, average)
    return average


def _selecting(program: Program, moving: tf.Tensor) -> Callable[..., tf.Tensor]:
    """Gives the new values of the networks that move, the old ones of the others."""
    if program.unbatched:  # a single network takes part in every step
        return lambda new, old: new
    return partial(select, moving)
