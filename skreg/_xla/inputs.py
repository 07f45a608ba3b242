"""What goes into the compiled function: networks and rows, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy import sparse

from skreg._xla.batches import pad_rows, padded_size, validation_batches
from skreg._xla.pages import LARGE, shareable
from skreg._xla.pieces import cut_flat, of_networks
from skreg._xla.program import Kept, Program, State, carried_of
from skreg._xla.stacked import Data, Networks

# Bytes of X to which XLA's arrays are padded at least: see `padded_size`. Large arrays
# are not padded, which would be to copy them.
MIN_PADDED_BYTES = 1 << 21
MAX_PADDED_BYTES = 1 << 24


def fixed_inputs(
    networks: Networks, data: Data, program: Program, most_rows: tuple[int, int]
) -> dict[str, Any]:
    """The tensors that all calls share.

    With XLA, X and the rows are padded as so many would be, if they are fewer.
    """
    dtype = program.dtype
    with np.errstate(over="ignore"):  # to clip at infinity is not to clip
        hyper = {name: v.astype(dtype) for name, v in networks.hyper.items()}
        twice_l2 = _strengths(2 * networks.l2, program)
    inputs: dict[str, Any] = {
        "layers": np.asarray(program.layers, np.int32),
        "weights": np.column_stack([data.weight, data.score_weight]),
        "twice_l2": twice_l2,
        **dropout_inputs(networks.dropout, program),
        "hyper": {name: of_networks(program, v) for name, v in hyper.items()},
        "ema_momentum": of_networks(program, networks.ema_momentum.astype(dtype)),
        "patience": networks.patience.astype(np.int32),
        "tol": networks.tol.astype(dtype),
    }
    if program.dropout and program.xla:  # without it, noise is hashed before a call
        inputs["noise_keys"] = networks.noise_keys[:, np.newaxis, np.newaxis]
    if program.l1:
        inputs["l1"] = _strengths(networks.l1, program)
    if program.group_l1:
        inputs["group_l1"] = of_rows(networks.group_l1, program.layers[0][0], dtype)
    # Of what is sparse, a call brings the entries of its rows.
    if not sparse.issparse(data.X):
        inputs["X"], inputs["numbers"] = data.X, data.numbers
    if not sparse.issparse(data.targets):
        inputs["targets"] = data.targets
    if program.xla:
        least = MIN_PADDED_BYTES // data.X[0].nbytes
        most_in_X, most = most_rows
        inputs["X"] = _padded(inputs["X"], least, most_in_X)
        for name in ("numbers", "targets", "weights"):
            inputs[name] = _padded(inputs[name], least, most)
    if data.validation is not None:
        inputs["validation"] = validation_batches(data, data.validation, program)
    return tf.nest.map_structure(as_tensor, inputs)


def _padded(array: NDArray[Any], least: int, most: int) -> NDArray[Any]:
    """The array, or a padded copy, as others that have `most` rows or fewer."""
    row_bytes = array[0].nbytes
    n_rows = len(array)
    if most * row_bytes <= MAX_PADDED_BYTES:
        n_rows = max(n_rows, most)
    if n_rows * row_bytes > MAX_PADDED_BYTES:
        return array
    return pad_rows(array, padded_size(n_rows, least))


def as_tensor(array: NDArray[Any]) -> tf.Tensor:
    """An array as a tensor, in the same memory if it is large and shareable."""
    if array.nbytes < LARGE:
        return tf.convert_to_tensor(array)
    return tf.experimental.dlpack.from_dlpack(shareable(array).__dlpack__())


def dropout_inputs(rates: NDArray[Any], program: Program) -> dict[str, NDArray[Any]]:
    """Noise in [0, 2**32) that keeps a unit, and its share, (n_hidden, K, 1, 1).

    In the unbatched variant of shape (n_hidden, 1, 1).
    """
    rates = rates.T[..., np.newaxis, np.newaxis]
    if program.unbatched:
        rates = rates[:, 0]
    least_kept = np.minimum(np.round(rates * 2**32), 2**32 - 1).astype(np.uint32)
    return {"least_kept": least_kept, "kept_share": (1 - rates).astype(program.dtype)}


def _strengths(of_layers: NDArray[Any], program: Program) -> list[NDArray[Any]]:
    """Strengths (K, n_layers) as those of the pieces, in which biases have 0.

    With XLA (K, n_in + 1, 1) for each layer, as a strength for each parameter would be
    another array of their size to read; without it (K, P).
    """
    layers, dtype = program.layers, program.dtype
    if not program.xla:
        return [of_params(of_layers, layers, dtype)]
    pairs = zip(of_layers.T, layers, strict=True)
    return [of_rows(strengths, n_in, dtype) for strengths, (n_in, _) in pairs]


def of_params(
    of_layers: NDArray[Any], layers: Sequence[tuple[int, int]], dtype: str
) -> NDArray[Any]:
    """Strengths (K, n_layers) of the parameters (K, P), of which biases have 0."""
    parts = []
    for strengths, (n_in, n_out) in zip(of_layers.T, layers, strict=True):
        parts.append(np.repeat(strengths[:, np.newaxis], n_in * n_out, axis=1))
        parts.append(np.zeros((len(strengths), n_out)))
    return np.concatenate(parts, axis=1).astype(dtype)


def of_rows(strengths: NDArray[Any], n_in: int, dtype: str) -> NDArray[Any]:
    """Strengths (K,) of a kernel's rows, (K, n_in + 1, 1), of which biases have 0."""
    rows = np.zeros((len(strengths), n_in + 1, 1), dtype)
    rows[:, :-1] = strengths[:, np.newaxis, np.newaxis]
    return rows


