"""From a fitted network's weights and rows to its logits."""

import numpy as np
from scipy.sparse import issparse

from skreg._prediction.activations import activate

# Rows pushed forward at once: bounds the memory of the layers between.
CHUNK = 2048


def forward(kernels, biases, activation, X):
    """Logits of a network, by NumPy: a call into Keras costs milliseconds.

    Parameters
    ----------
    kernels, biases : list of ndarray
        Of shapes (n_in, n_out) and (n_out,).
    activation : str
        Keras name of the hidden layers' activation.
    X : ndarray or SciPy CSR of shape (n_rows, n_features)
        In the dtype of the weights.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
    """
    logits = np.empty((X.shape[0], biases[-1].shape[0]), kernels[0].dtype)
    for start in range(0, X.shape[0], CHUNK):
        h = X[start : start + CHUNK]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            z = h @ kernel
            z += bias
            h = activate(activation, z)
        out = logits[start : start + CHUNK]
        if issparse(h):
            out[...] = h @ kernels[-1]
        else:
            np.matmul(h, kernels[-1], out=out)
        out += biases[-1]
    return logits
