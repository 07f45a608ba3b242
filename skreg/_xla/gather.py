"""The rows of a step, gathered within the compiled function."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from skreg._xla.loops import while_loop
from skreg._xla.pieces import LayerSlice
from skreg._xla.program import Program


def training_rows(
    program: Program,
    slices: list[LayerSlice],
    inputs: dict[str, Any],
    plan: dict[str, Any],
    t: tf.Tensor,
) -> tuple[Any, tf.Tensor, tf.Tensor]:
    """X, targets and weights of step t, see `skreg._xla.batches.training_batches`.

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

    The weights are 0 where a row pads the batch. X may also be `SharedRows`.
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
        targets = _dense_rows(plan, t, rows, slices[-1].n_out)
    else:
        targets = tf.gather(inputs["targets"], rows)
    if "entries" in plan:
        return _sparse_rows(plan, t, rows, slices[0].n_in), targets
    return tf.gather(inputs["X"], tf.gather(inputs["numbers"], rows)), targets


class SharedRows(NamedTuple):
    """Sparse matrices (B, n_in), one per network, of which several may be the same."""

    entries: dict[str, tf.Tensor]
    steps: tf.Tensor  # (K,), of the entries: where each network's are
    shape: tf.Tensor

    def times(self, weights: tf.Tensor) -> tf.Tensor:
        """Products (K, B, n_out) with weights (K, n_in, n_out)."""
        n_networks = tf.size(self.steps)
        shape = tf.stack([tf.cast(self.shape[0], tf.int32), tf.shape(weights)[2]])
        products = tf.raw_ops.TensorListReserve(
            element_shape=shape, num_elements=n_networks, element_dtype=weights.dtype
        )
        _, products = while_loop(
            lambda variables, constants: variables[0] < tf.size(constants[0].steps),
            _product_of_network,
            (tf.constant(0), products),
            (self, weights),
            xla=False,  # which sparse rows do not use
        )
        return tf.raw_ops.TensorListStack(
            input_handle=products, element_shape=shape, element_dtype=weights.dtype
        )


def _product_of_network(variables: Any, constants: Any) -> tuple[tf.Tensor, tf.Tensor]:
    k, products = variables
    rows, weights = constants
    entries = _entries_of_step(rows.entries, rows.steps[k])
    matrix = tf.SparseTensor(*entries, rows.shape)
    product = tf.sparse.sparse_dense_matmul(matrix, weights[k])
    products = tf.raw_ops.TensorListSetItem(
        input_handle=products, index=k, item=product
    )
    return k + 1, products


def _sparse_rows(
    plan: dict[str, Any], t: tf.Tensor, rows: tf.Tensor, n_in: Any
) -> tf.SparseTensor | SharedRows:
    """X of a step: one matrix for all networks, or several that they share."""
    if rows.shape.rank == 1:
        shape = tf.stack([tf.size(rows), n_in])
    elif "sets" in plan:
        steps = t * _n_sets(plan) + plan["sets"]
        shape = tf.stack([tf.shape(rows)[1], n_in])
        return SharedRows(plan["entries"], steps, tf.cast(shape, tf.int64))
    else:
        shape = tf.stack([tf.size(rows), tf.shape(rows)[0] * n_in])
    entries = _entries_of_step(plan["entries"], t)
    return tf.SparseTensor(*entries, tf.cast(shape, tf.int64))


def _dense_rows(
    plan: dict[str, Any], t: tf.Tensor, rows: tf.Tensor, n_outputs: Any
) -> tf.Tensor:
    """Sparse targets of a step, with their zeros, as (K, B, n)."""
    shares = rows.shape.rank == 2 and "sets" in plan
    n_rows = _n_sets(plan) * tf.shape(rows)[1] if shares else tf.size(rows)
    at, values = _entries_of_step(plan["target_entries"], t)
    shape = tf.cast(tf.stack([n_rows, n_outputs]), at.dtype)
    dense = tf.scatter_nd(at, values, shape)
    if shares:
        of_sets = tf.reshape(dense, (-1, tf.shape(rows)[1], n_outputs))
        return tf.gather(of_sets, plan["sets"])
    return tf.reshape(dense, tf.concat([tf.shape(rows), [n_outputs]], axis=0))


def _n_sets(plan: dict[str, Any]) -> tf.Tensor:
    return tf.reduce_max(plan["sets"]) + 1


def _entries_of_step(
    entries: dict[str, tf.Tensor], t: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """See `skreg._xla.batches.entries`."""
    start, stop = tf.unstack(entries["starts"][t : t + 2], num=2)
    return entries["at"][start:stop], entries["values"][start:stop]