def initial_state(networks: Networks, program: Program, active: bool) -> State:
    """What training starts from; nothing is trained where not `active`."""
    n = len(networks)
    parts = []
    for kernel, bias in zip(networks.kernels, networks.biases, strict=True):
        parts += [kernel.reshape(n, -1), bias.reshape(n, -1)]
    flat = np.concatenate(parts, axis=1)
    cut = partial(cut_flat, program)
    weights = params = cut(flat)
    arrays = networks.optimizer_arrays
    n_in, n_out = program.layers[0]
    mean_gradient = np.zeros((n, n_in + 1, n_out) if program.group_l1 else 0)
    if arrays is None or (program.group_l1 and "mean_gradient" not in arrays):
        step = tf.zeros(n, program.dtype)
        slots = [_initial_slot(name, networks, flat) for name in program.rule.slots]
    else:
        step = tf.convert_to_tensor(arrays["step"])
        slots = [arrays[name] for name in program.rule.slots]
        if program.group_l1:
            mean_gradient = arrays["mean_gradient"].reshape(mean_gradient.shape)
        if program.averaging and "iterate" in arrays:
            params = cut(arrays["iterate"])
    mean_gradient = tf.constant(mean_gradient, program.dtype)
    wait = tf.convert_to_tensor(networks.wait.astype(np.int32))
    state = State(
        params=params,
        average=weights if program.averaging else (),
        slots=tuple(map(cut, slots)),
        mean_gradient=(mean_gradient,) if program.group_l1 else (),
        step=step,
        active=tf.fill([n], active),
        wait=wait,
        best_loss=tf.convert_to_tensor(networks.best_loss.astype(program.dtype)),
        best_epoch=tf.zeros(n, tf.int32),
        kept=Kept(weights if program.early_stopping else (), (), step, wait),
    )
    if program.keeps_slots:
        kept = state.kept._replace(carried=carried_of(program, state))
        state = state._replace(kept=kept)
    return state


def _initial_slot(name: str, networks: Networks, params: NDArray[Any]) -> NDArray[Any]:
    """A slot (K, P) of the optimizer, see `UpdateRule`."""
    value = networks.hyper.get(f"initial_{name}", np.zeros(len(networks)))
    return np.ones_like(params) * value.astype(params.dtype)[:, np.newaxis]
