"""Gradient steps of the compiled function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from skreg._engine.gather import training_rows
from skreg._engine.layers import backward, forward, make_dropouts
from skreg._engine.loops import while_loop
from skreg._engine.optimizer_settings import clip, decay, hyper_of_step
from skreg._engine.penalties import L1, L2, GroupL1
from skreg._engine.program import (
    LayerSlice,
    Program,
    State,
    cut_kernels,
    sum_params,
)
from skreg._engine.update_rules import Hyper

# Of the average over steps that decides which columns leave the network.
MEAN_MOMENTUM = 0.999


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
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(last - 1, 0))
        state = _update(program, slices, inputs, hyper, state, pending)
    return state, tf.unstack(sums, num=3)


def _one_step(program: Program, variables: Any, constants: Any) -> Any:
    t, pending, state, sums = variables
    slices, inputs, plan, _ = constants
    if program.xla:  # what the last step left, see `_update`
        hyper = hyper_of_step(program, inputs, plan, tf.maximum(t - 1, 0))
        state = _update(program, slices, inputs, hyper, state, pending)
    X, targets, weight = training_rows(program, slices, inputs, plan, t)
    kernels = cut_kernels(program, slices, state.params)
    dropouts = _dropouts(program, slices, inputs, plan, t)
    passed = forward(program.activation, kernels, X, dropouts)
    row_losses = program.row_losses(targets, passed.logits)
    loss_gradient = program.loss_gradient(targets, passed.logits)
    gradients = backward(kernels, passed, tf.expand_dims(weight, -1) * loss_gradient)
    penalty, gradients = _add_penalty(
        program, slices, inputs, state.params, kernels, gradients
    )
    n_rows = tf.gather(plan["n_rows"], t)
    moving = state.active & (n_rows > 0)
    hyper = hyper_of_step(program, inputs, plan, t)
    gradients = clip(program, slices, hyper, gradients)
    state = _accumulate(program, hyper, state, gradients, moving)
    if not program.xla:
        state = _update(program, slices, inputs, hyper, state, moving)
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
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    params: tf.Tensor,
    kernels: list[Any],
    gradients: list[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The penalty (K,), and the gradients (K, P) of the loss with its smooth part.

    With XLA L2 is taken layer by layer, which reads less memory. Without XLA it is the
    number of operations that counts, and all parameters are taken at once.
    """
    if program.xla:
        penalties = [L2(strength) for strength in inputs["l2"]]
        penalty_grads = [p.gradient(w) for p, w in zip(penalties, kernels, strict=True)]
        total = tf.add_n([p.value(w) for p, w in zip(penalties, kernels, strict=True)])
        gradient = _flatten(list(map(tf.add, gradients, penalty_grads)), params)
    else:
        penalty = L2(inputs["l2"])
        total = penalty.value(params)
        gradient = _flatten(gradients, params) + penalty.gradient(params)
    if program.l1:
        total += sum_params(inputs["l1"] * tf.abs(params), inputs)
    if program.group_l1:
        total += GroupL1(inputs["group_l1"]).value(_first_kernel(slices, params))
    return total, gradient


def _flatten(parts: list[tf.Tensor], params: tf.Tensor) -> tf.Tensor:
    """Arrays of all layers as one, of shape (K, P)."""
    shape = tf.stack([tf.shape(params)[0], -1])
    return tf.concat([tf.reshape(part, shape) for part in parts], axis=1)


