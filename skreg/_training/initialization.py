"""Weights before training: Glorot uniform kernels, biases of zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._training.task import INITIAL_WEIGHTS, Architecture


def initial_weights(
    architecture: Architecture, seed: int
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Draw the weights that training starts from.

    Drawn in float64 whatever the dtype, then cast: so rows in float32 and float64, and
    every backend and version of Keras, start from the same network.

    Parameters
    ----------
    architecture : Architecture
    seed : int

    Returns
    -------
    kernels : list of ndarray of shape (n_in, n_out)
        Uniform within ``sqrt(6 / (n_in + n_out))`` of zero [1]_.
    biases : list of ndarray of shape (n_out,)
        Zeros.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS 2010.
    """
    kernels, biases = [], []
    for i, (n_in, n_out) in enumerate(architecture.kernel_shapes):
        rng = np.random.default_rng([seed, INITIAL_WEIGHTS, i])
        limit = np.sqrt(6 / (n_in + n_out))
        kernel = rng.uniform(-limit, limit, (n_in, n_out))
        kernels.append(kernel.astype(architecture.dtype))
        biases.append(np.zeros(n_out, architecture.dtype))
    return kernels, biases
