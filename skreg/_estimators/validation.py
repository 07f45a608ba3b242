"""Rows that training and validation use: their weights, and which are held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from skreg._training.task import Rows


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or the missing value of pandas."""
    return value is None or type(value).__name__ == "NAType" or value != value


def are_dicts(values: Any) -> bool:
    """Whether these are dicts, at least one, in a sequence."""
    return (
        isinstance(values, Sequence)
        and len(values) > 0
        and all(isinstance(value, Mapping) for value in values)
    )


def as_numbers(y: Any, name: str) -> NDArray[np.float64]:
    """Targets as numbers, or an error that names them."""
    try:
        return np.asarray(y, np.float64)
    except ValueError as error:
        raise ValueError(f"{name} must have numbers only: {error}.") from None


def check_weights(weights: Any, n_rows: int, name: str) -> NDArray[np.float64]:
    """Validate sample weights.

    Parameters
    ----------
    weights : None, number or array-like of shape (n_rows,)
        None means 1 each, a number means that number each.
    n_rows : int
    name : str
        The argument's name, for errors.

    Returns
    -------
    ndarray of shape (n_rows,), dtype float64
        A new array.

    Raises
    ------
    ValueError
        If the shape is wrong, or if weights are negative, not finite, or all 0.
    """
    if weights is None or isinstance(weights, Real):
        weights = np.full(n_rows, 1.0 if weights is None else weights)
    dtype = np.asarray(weights).dtype
    if dtype.kind not in "biufO":
        raise ValueError(f"{name} must be numbers, got an array of {dtype}.")
    weights = check_array(
        weights,
        ensure_2d=False,
        dtype=np.float64,
        copy=True,
        input_name=name,
        ensure_min_samples=0,
    )
    if weights.shape != (n_rows,):
        raise ValueError(
            f"{name} must have one weight per row, shape ({n_rows},), "
            f"got shape {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must be non-negative, got {weights.min()}.")
    if not weights.any():
        raise ValueError(f"{name} must not be zero for all rows.")
    return weights


def mean_one(weights: NDArray[Any], dtype: np.dtype) -> NDArray[Any]:
    """Weights scaled to mean 1."""
    return (weights / weights.mean()).astype(dtype)


def drop_zero_weight_rows(
    X: Any,
    targets: NDArray[Any],
    sample_weight: NDArray[np.float64],
    class_factors: Callable[[NDArray[Any]], NDArray[np.float64]],
    name: str,
) -> Rows:
    """Rows with the weights for their loss and their score.

    Rows whose sample weight is 0 are left out. Those of a class whose factor is 0 stay:
    they weigh nothing in the loss, and count in the score.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_rows, n_features)
    targets : ndarray of shape (n_rows, n_outputs)
    sample_weight : ndarray of shape (n_rows,)
    class_factors : callable
        ``class_factors(targets)`` gives, for each row, what its class multiplies the
        weight of its loss by.
    name : str
        The name of the argument that `sample_weight` is, for errors.

    Raises
    ------
    ValueError
        If no row has a weight in the loss.
    """
    weight = sample_weight * class_factors(targets)
    rows = Rows(X, np.arange(X.shape[0]), targets, weight, sample_weight)
    if not rows.weight.any():
        raise ValueError(f"{name} times class_weight must not be zero for all rows.")
    counts = sample_weight > 0
    return rows if counts.all() else rows.take(counts)


def held_out_split(
    strata: NDArray[Any], fraction: float, seed: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Row numbers to train on and to validate on, stratified.

    Every stratum of two rows or more has one on each side at least, whatever the
    fraction, so that a class is neither unseen nor unchecked; the only row of a stratum
    is trained on. Where that takes rows that scikit-learn's split put on the other
    side, the share held out differs from the fraction by as many.
    """
    # Slow to import, and of no use to a process that predicts.
    from sklearn.model_selection import train_test_split

    _, stratum, counts = np.unique(strata, return_inverse=True, return_counts=True)
    single = counts[stratum] == 1
    rows = np.flatnonzero(~single)
    n_strata = int(np.count_nonzero(counts > 1))
    if not n_strata:
        raise ValueError(
            "early_stopping needs two rows or more, of one class for a classifier, to "
            "hold some out, got single rows only; give fit X_val and y_val instead."
        )
    n_held_out = int(np.ceil(fraction * len(strata)))
    n_held_out = min(max(n_held_out, n_strata), len(rows) - n_strata)
    kept, held_out = train_test_split(
        rows, test_size=n_held_out, random_state=seed, stratify=stratum[rows]
    )
    kept, held_out = _share_strata(kept, held_out, stratum)
    held_out, kept = _share_strata(held_out, kept, stratum)
    return np.concatenate([kept, np.flatnonzero(single)]), held_out


def _share_strata(
    giver: NDArray[np.integer], taker: NDArray[np.integer], stratum: NDArray[Any]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Move one row of each stratum of which the taker has none.

    Both come in random order, so the first row of a stratum is a random one.
    """
    absent = np.flatnonzero(~np.isin(stratum[giver], stratum[taker]))
    _, first = np.unique(stratum[giver[absent]], return_index=True)
    moved = absent[first]
    return np.delete(giver, moved), np.concatenate([taker, giver[moved]])
