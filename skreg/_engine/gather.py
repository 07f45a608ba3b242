"""The rows of a step, gathered within the compiled function."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from skreg._engine.program import LayerSlice, Program


class Batch(NamedTuple):
    """A step's rows; where they pad the batch, both weights are 0.

    In the unbatched variant all but the counts go without the axis K.
    """

    counts: tf.Tensor  # (K,), rows that are no padding
    X: tf.Tensor | tf.SparseTensor  # (K, B, n_in), or one matrix for all networks
    targets: tf.Tensor  # (K, B, n), as the losses take them
    weight: tf.Tensor  # (K, B)
    score_weight: tf.Tensor  # (K, B, n)


def gather_batch(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    t: tf.Tensor,
) -> Batch:
    """Gather the rows of step t of a plan, see `skreg._engine.batches`."""
    rows, counts = tf.gather(plan["rows"], t), tf.gather(plan["counts"], t)
    valid = tf.range(tf.shape(rows)[1]) < counts[:, tf.newaxis]
    if program.unbatched:
        rows, valid = tf.squeeze(rows, 0), tf.squeeze(valid, 0)
    if "target_entries" in plan:
        shape = tf.concat([tf.shape(rows), [slices[-1].n_out]], axis=0)
        targets = _dense_rows(plan["target_entries"], t, shape)
    else:
        targets = tf.gather(inputs["targets"], rows)
    weights = tf.gather(inputs["weights"], rows)
    weights = tf.where(valid[..., tf.newaxis], weights, 0)
    if "entries" in plan:
        n_columns = tf.size(counts) * slices[0].n_in
        X = _sparse_rows(plan["entries"], t, tf.size(rows), n_columns)
    else:
        X = tf.gather(inputs["X"], rows)
    return Batch(counts, X, targets, weights[..., 0], weights[..., 1:])


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
