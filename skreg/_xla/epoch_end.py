"""The end of an epoch in the compiled function: checks, validation, early stopping."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from skreg._xla.gather import validation_rows
from skreg._xla.layers import forward
from skreg._xla.loops import while_loop
from skreg._xla.pieces import LayerSlice, kernels_of, select
from skreg._xla.program import (
    Kept,
    Pieces,
    Program,
    State,
    carried_of,
    weights_of,
)


def end_epoch(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    state: State,
    ends: tf.Tensor,
    epoch: tf.Tensor,
) -> tuple[State, tuple[tf.Tensor, ...]]:
    """Check, validate and perhaps stop, if an epoch ends here.

    Returns the state and the figures (K,) of whether the weights are finite, of the
    validation loss and of the score.
    """
    finite = _all_finite(state.params)
    val_loss = val_score = tf.zeros_like(state.step)
    if "validation" in inputs:
        val_loss, val_score = _validate(program, slices, inputs, state, ends)
    if program.early_stopping:
        state = _consider_stopping(program, inputs, state, val_loss, ends, epoch)
    # A network that diverged goes on to the end of its epoch, where it is reported.
    state = state._replace(active=state.active & (finite | ~ends))
    return state, (tf.cast(finite, program.dtype), val_loss, val_score)


def _all_finite(pieces: Pieces) -> tf.Tensor:
    """Of each network (K,)."""
    finite = [
        tf.reduce_all(tf.math.is_finite(piece), axis=range(1, piece.shape.rank))
        for piece in pieces
    ]
    return tf.reduce_all(tf.stack(finite), axis=0)


def _validate(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    state: State,
    ends: tf.Tensor,
) -> list[tf.Tensor]:
    """Mean loss and score of each network over its validation rows."""
    plan = inputs["validation"]
    kernels = kernels_of(program, slices, weights_of(program, state))
    no_sums = tf.zeros((tf.shape(state.step)[0], 2), program.dtype)
    n_batches = tf.where(ends, tf.shape(plan["rows"])[0], 0)

    def one_batch(variables: Any, constants: Any) -> tuple[tf.Tensor, tf.Tensor]:
        c, sums = variables
        slices, inputs, kernels, _ = constants
        X, targets, weight, score_weight = validation_rows(program, slices, inputs, c)
        logits = forward(program.activation, kernels, X).logits
        losses = weight * program.row_losses(targets, logits)
        scores = program.score(targets, logits, score_weight)
        return c + 1, sums + tf.reduce_sum(tf.stack([losses, scores], -1), axis=-2)

    _, sums = while_loop(
        lambda variables, constants: variables[0] < constants[-1],
        one_batch,
        (tf.constant(0), no_sums),
        (slices, inputs, kernels, n_batches),
        xla=program.xla,
    )
    n_rows = tf.cast(tf.reduce_sum(plan["counts"], axis=0), program.dtype)
    return tf.unstack(sums / n_rows[:, tf.newaxis], num=2, axis=1)


def _consider_stopping(
    program: Program,
    inputs: dict[str, Any],
    state: State,
    val_loss: tf.Tensor,
    ends: tf.Tensor,
    epoch: tf.Tensor,
) -> State:
    """Keep the best epoch; two thresholds, as in the Keras loop."""
    counts = state.active & ends
    progress = val_loss <= state.best_loss - inputs["tol"]
    wait = tf.where(progress, 0, state.wait + 1)
    undefined = ~tf.math.is_finite(state.best_loss)
    better = counts & ((val_loss < state.best_loss) | undefined)
    keep = partial(select, better)
    carried = carried_of(program, state) if program.keeps_slots else ()
    now = Kept(weights_of(program, state), carried, state.step, wait)
    return state._replace(
        active=state.active & ~(counts & (wait >= inputs["patience"])),
        wait=tf.where(counts, wait, state.wait),
        best_loss=keep(val_loss, state.best_loss),
        best_epoch=keep(epoch, state.best_epoch),
        kept=tf.nest.map_structure(keep, now, state.kept),
    )
