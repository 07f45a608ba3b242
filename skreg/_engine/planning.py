"""Whether to use XLA, and how many steps one call of the compiled function takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from scipy import sparse

from skreg._engine.batches import padded_size
from skreg._engine.program import Program
from skreg._engine.stacked import Data

# XLA saves some 80 microseconds per step, or a third of a long one, and takes half a
# second longer to compile, anew for every set of shapes; without it one function serves
# all shapes. So it pays where there are many steps. The rule looks at one network
# alone, so that K of them compute what one computes.
XLA_STEPS = 500
# Without XLA, as many parameters are quicker updated by one thread than by two.
SINGLE_THREADED_PARAMS = 1 << 16
# A call should last a second at most, so that an interrupt is noticed. The estimate:
# a fixed cost per step, and a rate that two cores reach in float64; without XLA, the
# update of a parameter takes as long as that many operations.
STEP_SECONDS = 6e-5
FLOPS_PER_SECOND = 4e10
FLOPS_PER_PARAMETER = 200
CALL_SECONDS = 0.7
MAX_STEPS_PER_CALL = 8192
# Steps to which XLA's arrays are padded at least: see `padded_size`. Fewer where each
# epoch is a call of its own, and all of them pay for the padding.
MIN_PADDED_STEPS = 1024
MIN_PADDED_STEPS_PER_EPOCH = 64
# Bytes that a call may take along: of row numbers, weights and dropout noise, and of
# the entries of sparse rows and targets.
CALL_BYTES = 1 << 26


class Calling(NamedTuple):
    """How the compiled function is called.

    `n_steps` is what a call takes at most, `n_slots` to how many its arrays are padded.
    """

    n_steps: int
    n_slots: int


def xla_pays(data: Data, n_steps: int) -> bool:
    """Whether XLA is worth its compiling, for so many steps."""
    return n_steps >= XLA_STEPS and not _sparse_arrays(data)


def plan_calls(
    program: Program,
    data: Data,
    batch_size: int,
    steps_per_epoch: int,
    epochs: int,
    n_networks: int,
) -> Calling:
    """Decide how to call the compiled function for such a training."""
    X: Any = data.X
    largest, *others = (n_in * n_out for n_in, n_out in program.layers)
    if sparse.issparse(X):
        largest *= X.nnz / X.shape[0] / X.shape[1]
    row_bytes = 4 + data.weight.itemsize
    for rows in _sparse_arrays(data):
        row_bytes += rows.nnz / rows.shape[0] * (16 + rows.dtype.itemsize)
    flops = 6 * batch_size * (largest + sum(others))
    if not program.xla:
        flops += FLOPS_PER_PARAMETER * program.n_params
    seconds = STEP_SECONDS + n_networks * flops / FLOPS_PER_SECOND
    step_bytes = n_networks * batch_size * row_bytes
    if program.dropout:
        step_bytes += 4 * batch_size * program.n_hidden_units
    most = min(
        MAX_STEPS_PER_CALL, int(CALL_SECONDS / seconds), int(CALL_BYTES / step_bytes)
    )
    most = max(1, most)
    n_steps = n_slots = min(most, steps_per_epoch * epochs)
    if program.xla:
        least = MIN_PADDED_STEPS if epochs > 1 else MIN_PADDED_STEPS_PER_EPOCH
        n_slots = padded_size(n_steps, min(least, most))
    return Calling(n_steps, n_slots)


def _sparse_arrays(data: Data) -> list[Any]:
    return [rows for rows in (data.X, data.targets) if sparse.issparse(rows)]
