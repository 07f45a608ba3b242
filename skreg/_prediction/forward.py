"""From a fitted network's weights and rows to its logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skreg._prediction.activations import activate

# Rows pushed forward at once: bounds the memory of the layers between.
CHUNK = 2048
# Multiplications that OpenBLAS, in all versions, leaves to the thread that calls. For a
# larger product it wakes others, which wait in a busy loop for some 30 ms afterwards:
# they would slow down whatever follows, in a search the training of networks.
SINGLE_THREADED_PRODUCT = 1 << 18
# Rows of a piece of such a product: fewer take longer together than threads would save.
MIN_PIECE = 16
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
    n_rows = X.shape[0]
    product = _product_in_pieces if n_rows <= CHUNK else np.matmul
    logits = np.empty((n_rows, biases[-1].shape[0]), kernels[0].dtype)
    for start in range(0, n_rows, CHUNK):
        h = X[start : start + CHUNK]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            z = h @ kernel if issparse(h) else product(h, kernel)
            z += bias
            h = activate(activation, z)
        out = logits[start : start + CHUNK]
        if issparse(h):
            out[...] = h @ kernels[-1]
        else:
            product(h, kernels[-1], out=out)
        out += biases[-1]
    return logits


def _product_in_pieces(rows, kernel, out=None):
    """Product of few rows with a kernel; of a small kernel without other threads."""
    n_rows, (n_in, n_out) = len(rows), kernel.shape
    n_piece = SINGLE_THREADED_PRODUCT // kernel.size
    if not MIN_PIECE <= n_piece < n_rows:
        return np.matmul(rows, kernel, out=out)
    if out is None:
        out = np.empty((n_rows, n_out), kernel.dtype)
    n_whole = n_rows - n_rows % n_piece
    pieces = rows[:n_whole].reshape(-1, n_piece, n_in)
    np.matmul(pieces, kernel, out=out[:n_whole].reshape(-1, n_piece, n_out))
    np.matmul(rows[n_whole:], kernel, out=out[n_whole:])
    return out


def check_finite(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return a network's outputs, or raise a ValueError if they have overflowed."""
    if not np.isfinite(outputs).all():
        raise ValueError(
            "The network's outputs are non-finite (NaN or infinity): its weights or "
            f"the entries of X are too large. {REMEDY}, and fit again."
        )
    return outputs
