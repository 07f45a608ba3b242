"""What each step of the compiled engine sees: its rows, and where epochs end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._xla.pages import zeros
from skreg._xla.stacked import Data

if TYPE_CHECKING:
    from skreg._xla.program import Program

Segment: TypeAlias = tuple[int, int, int]  # epoch, first step, last step

# Validation rows pushed through the networks at once, and what they take in the widest
# layer: both bound the memory.
MAX_VALIDATION_BATCH = 1024
VALIDATION_BYTES = 1 << 26


def calls(
    epochs: int, n_steps: int, per_call: Callable[[], int]
) -> Iterator[list[Segment]]:
    """Segments of each call, of ``per_call()`` steps at most.

    Whole epochs where they fit, else parts of one.
    """
    epoch = first = 0
    while epoch < epochs:
        most = per_call()
        if first == 0 and n_steps <= most:
            stop = min(epoch + most // n_steps, epochs)
            yield [(e, 0, n_steps) for e in range(epoch, stop)]
            epoch = stop
        else:
            last = min(first + most, n_steps)
            yield [(epoch, first, last)]
            epoch, first = (epoch + 1, 0) if last == n_steps else (epoch, last)


def padded_size(n: int, least: int) -> int:
    """The size to which XLA's arrays are padded, since it compiles for each anew.

    A power of two, and not below a size that costs nothing: so the folds of a search,
    and the final fit on all rows, share a program.
    """
    return max(1 << (int(n) - 1).bit_length(), least)


def pad_rows(array: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """Append rows of zeros."""
    if len(array) == n_rows:
        return array
    padded = zeros((n_rows, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded


def in_batches(
    rows: NDArray[np.integer], n_batches: int, batch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row numbers (n_batches, batch_size), padded, and how many of each count."""
    padded = np.full(n_batches * batch_size, rows[0], np.int32)
    padded[: len(rows)] = rows
    counts = np.clip(len(rows) - np.arange(n_batches) * batch_size, 0, batch_size)
    return padded.reshape(n_batches, batch_size), counts.astype(np.int32)


def training_batches(
    segments: list[Segment],
    data: Data,
    batch_size: int,
    n_steps: int,
    n_slots: int,
    *,
    unbatched: bool,
) -> dict[str, Any]:
    """The batches of a call: which rows, and their weights; where its epochs end.

    Parameters
    ----------
    segments : list of Segment
    data : Data
    batch_size : int
    n_steps : int
        In an epoch.
    n_slots : int
        Steps to which the arrays are padded.
    unbatched : bool
        Whether ``rows`` and ``weight`` go without the axis K.

    Returns
    -------
    dict of str to ndarray
        ``rows`` (n_slots, K, batch_size); ``weight``, of that shape, what each row
        weighs in the mean over its batch, 0 where it only pads that; ``n_rows``
        (n_slots, K); ``bounds`` (n_slots, 4), ``n_segments``; for sparse rows also
        ``entries``, for sparse targets ``target_entries``.
    """
    shape = n_slots, len(data.order(segments[0][0])), batch_size
    rows, weight = zeros(shape, np.int32), zeros(shape, data.weight.dtype)
    n_rows = zeros(shape[:2], data.weight.dtype)
    bounds: list[tuple[int, int, bool, int]] = []
    stop = 0
    for epoch, first, last in segments:
        # Networks of the same rows and order share one array.
        batches: dict[int, Any] = {}
        for visited in (orders := data.order(epoch)):
            if id(visited) not in batches:
                batches[id(visited)] = in_batches(visited, n_steps, batch_size)
        start, stop = stop, stop + last - first
        for k, visited in enumerate(orders):
            of_steps, counts = batches[id(visited)]
            rows[start:stop, k] = of_steps[first:last]
            n_rows[start:stop, k] = counts[first:last]
        bounds.append((start, stop, last == n_steps, epoch + 1))
    used, n_used = rows[:stop], n_rows[:stop, :, np.newaxis]
    # All numbers are valid, and "raise" would take a copy of the result.
    np.take(data.weight, used, out=weight[:stop], mode="clip")
    weight[:stop] /= np.maximum(n_used, 1)
    weight[:stop][np.arange(batch_size) >= n_used] = 0
    plan: dict[str, Any] = {
        "rows": rows[:, 0] if unbatched else rows,
        "weight": weight[:, 0] if unbatched else weight,
        "n_rows": n_rows,
        "bounds": pad_rows(np.asarray(bounds, np.int32), n_slots),
        "n_segments": np.int32(len(segments)),
    }
    if sparse.issparse(data.X):
        plan["entries"] = entries(data.X, data.numbers[used], block_diagonal=True)
    if sparse.issparse(data.targets):
        plan["target_entries"] = entries(data.targets, used)
    return plan


