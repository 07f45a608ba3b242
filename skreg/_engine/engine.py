"""The compiled engine: trains K networks of one shape at once, arrays in, arrays out.

All epochs run inside one compiled function, see `skreg._engine.program`, called again
only so that no call lasts longer than about a second. What is here makes its arrays,
with those of `skreg._engine.batches`, and reads its figures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from scipy import sparse

from skreg._engine.batches import (
    calls,
    dropout_noise,
    pad_rows,
    padded_size,
    training_batches,
    validation_batches,
)
from skreg._engine.program import (
    FINITE,
    PENALTY,
    RAN,
    ROWS,
    VAL_LOSS,
    VAL_SCORE,
    State,
    compiled,
)

# XLA saves some 80 microseconds a step, or a third of a long one, and takes half a
# second longer to compile, anew for every set of shapes; without it one program serves
# all shapes. So it pays where there are many steps. The rule looks at one network
# alone, so that K of them compute what one computes.
XLA_STEPS = 500
# A call should last a second at most, so that an interrupt is heard. The estimate:
# a fixed cost a step, and a rate that two cores reach in float64; without XLA, the
# update of a parameter takes as long as that many operations.
STEP_SECONDS = 6e-5
FLOPS_PER_SECOND = 4e10
FLOPS_PER_PARAMETER = 200
CALL_SECONDS = 0.7
MOST_STEPS_PER_CALL = 8192
# XLA's arrays are padded to so many bytes of X and steps at least: see `padded_size`.
LEAST_BYTES = 1 << 21
LEAST_STEPS = 1024
# Large X are not padded, which would be to copy them.
MOST_PADDED_BYTES = 1 << 26
# Bytes that a call may take along of dropout noise, and of sparse rows.
CALL_BYTES = 1 << 26


@dataclass(frozen=True)
class Networks:
    """K networks before training, and what regularizes each.

    Attributes
    ----------
    kernels : list of ndarray of shape (K, n_in, n_out)
    biases : list of ndarray of shape (K, n_out)
    l1, l2 : ndarray of shape (K, n_layers)
        Strengths of the penalties.
    rates : ndarray of shape (K, n_layers - 1)
        Dropout rates.
    hyper : dict of str to ndarray of shape (K,)
        The optimizer's hyperparameters.
    patience : ndarray of shape (K,), int
    tol : ndarray of shape (K,)
        For early stopping.
    resumed : tuple of (step, slots) or None
        What the optimizer had come to, where a training goes on: steps (K,), and a
        list of arrays (K, n_parameters).
    """

    kernels: list
    biases: list
    l1: np.ndarray
    l2: np.ndarray
    rates: np.ndarray
    hyper: dict
    patience: np.ndarray
    tol: np.ndarray
    resumed: tuple | None

    def __len__(self):
        return len(self.l1)


@dataclass(frozen=True)
class Data:
    """The rows of all networks, one below the other, and who uses which.

    Attributes
    ----------
    X : ndarray, or a SciPy matrix or array in CSR format, (n_rows, n_features)
    targets : ndarray of shape (n_rows, n_outputs)
    weight : ndarray of shape (n_rows,)
        Row weights in the loss, mean 1 over each network's rows.
    score_weight : ndarray of shape (n_rows, n)
        What the program's score asks of a row.
    order : callable
        ``order(epoch)``, the epoch counted from 0, gives a list of K integer arrays:
        the rows that each network visits, in that order.
    validation : list of K ndarray of int, or None
        The rows that each network is validated on.
    """

    X: np.ndarray | sparse.csr_array | sparse.csr_matrix
    targets: np.ndarray
    weight: np.ndarray
    score_weight: np.ndarray
    order: Callable
    validation: list | None


@dataclass(frozen=True)
class Result:
    """One trained network.

    `failed_epoch` is that of non-finite weights, or 0; `resume` is what `Networks`
    takes as `resumed`, of this network alone.
    """

    kernels: list
    biases: list
    history: dict
    best_epoch: int
    failed_epoch: int
    resume: tuple
    interrupted: bool


def train(
    program,
    networks,
    data,
    batch_size,
    epochs,
    noise_seed,
    *,
    first_epoch=0,
    report=None,
    interruptible=False,
    dry=False,
):
    """Train K networks.

    Parameters
    ----------
    program : Program
    networks : Networks
    data : Data
    batch_size : int
        Of all networks.
    epochs : int
        Fewer are run where all networks have stopped.
    noise_seed : int
        Determines the dropout noise, of which one is drawn a step, for all networks:
        it is compared with the rate of each.
    first_epoch : int, default=0
        Epochs that were run before, and used up their share of the noise.
    report : callable, default=None
        ``report(epoch, log)`` after every epoch, counted from 1, with a dict of
        arrays of shape (K,).
    interruptible : bool, default=False
        Whether a `KeyboardInterrupt` ends the training, with what was learned until
        then, once there is an epoch.
    dry : bool, default=False
        Compile only, so that the next call on arrays of such sizes starts at once.

    Returns
    -------
    list of Result
        None for a dry run.
    """
    n_steps = max(math.ceil(len(rows) / batch_size) for rows in data.order(0))
    xla, per_call, n_slots = _plan(
        program, data.X, batch_size, n_steps, epochs, len(networks)
    )
    program = replace(program, xla=xla, lone=len(networks) == 1 and not xla)
    if dry and not xla:  # then there is one program for all sizes
        return None
    inputs = _fixed_inputs(networks, data, program, xla)
    state = _initial_state(networks, program, active=not dry)
    history = _History(len(networks), data.validation is not None, report)
    interrupted, at_epoch_end = False, state
    try:
        for segments in calls(epochs, n_steps, per_call):
            plan = training_batches(segments, data, batch_size, n_steps, n_slots)
            if program.dropout:
                shape = batch_size, program.n_units
                of_noise = [(first_epoch + e, *steps) for e, *steps in segments]
                plan["noise"] = dropout_noise(of_noise, shape, noise_seed, n_slots)
            plan = tf.nest.map_structure(tf.convert_to_tensor, plan)
            run = compiled(program, inputs, plan, state)
            state, figures = run(inputs, plan, state)
            history.extend(segments, figures.numpy(), n_steps)
            if segments[-1][-1] == n_steps:
                at_epoch_end = state
            if not state.active.numpy().any():
                break
    except KeyboardInterrupt:
        if not (interruptible and history.logs):
            raise
        interrupted, state = True, at_epoch_end
    return None if dry else _results(program, state, history, interrupted)


def _plan(program, X, batch_size, n_steps, epochs, n_networks):
    """Whether to use XLA, how many steps a call takes, and to how many it is padded."""
    wide, *others = (n_in * n_out for n_in, n_out in program.layers)
    entry_bytes = 0
    if sparse.issparse(X):
        per_row = X.nnz / X.shape[0]
        wide *= per_row / X.shape[1]
        entry_bytes = n_networks * batch_size * per_row * (16 + X.dtype.itemsize)
    flops = 6 * batch_size * (wide + sum(others))
    total = n_steps * epochs
    xla = total >= XLA_STEPS and not sparse.issparse(X)
    if not xla:
        flops += FLOPS_PER_PARAMETER * program.n_params
    seconds = STEP_SECONDS + n_networks * flops / FLOPS_PER_SECOND
    most = min(MOST_STEPS_PER_CALL, int(CALL_SECONDS / seconds))
    step_bytes = entry_bytes
    if program.dropout:
        step_bytes += 4 * batch_size * program.n_units
    if step_bytes:
        most = min(most, int(CALL_BYTES // step_bytes))
    most = max(1, most)
    per_call = min(most, total)
    n_slots = padded_size(per_call, min(LEAST_STEPS, most)) if xla else per_call
    return xla, per_call, n_slots


def _fixed_inputs(networks, data, program, xla):
    """What all calls share, as arrays."""
    dtype = program.dtype
    inputs = {
        "layers": np.asarray(program.layers, np.int32),
        "rest": np.column_stack([data.targets, data.weight, data.score_weight]),
        "l1": _strengths(networks.l1, program),
        "l2": _strengths(networks.l2, program),
        "ones": np.ones((program.n_params, 1), dtype),
        **_dropout(networks.rates, program),
        "hyper": {k: v.astype(dtype)[:, np.newaxis] for k, v in networks.hyper.items()},
        "patience": networks.patience.astype(np.int32),
        "tol": networks.tol.astype(dtype),
    }
    if not sparse.issparse(data.X):  # else a call brings the entries of its rows
        inputs["X"] = data.X
    if xla and data.X.nbytes <= MOST_PADDED_BYTES:
        n_rows = padded_size(len(data.X), LEAST_BYTES // data.X[0].nbytes)
        for name in ("X", "rest"):
            inputs[name] = pad_rows(inputs[name], n_rows)
    if data.validation is not None:
        inputs["validation"] = validation_batches(data, xla)
    return tf.nest.map_structure(tf.convert_to_tensor, inputs)


def _dropout(rates, program):
    """Noise in [0, 2**32) that keeps a unit, and its share, (n_hidden, K, 1, 1).

    A lone network's are of shape (n_hidden, 1, 1).
    """
    rates = rates.T[..., np.newaxis, np.newaxis]
    if program.lone:
        rates = rates[:, 0]
    least = np.minimum(np.round(rates * 2**32), 2**32 - 1).astype(np.uint32)
    return {"least_kept": least, "kept_share": (1 - rates).astype(program.dtype)}


def _strengths(strengths, program):
    """Strengths (K, n_layers) as those of the parameters, of which biases have 0.

    With XLA a list of arrays (K, n_in + 1, 1), one for the rows of each kernel; else
    an array (K, P).
    """
    rows = []
    for strength, (n_in, _) in zip(strengths.T, program.layers, strict=True):
        rows.append(np.zeros((len(strength), n_in + 1, 1), program.dtype))
        rows[-1][:, :-1] = strength[:, np.newaxis, np.newaxis]
    if program.xla:
        return rows
    widths = [n_out for _, n_out in program.layers]
    repeated = [
        np.repeat(of_rows[..., 0], width, axis=1)
        for of_rows, width in zip(rows, widths, strict=True)
    ]
    return np.concatenate(repeated, axis=1)


def _initial_state(networks, program, active):
    n = len(networks)
    parts = []
    for kernel, bias in zip(networks.kernels, networks.biases, strict=True):
        parts += [kernel.reshape(n, -1), bias.reshape(n, -1)]
    params = tf.constant(np.concatenate(parts, axis=1))
    step, slots = np.zeros(n, program.dtype), [tf.zeros_like(params)]
    slots *= program.rule.n_slots
    if networks.resumed is not None:
        step, slots = networks.resumed
    return State(
        params=params,
        slots=tuple(map(tf.convert_to_tensor, slots)),
        step=tf.convert_to_tensor(step),
        active=tf.fill([n], active),
        best_params=params if program.stopping else tf.zeros((n, 0), program.dtype),
        best_loss=tf.fill([n], tf.constant(math.inf, program.dtype)),
        best_epoch=tf.zeros(n, tf.int32),
        wait=tf.zeros(n, tf.int32),
    )


class _History:
    """The figures of all networks, an entry an epoch."""

    def __init__(self, n_networks, validates, report):
        self._validates = validates
        self._report = report
        self._sums = np.zeros((n_networks, 3))
        self.logs = []  # a dict of arrays (K,) for each epoch
        self.ran = []
        self.finite = []

    def extend(self, segments, figures, n_steps):
        """Take in the figures of a call; what it did not reach any more is 0."""
        for (epoch, _, last), columns in zip(segments, figures, strict=False):
            self._sums += columns[:, ROWS : PENALTY + 1]
            if last < n_steps or not columns[:, RAN].any():
                continue
            self._end_epoch(epoch, columns)

    def _end_epoch(self, epoch, columns):
        n = np.maximum(self._sums[:, 0], 1)
        log = {"data_loss": self._sums[:, 1] / n, "penalty": self._sums[:, 2] / n}
        log = {"loss": log["data_loss"] + log["penalty"], **log}
        if self._validates:
            log["val_loss"] = columns[:, VAL_LOSS]
            log["val_score"] = columns[:, VAL_SCORE]
        self._sums = np.zeros_like(self._sums)
        self.logs.append(log)
        self.ran.append(columns[:, RAN] > 0)
        self.finite.append(columns[:, FINITE] > 0)
        if self._report is not None:
            self._report(epoch + 1, log)

    def of(self, k):
        """History of network k, and the epoch of non-finite weights or 0."""
        epochs = [e for e, ran in enumerate(self.ran) if ran[k]]
        history = {
            name: [float(self.logs[e][name][k]) for e in epochs]
            for name in self.logs[0]
        }
        failed = [e + 1 for e in epochs if not self.finite[e][k]]
        return history, failed[0] if failed else 0


def _results(program, state, history, interrupted):
    """Weights out of the state, one `Result` a network."""
    step, slots = state.step.numpy(), [slot.numpy() for slot in state.slots]
    params = (state.best_params if program.stopping else state.params).numpy()
    results = []
    for k in range(len(params)):
        past, failed_epoch = history.of(k)
        kernels, biases, start = [], [], 0
        for n_in, n_out in program.layers:
            stop = start + n_in * n_out
            kernels.append(params[k, start:stop].reshape(n_in, n_out).copy())
            biases.append(params[k, stop : stop + n_out].copy())
            start = stop + n_out
        best = int(state.best_epoch[k]) if program.stopping else len(past["loss"])
        resume = step[k : k + 1], [slot[k : k + 1] for slot in slots]
        results.append(
            Result(kernels, biases, past, best, failed_epoch, resume, interrupted)
        )
    return results
