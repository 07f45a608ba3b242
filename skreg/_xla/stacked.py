"""K networks and their rows, stacked: what the engine is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._xla.schedules import Schedule


@dataclass(frozen=True)
class Networks:
    """K networks before training, and what regularizes each.

    Attributes
    ----------
    kernels : list of ndarray of shape (K, n_in, n_out)
    biases : list of ndarray of shape (K, n_out)
    l1, l2 : ndarray of shape (K, n_layers)
        Strengths of the penalties.
    group_l1 : ndarray of shape (K,)
        Strength of the penalty on the rows of the first kernel.
    dropout : ndarray of shape (K, n_layers - 1)
        Dropout rates.
    hyper : dict of str to ndarray of shape (K,)
        The optimizer's hyperparameters.
    schedules : list of K callable, or None
        Where learning rates are scheduled, each network's, see
        `skreg._xla.schedules.LearningRates`.
    ema_momentum : ndarray of shape (K,)
        Of the average of the weights; 0 is none.
    noise_keys : ndarray of shape (K,), uint32
        Each determines the dropout noise of a network, see `skreg._xla.noise`.
    patience : ndarray of shape (K,), int
    tol : ndarray of shape (K,)
        For early stopping.
    best_loss : ndarray of shape (K,)
        Validation loss that an epoch has to beat for its weights to be kept; infinity
        where the weights before training are not to be kept.
    wait : ndarray of shape (K,), int
        Epochs in a row without progress that a training goes on from.
    optimizer_arrays : dict of str to ndarray or None
        Where a training goes on, what the optimizer had accumulated: ``step`` (K,), and
        what `Program.carried` names, (K, n_parameters).
    """

    kernels: list[NDArray[Any]]
    biases: list[NDArray[Any]]
    l1: NDArray[Any]
    l2: NDArray[Any]
    group_l1: NDArray[Any]
    dropout: NDArray[Any]
    hyper: dict[str, NDArray[Any]]
    schedules: list[Schedule] | None
    ema_momentum: NDArray[Any]
    noise_keys: NDArray[np.uint32]
    patience: NDArray[Any]
    tol: NDArray[Any]
    best_loss: NDArray[Any]
    wait: NDArray[Any]
    optimizer_arrays: dict[str, NDArray[Any]] | None

    def __len__(self) -> int:
        return len(self.l1)


@dataclass(frozen=True)
class Data:
    """The rows of all networks, one below the other, and who uses which.

    Attributes
    ----------
    X : ndarray, or a SciPy matrix or array in CSR format, (n_in_X, n_features)
    numbers : ndarray of shape (n_rows,), int32
        Which row of X each row is: the folds of a search share one X, not targets,
        which a fold may encode or scale in a way of its own.
    targets : ndarray, or a SciPy array in CSR format, of shape (n_rows, n)
        As the program's losses take them.
    weight : ndarray of shape (n_rows,)
        Row weights in the loss, mean 1 over each network's rows.
    score_weight : ndarray of shape (n_rows, n)
        What the program's score asks of a row.
    order : callable
        ``order(epoch)``, the epoch counted from 0, gives a list of K integer arrays:
        the rows that each network visits, in that order.
    validation : list of K ndarray of int, or None
        The rows that each network is validated on. Networks of the same rows share
        the array, or else sparse rows are copied for each.
    """

    X: NDArray[Any] | sparse.csr_array | sparse.csr_matrix
    numbers: NDArray[np.int32]
    targets: NDArray[Any] | sparse.csr_array
    weight: NDArray[Any]
    score_weight: NDArray[Any]
    order: Callable[[int], list[NDArray[np.integer]]]
    validation: list[NDArray[np.integer]] | None
