"""Gradient steps of the compiled function."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from skreg._engine.gather import training_rows
from skreg._engine.layers import backward, forward, make_dropouts
from skreg._engine.loops import while_loop
from skreg._engine.penalties import L1L2
from skreg._engine.program import LayerSlice, Program, State, cut_kernels


def run_steps(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    state: State,
    first: tf.Tensor,
    last: tf.Tensor,
) -> tuple[State, list[tf.Tensor]]:
    """Take the steps from first to last.

    Returns the state, and the sums (K,) over the steps of the number of rows, and of
    data loss and penalty times that.
    """
    no_pending = tf.zeros_like(state.active)
    no_sums = tf.zeros((3, tf.shape(state.step)[0]), program.dtype)
    _, pending, state, sums = while_loop(
        lambda variables, constants: variables[0] < constants[-1],
        partial(_one_step, program),
        (first, no_pending, state, no_sums),
        (slices, inputs, plan, last),
        xla=program.xla,
    )
    if program.xla:
        state = _update(program, inputs["hyper"], state, pending)
    return state, tf.unstack(sums, num=3)


def _one_step(program: Program, variables: Any, constants: Any) -> Any:
    t, pending, state, sums = variables
    slices, inputs, plan, _ = constants
    hyper = inputs["hyper"]
    if program.xla:  # what the last step left, see `_update`
        state = _update(program, hyper, state, pending)
    X, targets, weight = training_rows(program, slices, inputs, plan, t)
    kernels = cut_kernels(program, slices, state.params)
    dropouts = _dropouts(program, slices, inputs, plan, t)
    passed = forward(program.activation, kernels, X, dropouts)
    row_losses = program.row_losses(targets, passed.logits)
    loss_gradient = program.loss_gradient(targets, passed.logits)
    gradients = backward(kernels, passed, tf.expand_dims(weight, -1) * loss_gradient)
    penalty, gradients = _add_penalty(program, inputs, state.params, kernels, gradients)
    n_rows = tf.gather(plan["n_rows"], t)
    moving = state.active & (n_rows > 0)
    state = _accumulate(program, hyper, state, gradients, moving)
    if not program.xla:
        state = _update(program, hyper, state, moving)
    data_loss = tf.reduce_sum(weight * row_losses, axis=-1, keepdims=program.unbatched)
    terms = tf.stack([n_rows, n_rows * data_loss, n_rows * penalty])
    sums = _where(program, moving, sums + terms, sums)
    return t + 1, moving, state, sums


def _dropouts(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    t: tf.Tensor,
) -> list | None:
    if not program.dropout:
        return None
    widths = [s.n_out for s in slices[:-1]]
    return make_dropouts(tf.gather(plan["noise"], t), widths, inputs)


def _add_penalty(
    program: Program,
    inputs: dict[str, Any],
    params: tf.Tensor,
    kernels: list[tf.Tensor],
    gradients: list[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The penalty (K,), and the gradients (K, P) of the loss with it.

    With XLA layer by layer, as a strength for each of all parameters would be another
    array of their size to read. Without XLA it is the number of operations that counts,
    and all parameters are taken at once.
    """
    if program.xla:
        penalties = [L1L2(*strengths) for strengths in inputs["strengths"]]
        penalty_grads = [p.gradient(w) for p, w in zip(penalties, kernels, strict=True)]
        total = tf.add_n([p.value(w) for p, w in zip(penalties, kernels, strict=True)])
        parts = list(map(tf.add, gradients, penalty_grads))
        return total, _flatten(parts, params)
    penalty = L1L2(*inputs["strengths"])
    gradient = _flatten(gradients, params) + penalty.gradient(params)
    return penalty.value(params), gradient


def _flatten(parts: list[tf.Tensor], params: tf.Tensor) -> tf.Tensor:
    """Arrays of all layers as one, of shape (K, P)."""
    shape = tf.stack([tf.shape(params)[0], -1])
    return tf.concat([tf.reshape(part, shape) for part in parts], axis=1)


def _accumulate(
    program: Program,
    hyper: dict[str, tf.Tensor],
    state: State,
    gradients: tf.Tensor,
    moving: tf.Tensor,
) -> State:
    """Take the gradients into the optimizer's slots, of the networks that move."""
    new = program.rule.accumulate(gradients, state.slots, hyper)
    slots = tuple(
        _where(program, tf.expand_dims(moving, -1), *pair)
        for pair in zip(new, state.slots, strict=True)
    )
    steps = 1 if program.unbatched else tf.cast(moving, state.step.dtype)
    return state._replace(slots=slots, step=state.step + steps)


def _update(
    program: Program, hyper: dict[str, tf.Tensor], state: State, moving: tf.Tensor
) -> State:
    """Update the weights of the networks whose slots a step has changed.

    With XLA the next step does it, not that one itself: an array is updated in place
    only if nothing reads it but what is computed before. Otherwise XLA copied the
    slots, and computed them twice.
    """
    change = program.rule.update(state.slots, tf.expand_dims(state.step, -1), hyper)
    moving = tf.expand_dims(moving, -1)
    params = _where(program, moving, state.params - change, state.params)
    return state._replace(params=params)


def _where(
    program: Program, moving: tf.Tensor, new: tf.Tensor, old: tf.Tensor
) -> tf.Tensor:
    """The new values of the networks that move.

    Not by a factor 0, which would turn an infinity into NaN. A single network takes
    part in every step.
    """
    return new if program.unbatched else tf.where(moving, new, old)
