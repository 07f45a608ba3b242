"""From a fitted network's weights and rows to its logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skreg._prediction.activations import activate

# Rows pushed forward at once: bounds the memory of the layers between.
CHUNK = 2048
# What helps where weights or outputs are not finite.
REMEDY = (
    "Scale the features, for instance with StandardScaler in a Pipeline, or lower "
    "learning_rate"
)


@np.errstate(over="ignore", invalid="ignore")
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
        Not finite where it overflows.
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


def check_finite(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return a network's outputs, or raise a ValueError if they have overflowed."""
    if not np.isfinite(outputs).all():
        raise ValueError(
            "The network's outputs are non-finite (NaN or infinity): its weights or "
            f"the entries of X are too large. {REMEDY}, and fit again."
        )
    return outputs
