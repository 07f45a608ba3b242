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
    targets: tf.Tensor  # (K, B, n_outputs)
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
    n_outputs = slices[-1].n_out
    columns = tf.gather(inputs["targets_and_weights"], rows)
    weights = tf.where(valid[..., tf.newaxis], columns[..., n_outputs:], 0)
    if "entries" in plan:
        n_columns = tf.size(counts) * slices[0].n_in
        X = _sparse_rows(plan["entries"], t, tf.size(rows), n_columns)
    else:
        X = tf.gather(inputs["X"], rows)
    return Batch(counts, X, columns[..., :n_outputs], weights[..., 0], weights[..., 1:])


def _sparse_rows(
    entries: dict[str, tf.Tensor], t: tf.Tensor, n_rows: Any, n_columns: Any
) -> tf.SparseTensor:
    """The matrix of a step, see `skreg._engine.batches.entries`."""
    start, stop = tf.unstack(entries["starts"][t : t + 2], num=2)
    shape = tf.cast(tf.stack([n_rows, n_columns]), tf.int64)
    return tf.SparseTensor(
        entries["at"][start:stop], entries["values"][start:stop], shape
    )
