"""Whether to use XLA, and how many steps one call of the compiled function takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg._xla.batches import padded_size
from skreg._xla.program import Program
from skreg._xla.stacked import Data

# XLA compiles anew for every set of shapes; without it one function serves all shapes.
# For a network alone, whose steps are short without it, too, it pays where it saves as
# much as compiling takes. Such a training counts for several: there are others of its
# kind in a cross-validation, and many in a search that fits one by one. Saved are, as
# measured, so many seconds of a step and a share of what its products take, at the rate
# below: within a factor of 2, for both dtypes and 16 to 256 units a layer.
XLA_COMPILE_SECONDS = 1.0
TRAININGS_OF_A_KIND = 16
XLA_SAVED_SECONDS = 2.5e-5
XLA_SAVED_SHARE = 0.2
# For several networks together it saves more than half of what they take without, and
# pays where there are many steps, of which long ones count for more, or where that is
# long: for a group, or for all groups of a search, each of which is called from Python.
XLA_GROUP_STEPS = 500
LONG_STEP_SECONDS = 2.4e-4
LONG_GROUP_SECONDS = 0.3
LONG_SEARCH_SECONDS = 1.5
# Without XLA, as many parameters are quicker updated by one thread than by two.
SINGLE_THREADED_PARAMS = 1 << 16
# A call should last a second at most, so that an interrupt is noticed. The estimate
# for the first calls: a fixed cost per step, and a rate that two cores reach in
# float64; without XLA, the update of a parameter takes as long as that many operations.
# Other processes, or groups, may take up the cores: hence fewer steps until a call has
# been timed. The first one may compile, and is no measure.
STEP_SECONDS = 6e-5
FLOPS_PER_SECOND = 4e10
FLOPS_PER_PARAMETER = 200
CALL_SECONDS = 0.7
UNTIMED_CALL_SECONDS = 0.2
MAX_STEPS_PER_CALL = 8192
# To choose between sizes of a group: what a group takes beside its steps, in Python,
# one group at a time; bytes that one core multiplies.
GROUP_SECONDS = 0.005
CORE_BYTES_PER_SECOND = 1.6e11
# Steps to which XLA's arrays are padded, whatever the number of epochs: so all
# trainings of such networks share a program. Fewer, at least, where each epoch is a
# call of its own, and all of them pay for the padding.
XLA_STEPS_PER_CALL = 1024
MIN_PADDED_STEPS_PER_EPOCH = 64
# Bytes that a call may take along: of row numbers, weights and dropout noise, and of
# the entries of sparse rows and targets.
CALL_BYTES = 1 << 26
# With XLA, whose arrays are padded: a short training pays for what it does not use.
XLA_CALL_BYTES = 1 << 24


class Calling(NamedTuple):
    """How the compiled function is called.

    `n_steps` is what a call takes until one has been timed, `n_slots` what it takes at
    most, and to how many its arrays are padded.
    """

    n_steps: int
    n_slots: int


class Pace:
    """How many steps a call may take.

    Attributes
    ----------
    n_steps : int
        Of the next call.
    """

    def __init__(self, calling: Calling) -> None:
        self.n_steps, self._most = calling
        self._compiled = False

    def timed(self, n_steps: int, seconds: float) -> None:
        """Take in how long the last call took for so many steps."""
        if self._compiled:
            fitting = int(n_steps * CALL_SECONDS / max(seconds, 1e-6))
            self.n_steps = min(max(1, fitting), self._most)
        self._compiled = True


def xla_pays(
    X: Any,
    targets: Any,
    layers: Sequence[tuple[int, int]],
    batch_size: int,
    n_steps: int,
    n_networks: int,
    network_steps: int,
) -> bool:
    """Whether XLA is worth its compiling, for so many steps.

    `network_steps` are those of all networks that the program is to train, in groups of
    `n_networks`.
    """
    if sparse.issparse(X) or sparse.issparse(targets):
        return False
    seconds = _step_flops(layers, batch_size) / FLOPS_PER_SECOND
    if n_networks == 1:
        saved = n_steps * (XLA_SAVED_SECONDS + XLA_SAVED_SHARE * seconds)
        return TRAININGS_OF_A_KIND * saved >= XLA_COMPILE_SECONDS
    weight = max(1.0, (STEP_SECONDS + seconds) / LONG_STEP_SECONDS)
    n_params = sum((n_in + 1) * n_out for n_in, n_out in layers)
    seconds += n_params * FLOPS_PER_PARAMETER / FLOPS_PER_SECOND
    return (
        n_steps * weight >= XLA_GROUP_STEPS
        or n_steps * n_networks * seconds >= LONG_GROUP_SECONDS
        or network_steps * seconds >= LONG_SEARCH_SECONDS
    )


def _step_flops(layers: Sequence[tuple[int, int]], batch_size: int) -> int:
    """Of the products of a network's step, forward and backward."""
    return 6 * batch_size * sum(n_in * n_out for n_in, n_out in layers)


def xla_seconds(
    layers: Sequence[tuple[int, int]],
    dtype: str,
    batch_size: int,
    n_steps: int,
    n_networks: int,
) -> float:
    """About how long one core trains so many networks together, once compiled."""
    flops = _step_flops(layers, batch_size)
    rate = CORE_BYTES_PER_SECOND / np.dtype(dtype).itemsize
    return n_steps * (STEP_SECONDS + n_networks * flops / rate)


def plan_calls(
    program: Program,
    data: Data,
    batch_size: int,
    steps_per_epoch: int,
    epochs: int,
    n_networks: int,
    n_noises: int = 1,
) -> Calling:
    """Decide how to call the compiled function for such a training."""
    X: Any = data.X
    largest, *others = (n_in * n_out for n_in, n_out in program.layers)
    if sparse.issparse(X):
        largest *= X.nnz / X.shape[0] / X.shape[1]
    flops = 6 * batch_size * (largest + sum(others))
    if not program.xla:
        flops += FLOPS_PER_PARAMETER * program.n_params
    seconds = STEP_SECONDS + n_networks * flops / FLOPS_PER_SECOND
    row_bytes = 4 + data.weight.itemsize
    for rows in _sparse_arrays(data):
        row_bytes += rows.nnz / rows.shape[0] * (16 + rows.dtype.itemsize)
    step_bytes = n_networks * batch_size * row_bytes
    if program.dropout:
        step_bytes += 4 * n_noises * batch_size * program.n_hidden_units
    most = min(
        MAX_STEPS_PER_CALL, int(CALL_SECONDS / seconds), int(CALL_BYTES / step_bytes)
    )
    most = max(1, most)
    if program.xla:
        fitting = max(1, int(XLA_CALL_BYTES / step_bytes))
        n_slots = padded_size(min(most, fitting, XLA_STEPS_PER_CALL), 1)
        if epochs == 1:
            least = min(most, MIN_PADDED_STEPS_PER_EPOCH)
            n_slots = padded_size(min(most, steps_per_epoch), least)
    else:
        n_slots = min(most, steps_per_epoch * epochs)
    n_steps = max(1, int(UNTIMED_CALL_SECONDS / seconds))
    return Calling(min(n_steps, n_slots), n_slots)


def _sparse_arrays(data: Data) -> list[Any]:
    return [rows for rows in (data.X, data.targets) if sparse.issparse(rows)]
