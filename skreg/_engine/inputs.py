"""What goes into the compiled function: networks and rows, as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy import sparse

from skreg._engine.batches import pad_rows, padded_size, validation_batches
from skreg._engine.program import Kept, Program, State
from skreg._engine.stacked import Data, Networks

# Bytes of X to which XLA's arrays are padded at least: see `padded_size`. Large arrays
# are not padded, which would be to copy them.
MIN_PADDED_BYTES = 1 << 21
MAX_PADDED_BYTES = 1 << 26


def fixed_inputs(networks: Networks, data: Data, program: Program) -> dict[str, Any]:
    """The tensors that all calls share."""
    dtype = program.dtype
    inputs: dict[str, Any] = {
        "layers": np.asarray(program.layers, np.int32),
        "weights": np.column_stack([data.weight, data.score_weight]),
        "strengths": _strengths(networks, program),
        "ones": np.ones((program.n_params, 1), dtype),
        **dropout_inputs(networks.dropout, program),
        "hyper": {k: v.astype(dtype)[:, np.newaxis] for k, v in networks.hyper.items()},
        "patience": networks.patience.astype(np.int32),
        "tol": networks.tol.astype(dtype),
    }
    for name, rows in {"X": data.X, "targets": data.targets}.items():
        if not sparse.issparse(rows):  # otherwise a call brings the entries of its rows
            inputs[name] = rows
    if program.xla and max(data.X.nbytes, data.targets.nbytes) <= MAX_PADDED_BYTES:
        n_rows = padded_size(len(data.X), MIN_PADDED_BYTES // data.X[0].nbytes)
        for name in ("X", "targets", "weights"):
            inputs[name] = pad_rows(inputs[name], n_rows)
    if data.validation is not None:
        inputs["validation"] = validation_batches(data, data.validation, program)
    return tf.nest.map_structure(tf.convert_to_tensor, inputs)


def dropout_inputs(rates: NDArray[Any], program: Program) -> dict[str, NDArray[Any]]:
    """Noise in [0, 2**32) that keeps a unit, and its share, (n_hidden, K, 1, 1).

    In the unbatched variant of shape (n_hidden, 1, 1).
    """
    rates = rates.T[..., np.newaxis, np.newaxis]
    if program.unbatched:
        rates = rates[:, 0]
    least_kept = np.minimum(np.round(rates * 2**32), 2**32 - 1).astype(np.uint32)
    return {"least_kept": least_kept, "kept_share": (1 - rates).astype(program.dtype)}


def _strengths(networks: Networks, program: Program) -> list[Any]:
    """Strengths as those of the parameters, of which biases have 0.

    With XLA a list of pairs (l1, l2), one per layer, each (K, n_in + 1, 1); without it
    one pair of arrays (K, P).
    """
    layers = []
    for i, (n_in, _) in enumerate(program.layers):
        pair = []
        for strength in (networks.l1[:, i], networks.l2[:, i]):
            of_rows = np.zeros((len(networks), n_in + 1, 1), program.dtype)
            of_rows[:, :-1] = strength[:, np.newaxis, np.newaxis]
            pair.append(of_rows)
        layers.append(pair)
    if program.xla:
        return layers
    widths = [n_out for _, n_out in program.layers]
    return [
        np.concatenate(
            [
                np.repeat(pair[which][..., 0], width, axis=1)
                for pair, width in zip(layers, widths, strict=True)
            ],
            axis=1,
        )
        for which in (0, 1)
    ]


def initial_state(networks: Networks, program: Program, active: bool) -> State:
    """What training starts from; nothing is trained where not `active`."""
    n = len(networks)
    parts = []
    for kernel, bias in zip(networks.kernels, networks.biases, strict=True):
        parts += [kernel.reshape(n, -1), bias.reshape(n, -1)]
    params = tf.constant(np.concatenate(parts, axis=1))
    arrays = networks.optimizer_arrays
    if arrays is None:
        step = tf.zeros(n, program.dtype)
        slots = [tf.zeros_like(params)] * len(program.rule.slots)
    else:
        step = tf.convert_to_tensor(arrays["step"])
        slots = [tf.convert_to_tensor(arrays[name]) for name in program.rule.slots]
    wait = tf.convert_to_tensor(networks.wait.astype(np.int32))
    return State(
        params=params,
        slots=tuple(slots),
        step=step,
        active=tf.fill([n], active),
        wait=wait,
        best_loss=tf.convert_to_tensor(networks.best_loss.astype(program.dtype)),
        best_epoch=tf.zeros(n, tf.int32),
        kept=Kept(
            params=params if program.early_stopping else params[:, :0],
            slots=tuple(slots) if program.keeps_slots else (),
            step=step,
            wait=wait,
        ),
    )
