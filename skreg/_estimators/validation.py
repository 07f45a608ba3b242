"""Sample weights: validation, and the scale that the objective asks for."""

from numbers import Real

import numpy as np
from sklearn.utils import check_array


def check_weights(weights, n_rows, name):
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
            f"{name} must have one weight a row, shape ({n_rows},), "
            f"got shape {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must be non-negative, got {weights.min()}.")
    if not weights.any():
        raise ValueError(f"{name} must not be zero for all rows.")
    return weights


def mean_one(weights, dtype):
    """Weights scaled to mean 1."""
    return (weights / weights.mean()).astype(dtype)
