"""The rows of a step, gathered within the compiled function."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from skreg._engine.program import LayerSlice, Program


def training_rows(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    t: tf.Tensor,
) -> tuple[Any, tf.Tensor, tf.Tensor]:
    """X, targets and weights of step t, see `skreg._engine.batches.training_batches`.

    X is of shape (K, B, n_in), or one sparse matrix for all networks, targets (K, B,
    n), as the losses take them, and weights (K, B): 0 where a row pads the batch, and
    otherwise divided by the rows that do not. Without the axis K where unbatched.
    """
    rows = tf.gather(plan["rows"], t)
    X, targets = _gather(slices, inputs, plan, t, rows)
    return X, targets, tf.gather(plan["weight"], t)


def validation_rows(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    t: tf.Tensor,
) -> tuple[Any, tf.Tensor, tf.Tensor, tf.Tensor]:
    """X, targets, weights and score weights (K, B, n) of a batch to validate on.

    The weights are 0 where a row pads the batch.
    """
    plan = inputs["validation"]
    rows, counts = tf.gather(plan["rows"], t), tf.gather(plan["counts"], t)
    valid = tf.range(tf.shape(rows)[1]) < counts[:, tf.newaxis]
    if program.unbatched:
        rows, valid = tf.squeeze(rows, 0), tf.squeeze(valid, 0)
    X, targets = _gather(slices, inputs, plan, t, rows)
    weights = tf.gather(inputs["weights"], rows)
    weights = tf.where(valid[..., tf.newaxis], weights, 0)
    return X, targets, weights[..., 0], weights[..., 1:]


def _gather(
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    t: tf.Tensor,
    rows: tf.Tensor,
) -> tuple[Any, tf.Tensor]:
    if "target_entries" in plan:
        shape = tf.concat([tf.shape(rows), [slices[-1].n_out]], axis=0)
        targets = _dense_rows(plan["target_entries"], t, shape)
    else:
        targets = tf.gather(inputs["targets"], rows)
    if "entries" in plan:
        n_networks = 1 if rows.shape.rank == 1 else tf.shape(rows)[0]
        n_columns = n_networks * slices[0].n_in
        return _sparse_rows(plan["entries"], t, tf.size(rows), n_columns), targets
    return tf.gather(inputs["X"], rows), targets


def _sparse_rows(
    entries: dict[str, tf.Tensor], t: tf.Tensor, n_rows: Any, n_columns: Any
) -> tf.SparseTensor:
    """The matrix of a step, see `skreg._engine.batches.entries`."""
    shape = tf.cast(tf.stack([n_rows, n_columns]), tf.int64)
    return tf.SparseTensor(*_entries_of_step(entries, t), shape)


def _dense_rows(
    entries: dict[str, tf.Tensor], t: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor:
    """The same of one matrix below the other, with zeros, as (K, B, n)."""
    at, values = _entries_of_step(entries, t)
    n_rows = tf.reduce_prod(shape[:-1])
    matrix_shape = tf.cast(tf.stack([n_rows, shape[-1]]), at.dtype)
    return tf.reshape(tf.scatter_nd(at, values, matrix_shape), shape)


def _entries_of_step(
    entries: dict[str, tf.Tensor], t: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    start, stop = tf.unstack(entries["starts"][t : t + 2], num=2)
    return entries["at"][start:stop], entries["values"][start:stop]
