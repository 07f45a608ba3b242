"""Gradient steps of the compiled function."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from skreg._engine.gather import training_rows
from skreg._engine.layers import backward, forward, make_dropouts
from skreg._engine.loops import while_loop
from skreg._engine.optimizer_settings import clip, hyper_of_step
from skreg._engine.penalties import L1, L2, GroupL1
from skreg._engine.pieces import (
    Moved,
    cut_pieces,
    first_kernel,
    gradients_of,
    join_pieces,
    kernels_of,
)
from skreg._engine.program import LayerSlice, Program, State
from skreg._engine.sums import row_norms, totals
from skreg._engine.updates import accumulate, update


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
    moved = cut_pieces(program, slices, state)
    no_pending = tf.zeros_like(state.active)
    no_sums = tf.zeros((3, tf.shape(state.step)[0]), program.dtype)
    _, pending, moved, sums = while_loop(
        lambda variables, constants: variables[0] < constants[-1],
        partial(_one_step, program),
        (first, no_pending, moved, no_sums),
        (slices, inputs, plan, state.active, last),
        xla=program.xla,
    )
    if program.xla:
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(last - 1, 0))
        moved = update(program, slices, inputs, hyper, moved, pending)
    return join_pieces(program, moved, state), tf.unstack(sums, num=3)


def _one_step(program: Program, variables: Any, constants: Any) -> Any:
    t, pending, moved, sums = variables
    slices, inputs, plan, active, _ = constants
    if program.xla:  # what the last step left, see `update`
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(t - 1, 0))
        moved = update(program, slices, inputs, hyper, moved, pending)
    X, targets, weight = training_rows(program, slices, inputs, plan, t)
    kernels = kernels_of(program, slices, moved.pieces)
    dropouts = _dropouts(program, slices, inputs, plan, t)
    passed = forward(program.activation, kernels, X, dropouts)
    row_losses = program.row_losses(targets, passed.logits)
    loss_gradient = program.loss_gradient(targets, passed.logits)
    gradients = backward(kernels, passed, tf.expand_dims(weight, -1) * loss_gradient)
    gradients = gradients_of(program, gradients, moved.pieces)
    if program.group_l1:
        kernel = first_kernel(program, slices, moved.pieces[0].params)
        moved = moved._replace(norms=row_norms(kernel))
    penalty, gradients = _add_penalty(program, inputs, moved, gradients)
    n_rows = tf.gather(plan["n_rows"], t)
    moving = active & (n_rows > 0)
    hyper = hyper_of_step(program, inputs, plan, t)
    gradients = clip(program, slices, hyper, gradients)
    moved = accumulate(program, hyper, moved, gradients, moving)
    if not program.xla:
        moved = update(program, slices, inputs, hyper, moved, moving)
    data_loss = tf.reduce_sum(weight * row_losses, axis=-1, keepdims=program.unbatched)
    terms = tf.stack([n_rows, n_rows * data_loss, n_rows * penalty])
    if not program.unbatched:
        terms = tf.where(moving, terms, 0)
    return t + 1, moving, moved, sums + terms


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
    program: Program, inputs: dict[str, Any], moved: Moved, gradients: list[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The penalty (K,), and the pieces' gradients of the loss with its smooth part."""
    total, with_penalty = 0, []
    for i, (piece, gradient) in enumerate(zip(moved.pieces, gradients, strict=True)):
        l2 = L2(inputs["l2"][i])
        terms = l2.terms(piece.params)
        if program.l1:
            terms += L1(inputs["l1"][i]).terms(piece.params)
        total += tf.reshape(totals(terms), [-1])
        with_penalty.append(gradient + l2.gradient(piece.params))
    if program.group_l1:
        total += GroupL1(inputs["group_l1"]).value(moved.norms)
    return total, with_penalty
