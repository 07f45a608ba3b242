"""The steps of a training, in machine code.

The network is one vector of parameters, layer after layer, each layer's kernel (n_in,
n_out) before its bias. Read `_steps` from top to bottom: a step gathers the rows of a
batch, pushes them forward, takes the loss and its gradient back through the layers,
adds the penalties, and lets the optimizer move the weights. Products are BLAS', by
`numpy.dot`, which Numba passes to SciPy's library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int32, int64, types, uint32
from numba.extending import register_jitable
from numpy.typing import NDArray

from skreg._engine.compiling import FLOATS, compile_loop, matrix, once, vector
from skreg._engine.hidden_layers import hidden_layer_type
from skreg._engine.losses import loss_type
from skreg._engine.penalties import proximal_type, smooth_type
from skreg._engine.update_rules import update_type


@register_jitable
def _gather(table: Any, rows: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy rows of a table, see `table_type`, to `out`."""
    dense, data, indices, starts = table
    if starts.size == 0:
        for i in range(rows.size):
            for j in range(dense.shape[1]):
                out[i, j] = dense[rows[i], j]
        return
    out[: rows.size] = 0
    for i in range(rows.size):
        for e in range(starts[rows[i]], starts[rows[i] + 1]):
            out[i, indices[e]] += data[e]


@register_jitable
def _factor(i: Any, j: Any, dropout: Any) -> Any:
    """What dropout multiplies column j of row i of a batch by."""
    key, dropped, scale, n_columns = dropout
    bits = _mixed(key, uint32(i * n_columns + j))
    return scale if bits >= dropped else scale * 0


@register_jitable
def _drop_columns(X: NDArray[Any], dropout: Any) -> None:
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            X[i, j] *= _factor(i, j, dropout)


