"""Weights before training: Glorot uniform kernels, biases of zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._training.task import INITIAL_WEIGHTS, Task


def initial_weights(
    task: Task,
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Draw the weights that training starts from.

    Drawn in float64 whatever the dtype, then cast: so rows in float32 and float64, and
    every backend and version of Keras, start from the same network.

    Parameters
    ----------
    task : Task
        Says the shape, the seed, and which outputs start from 0.

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
    dtype = task.architecture.dtype
    kernels, biases = [], []
    for i, (n_in, n_out) in enumerate(task.architecture.kernel_shapes):
        rng = np.random.default_rng([task.seed, INITIAL_WEIGHTS, i])
        limit = np.sqrt(6 / (n_in + n_out))
        kernels.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype))
        biases.append(np.zeros(n_out, dtype))
    kernels[-1][:, list(task.constant_outputs)] = 0
    return kernels, biases