def validation_batches(
    data: Data, validation: list[NDArray[np.integer]], program: Program
) -> dict[str, Any]:
    """The batches to validate on.

    Parameters
    ----------
    data : Data
    validation : list of K ndarray of int
        That of the data.
    program : Program

    Returns
    -------
    dict of str to ndarray
        ``rows`` (C, K, V), and ``counts`` (C, K), how many of a batch do not pad it.
        Of what is sparse, ``entries`` and ``target_entries``, only once for networks
        that share their rows, which make a set: ``sets`` (K,) says which.
    """
    most = max(map(len, validation))
    batch_size = min(
        _validation_batch(data, program, len(validation)),
        padded_size(most, 1) if program.xla else most,
    )
    chunks = math.ceil(most / batch_size)
    if program.xla:
        chunks = padded_size(chunks, 1)
    batches = [in_batches(rows, chunks, batch_size) for rows in validation]
    rows = np.stack([b[0] for b in batches], 1)
    plan: dict[str, Any] = {
        "rows": rows,
        "counts": np.stack([b[1] for b in batches], 1),
    }
    _, first, sets = np.unique(
        list(map(id, validation)), return_index=True, return_inverse=True
    )
    of_sets = rows[:, first]
    if sparse.issparse(data.X):  # a matrix for each set of each batch
        plan["entries"] = entries(
            data.X, data.numbers[of_sets].reshape(-1, 1, batch_size)
        )
        plan["sets"] = sets.astype(np.int32)
    if sparse.issparse(data.targets):  # one for each batch
        plan["target_entries"] = entries(data.targets, of_sets)
        plan["sets"] = sets.astype(np.int32)
    return plan


def _validation_batch(data: Data, program: Program, n_networks: int) -> int:
    """Rows to validate on at once: a power of two, as XLA's arrays are padded."""
    widths = [n_out for _, n_out in program.layers]
    if not sparse.issparse(data.X):
        widths.append(data.X.shape[1])
    row_bytes = n_networks * max(widths) * data.weight.itemsize
    fitting = max(1, VALIDATION_BYTES // row_bytes)
    return min(MAX_VALIDATION_BATCH, 1 << (fitting.bit_length() - 1))


def entries(
    X: Any, rows: NDArray[np.integer], *, block_diagonal: bool = False
) -> dict[str, NDArray[Any]]:
    """The entries of sparse rows, batch after batch.

    The rows of the K networks of a step make one matrix: one below the other, or
    block-diagonal, for the kernels of all networks one below the other.

    Parameters
    ----------
    X : csr_array or csr_matrix of shape (n_rows, n_columns)
    rows : ndarray of shape (n_steps, K, batch_size), int
    block_diagonal : bool

    Returns
    -------
    dict of str to ndarray
        ``at`` (n_entries, 2): row and column in the matrix of a step; ``values``
        (n_entries,); ``starts`` (n_steps + 1,): where each step's begin.
    """
    _, n_networks, batch_size = rows.shape
    chosen = X[rows.ravel()]
    per_step = n_networks * batch_size
    row = np.arange(chosen.shape[0]) % per_step
    at = np.empty((chosen.nnz, 2), np.int64)
    at[:, 0] = np.repeat(row, np.diff(chosen.indptr))
    at[:, 1] = chosen.indices
    if block_diagonal and n_networks > 1:
        at[:, 1] += at[:, 0] // batch_size * X.shape[1]
    return {
        "at": at,
        "values": chosen.data,
        "starts": chosen.indptr[::per_step].astype(np.int64),
    }
