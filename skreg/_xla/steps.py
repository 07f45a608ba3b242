"""Gradient steps of the compiled function."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from skreg._xla.gather import training_rows
from skreg._xla.layers import backward, forward, make_dropouts
from skreg._xla.loops import while_loop
from skreg._xla.optimizer_settings import clip, hyper_of_step
from skreg._xla.penalties import L1, L2, GroupL1
from skreg._xla.pieces import (
    LayerSlice,
    first_kernel,
    gradients_of,
    kernels_of,
)
from skreg._xla.program import Pieces, Program, State
from skreg._xla.sums import row_norms, totals
from skreg._xla.updates import accumulate, update


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
    nothing_pending = tf.zeros_like(state.active), _no_norms(state)
    no_sums = tf.zeros((3, tf.shape(state.step)[0]), program.dtype)
    _, pending, state, sums = while_loop(
        lambda variables, constants: variables[0] < constants[-1],
        partial(_one_step, program),
        (first, nothing_pending, state, no_sums),
        (slices, inputs, plan, last),
        xla=program.xla,
    )
    if program.xla:
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(last - 1, 0))
        state = update(program, slices, inputs, hyper, state, *pending)
    return state, tf.unstack(sums, num=3)


def _no_norms(state: State) -> Pieces:
    return tuple(tf.zeros_like(array[..., :1]) for array in state.mean_gradient)


def _one_step(program: Program, variables: Any, constants: Any) -> Any:
    t, pending, state, sums = variables
    slices, inputs, plan, _ = constants
    if program.xla:  # what the last step left, see `update`
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(t - 1, 0))
        state = update(program, slices, inputs, hyper, state, *pending)
    X, targets, weight = training_rows(program, slices, inputs, plan, t)
    kernels = kernels_of(program, slices, state.params)
    dropouts = _dropouts(program, slices, inputs, plan, t)
    passed = forward(program.activation, kernels, X, dropouts)
    row_losses = program.row_losses(targets, passed.logits)
    loss_gradient = program.loss_gradient(targets, passed.logits)
    of_kernels = backward(kernels, passed, tf.expand_dims(weight, -1) * loss_gradient)
    gradients = gradients_of(program, of_kernels, state.params)
    norms: Pieces = ()
    if program.group_l1:
        norms = (row_norms(first_kernel(slices[0], state.params[0])),)
    penalty, gradients = _add_penalty(program, inputs, state.params, norms, gradients)
    n_rows = tf.gather(plan["n_rows"], t)
    moving = state.active & (n_rows > 0)
    hyper = hyper_of_step(program, inputs, plan, t)
    gradients = clip(program, slices, hyper, gradients)
    state = accumulate(program, hyper, state, gradients, moving)
    if not program.xla:
        state = update(program, slices, inputs, hyper, state, moving, norms)
    data_loss = tf.reduce_sum(weight * row_losses, axis=-1, keepdims=program.unbatched)
    terms = tf.stack([n_rows, n_rows * data_loss, n_rows * penalty])
    if not program.unbatched:
        terms = tf.where(moving, terms, 0)
    return t + 1, (moving, norms), state, sums + terms


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
    params: Pieces,
    norms: Pieces,
    gradients: Pieces,
) -> tuple[tf.Tensor, Pieces]:
    """The penalty (K,), and the gradients of the loss with its smooth part.

    `norms` are those of the rows of the first kernel, with `group_l1`.
    """
    total, with_penalty = 0, []
    for i, (w, gradient) in enumerate(zip(params, gradients, strict=True)):
        of_penalty = L2(inputs["twice_l2"][i]).gradient(w)
        values = totals(w * of_penalty) / 2
        if program.l1:
            values += totals(L1(inputs["l1"][i]).terms(w))
        total += tf.reshape(values, [-1])
        with_penalty.append(gradient + of_penalty)
    for of_rows in norms:
        total += GroupL1(inputs["group_l1"]).value(of_rows)
    return total, tuple(with_penalty)