@register_jitable
def _sparse_product(
    table: Any,
    rows: NDArray[Any],
    dropout: Any,
    kernel: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """The product of rows in CSR format with a kernel."""
    _, data, indices, starts = table
    drops = dropout[1] > 0
    out[:] = 0
    for i in range(rows.size):
        for e in range(starts[rows[i]], starts[rows[i] + 1]):
            column, value = indices[e], data[e]
            if drops:
                value *= _factor(i, column, dropout)
            for j in range(kernel.shape[1]):
                out[i, j] += value * kernel[column, j]


@register_jitable
def _sparse_gradient(
    table: Any, rows: NDArray[Any], dropout: Any, delta: NDArray[Any], out: NDArray[Any]
) -> None:
    """The product of the transpose of rows in CSR format with `delta`."""
    _, data, indices, starts = table
    drops = dropout[1] > 0
    out[:] = 0
    for i in range(rows.size):
        for e in range(starts[rows[i]], starts[rows[i] + 1]):
            column, value = indices[e], data[e]
            if drops:
                value *= _factor(i, column, dropout)
            for j in range(delta.shape[1]):
                out[column, j] += value * delta[i, j]


@register_jitable
def _column_sums(matrix: NDArray[Any], out: NDArray[Any]) -> None:
    out[:] = 0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[j] += matrix[i, j]


@register_jitable
def _multiply(matrix: NDArray[Any], factors: NDArray[Any]) -> None:
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            matrix[i, j] *= factors[i, j]


@register_jitable
def _part(flat: NDArray[Any], start: Any, n_rows: Any, n_columns: Any) -> NDArray[Any]:
    """A matrix in a vector."""
    return flat[start : start + n_rows * n_columns].reshape((n_rows, n_columns))


@register_jitable
def _mixed(key: Any, number: Any) -> Any:
    """A key for each number, which tells nothing of the keys for others."""
    h = uint32(key ^ uint32(uint32(number) * uint32(0x9E3779B9)))
    h = uint32(uint32(h ^ uint32(h >> uint32(16))) * uint32(0x85EBCA6B))
    h = uint32(uint32(h ^ uint32(h >> uint32(13))) * uint32(0xC2B2AE35))
    return uint32(h ^ uint32(h >> uint32(16)))


@register_jitable
def _update_average(
    average: NDArray[Any], params: NDArray[Any], momentum: Any, proximal: Any
) -> None:
    """Move the average of the weights towards them.

    A weight that a proximal operator made zero is zero in the average, too, which would
    forget only slowly that it had not been.
    """
    for i in range(params.size):
        w = params[i]
        moved = w + momentum * (average[i] - w)
        average[i] = w if proximal and w == 0 else moved


@register_jitable
def _all_finite(params: NDArray[Any]) -> bool:
    total = params.dtype.type(0)
    for w in params:
        total += w * 0  # NaN, unless w is finite
    return total == 0


def _steps(
    features: Any,
    targets: Any,
    rows: Any,
    network: Any,
    regularization: Any,
    constants: Any,
    span: Any,
    figures: Any,
    q: Any,
    hidden: Any,
    loss: Any,
    smooth: Any,
    update: Any,
    proximal: Any,
) -> int:
    """Take steps; see `steps`."""
    numbers, weights, orders = rows
    sizes, params, average, slots, mean_gradient = network
    l1, l2, group_l1, dropout, input_dropout, ema_momentum = regularization
    first, batch_size, done, first_epoch, seed, clipping, limit = span
    n_layers = sizes.size - 1
    n_rows = orders.shape[1]
    steps_per_epoch = -(-n_rows // batch_size)
    is_sparse = features[3].size > 0
    is_proximal = group_l1 > 0 or l1.any()
    bounds = np.zeros(2 * n_layers + 1, np.int64)
    for k in range(n_layers):
        bounds[2 * k + 1] = bounds[2 * k] + sizes[k] * sizes[k + 1]
        bounds[2 * k + 2] = bounds[2 * k + 1] + sizes[k + 1]
    n_units = sizes[1:].sum()

    dropped = uint32(min(input_dropout * 2.0**32, 2.0**32 - 1))
    scale = params.dtype.type(1 / (1 - input_dropout))

    gradients = np.empty_like(params)
    denominators = np.empty(params.size if is_proximal else 0, params.dtype)
    norms = np.empty(sizes[0] if group_l1 > 0 else 0, params.dtype)
    X = np.empty((0 if is_sparse else batch_size, sizes[0]), params.dtype)
    y = np.empty((batch_size, targets[0].shape[1]), params.dtype)
    w = np.empty(batch_size, params.dtype)
    table_rows = np.empty(batch_size, np.int64)
    # These hold all layers, one after the other: outputs, their slopes, gradients.
    outputs = np.empty(batch_size * n_units, params.dtype)
    slopes = np.empty(batch_size * n_units, params.dtype)
    deltas = np.empty(batch_size * n_units, params.dtype)

    for t in range(constants.shape[0]):
        epoch, i = divmod(first + t, steps_per_epoch)
        batch = orders[epoch, i * batch_size : min((i + 1) * batch_size, n_rows)]
        n = batch.size

        # 1. The rows of the batch.
        for j in range(n):
            table_rows[j] = numbers[batch[j]]
            w[j] = weights[batch[j]]
        key = _mixed(_mixed(seed, first_epoch + epoch), i)
        input_noise = _mixed(key, n_layers), dropped, scale, sizes[0]
        if not is_sparse:
            _gather(features, table_rows[:n], X)
            if dropped > 0:
                _drop_columns(X[:n], input_noise)
        _gather(targets, batch, y)

        # 2. Forward.
        start = 0
        for k in range(n_layers):
            n_in, n_out = sizes[k], sizes[k + 1]
            kernel = _part(params, bounds[2 * k], n_in, n_out)
            bias = params[bounds[2 * k + 1] : bounds[2 * k + 2]]
            z = _part(outputs, start, n, n_out)
            if k > 0:
                h = _part(outputs, start - batch_size * n_in, n, n_in)
                np.dot(h, kernel, z)
            elif is_sparse:
                _sparse_product(features, table_rows[:n], input_noise, kernel, z)
            else:
                np.dot(X[:n], kernel, z)
            if k < n_layers - 1:
                slope = _part(slopes, start, n, n_out)
                hidden(z, bias, slope, dropout[k], _mixed(key, k), _mixed(seed, k))
                start += batch_size * n_out

        # 3. The loss; its gradient in the logits takes their place.
        delta = z
        data_loss = loss(delta, bias, y[:n], w[:n], q)

        # 4. Backward.
        for k in range(n_layers - 1, -1, -1):
            n_in, n_out = sizes[k], sizes[k + 1]
            kernel_gradient = _part(gradients, bounds[2 * k], n_in, n_out)
            _column_sums(delta, gradients[bounds[2 * k + 1] : bounds[2 * k + 2]])
            if k > 0:
                start -= batch_size * n_in
                h = _part(outputs, start, n, n_in)
                np.dot(h.T, delta, kernel_gradient)
                kernel = _part(params, bounds[2 * k], n_in, n_out)
                below = _part(deltas, start, n, n_in)
                np.dot(delta, kernel.T, below)
                _multiply(below, _part(slopes, start, n, n_in))
                delta = below
            elif is_sparse:
                _sparse_gradient(
                    features, table_rows[:n], input_noise, delta, kernel_gradient
                )
            else:
                np.dot(X[:n].T, delta, kernel_gradient)

        # 5. The penalties, the optimizer's step, and what follows it.
        penalty = smooth(params, gradients, sizes, l1, l2, group_l1, norms)
        update(
            params,
            gradients,
            denominators,
            slots,
            bounds,
            clipping,
            limit,
            constants[t],
        )
        step = done + t + 1
        if is_proximal:
            proximal(
                params,
                gradients,
                denominators,
                sizes,
                l1,
                group_l1,
                constants[t, 1],
                step,
                norms,
                mean_gradient,
            )
        if ema_momentum > 0:
            # At first the average covers few steps, so that it does not lag behind.
            momentum = params.dtype.type(min(ema_momentum, (1 + step) / (10 + step)))
            _update_average(average, params, momentum, is_proximal)

        figures[epoch, 0] += n
        figures[epoch, 1] += n * data_loss
        figures[epoch, 2] += n * penalty
        if i == steps_per_epoch - 1 and not _all_finite(params):
            return -(t + 1)
    return constants.shape[0]


def table_type(f: Any) -> Any:
    """Rows, dense or CSR: a matrix without rows, or an empty vector of starts."""
    return types.Tuple(
        (
            matrix(f, readonly=True),
            vector(f, readonly=True),
            vector(int32, readonly=True),
            vector(int64, readonly=True),
        )
    )


@once
def steps(dtype: str) -> Any:
    """Compile the loop over the steps of a training.

    Returns
    -------
    callable
        ``steps(features, targets, rows, network, regularization, constants, span,
        figures, q, hidden, loss, smooth, update, proximal)`` takes as many steps as
        `constants` has rows, or ends with the first epoch that leaves weights that are
        not finite; it returns how many, then negative. The arguments are tuples:

        - features, targets: tables, see `table_type`, of the dtype
        - rows: ``numbers`` (n_rows,), which row of `features` each row is; ``weights``
          (n_rows,); ``orders`` (n_epochs, n_rows), the rows in the order of their visit
        - network: ``sizes`` (n_layers + 1,); ``params`` (n_params,); ``average``, of
          that shape; ``slots`` (n_slots, n_params); ``mean_gradient``, of the shape of
          the first kernel. What does not apply is empty
        - regularization: strengths ``l1``, ``l2`` (n_layers,), ``group_l1``; rates
          ``dropout`` (n_layers - 1,), ``input_dropout``; ``ema_momentum``
        - span: ``first``, the number of the first step from the first epoch of
          `orders`; ``batch_size``; ``done``, how many steps the optimizer has taken;
          ``first_epoch``, the number of that epoch; ``seed`` of the dropout noise;
          ``clipping`` and its ``limit``
        - constants (n_steps, 7), of the update rule
        - figures (n_epochs, 3): the steps add numbers of rows, and data losses and
          penalties times those
        - q: the parameter of the loss

        and pointers to what `hidden_layer`, `loss`, `smooth_part`, `update` and
        `proximal_step` return.
    """
    f = FLOATS[dtype]
    network = (vector(int64), vector(f), vector(f), matrix(f), matrix(f))
    regularization = (
        *(vector(float64),) * 2,
        float64,
        vector(float64),
        *(float64,) * 2,
    )
    span = (*(int64,) * 4, uint32, int64, float64)
    functions = (
        hidden_layer_type(f),
        loss_type(f),
        smooth_type(f),
        update_type(f),
        proximal_type(f),
    )
    signature = int64(
        table_type(f),
        table_type(f),
        types.Tuple(
            (
                vector(int64, readonly=True),
                vector(f, readonly=True),
                matrix(int64),
            )
        ),
        types.Tuple(network),
        types.Tuple(regularization),
        matrix(f, readonly=True),
        types.Tuple(span),
        matrix(float64),
        float64,
        *map(types.FunctionType, functions),
    )
    return compile_loop(signature, _steps)