def _accumulate(
    program: Program,
    hyper: Hyper,
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
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    hyper: Hyper,
    state: State,
    moving: tf.Tensor,
) -> State:
    """Update the weights of the networks whose slots a step has changed.

    With XLA the next step does it, not that one itself: an array is updated in place
    only if nothing reads it but what is computed before. Otherwise XLA copied the
    slots, and computed them twice.
    """
    rule = program.rule
    moving, step = tf.expand_dims(moving, -1), tf.expand_dims(state.step, -1)
    update = rule.update(state.slots, step, hyper)
    if program.weight_decay:
        update += decay(hyper, state.params)
    params, mean_gradient = state.params - update, state.mean_gradient
    if program.proximal:
        step_sizes = partial(rule.first_step_sizes, state.slots, step, hyper)
        params, mean_gradient = shrink(
            slices, inputs, state.params, params, step_sizes, step, mean_gradient
        )
    state = state._replace(
        params=_where(program, moving, params, state.params),
        mean_gradient=_where(program, moving, mean_gradient, state.mean_gradient),
    )
    if not program.averaging:
        return state
    # At first an average of few steps, so that short trainings do not lag behind.
    momentum = tf.minimum(inputs["ema_momentum"], (1 + step) / (10 + step))
    average = params + momentum * (state.average - params)
    if program.proximal:  # an average forgets slowly that a weight was not zero
        average = tf.where(params == 0, params, average)
    return state._replace(average=_where(program, moving, average, state.average))


def shrink(
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    before: tf.Tensor,
    params: tf.Tensor,
    step_sizes: Callable[[Any], tf.Tensor],
    step: tf.Tensor,
    mean_gradient: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Apply the proximal operators of the penalties to parameters (K, P).

    First that of L1, then that of the groups: one after the other, in this order, they
    are the operator of the sum [1]_.

    Parameters
    ----------
    slices : list of LayerSlice
    inputs : dict of str to tensor
        With the strengths ``l1`` and ``group_l1``, if there are any.
    before, params : tensors of shape (K, P)
        Before and after the optimizer's step.
    step_sizes : callable
        ``step_sizes(n)`` gives its step sizes in the first `n` parameters, or in all
        for None: of shape (K, n) or (K, 1).
    step : tensor of shape (K, 1)
        Its number, counted from 1.
    mean_gradient : tensor of shape (K, n)
        Of the first kernel. What the last step has returned; 0 before the first.

    Returns
    -------
    params, mean_gradient : tensors
        Of the same shapes.

    References
    ----------
    .. [1] Y. Yu, "On decomposing the proximal map", NIPS 2013.
    """
    smooth = params
    if "l1" in inputs:
        params = L1(inputs["l1"]).prox(params, step_sizes(None))
    if "group_l1" in inputs:
        # Of the first kernel only, by far the smaller part where columns are few.
        n = slices[0].n_in * slices[0].n_out
        sizes = step_sizes(n) + tf.zeros_like(before[:, :n])
        rate = tf.math.reciprocal_no_nan(sizes)
        gradient = (before - smooth)[:, :n] * rate
        # Over the later half of all steps, or the last 1000 once there are more.
        momentum = (1 + step) / (3 + step)
        momentum = tf.minimum(momentum, tf.cast(MEAN_MOMENTUM, step.dtype))
        mean_gradient = gradient + momentum * (mean_gradient - gradient)
        penalty = GroupL1(inputs["group_l1"])
        kernel, sizes, before, rate, pull = (
            _first_kernel(slices, array)
            for array in (params, sizes, before, rate * (1 - momentum), mean_gradient)
        )
        kernel = penalty.hold(penalty.prox(kernel, sizes, before), rate, pull)
        params = tf.concat([_flatten([kernel], params), params[:, n:]], axis=1)
    return params, mean_gradient


def _first_kernel(slices: list[LayerSlice], params: tf.Tensor) -> tf.Tensor:
    """Of shape (K, n_in, n_out), out of parameters (K, P)."""
    n_in, n_out = slices[0].n_in, slices[0].n_out
    return tf.reshape(params[:, : n_in * n_out], (-1, n_in, n_out))


def _where(
    program: Program, moving: tf.Tensor, new: tf.Tensor, old: tf.Tensor
) -> tf.Tensor:
    """The new values of the networks that move.

    Not by a factor 0, which would turn an infinity into NaN. A single network takes
    part in every step.
    """
    return new if program.unbatched else tf.where(moving, new, old)
