"""From a fitted network's weights and rows to its logits."""

from operator import matmul
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

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


def forward(kernels, biases, activation, X):
    """Logits of a network, by NumPy: a call into Keras costs milliseconds.

    Parameters
    ----------
    kernels, biases : list of ndarray
        Of shapes (n_in, n_out) and (n_out,).
    activation : callable
        The hidden layers' activation, as in `skreg._prediction.activations`.
    X : ndarray or SciPy CSR of shape (n_rows, n_features)
        In the dtype of the weights.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Not finite where it overflows.
    """
    logits = np.empty((X.shape[0], biases[-1].shape[0]), kernels[0].dtype)
    start = 0
    for chunk in forward_in_chunks(kernels, biases, activation, X):
        logits[start : start + len(chunk)] = chunk
        start += len(chunk)
    return logits


def forward_in_chunks(kernels, biases, activation, X):
    """Iterate over the logits of a chunk of the rows after the other; see `forward`."""
    product = _product_in_pieces if X.shape[0] <= CHUNK else matmul
    for start in range(0, X.shape[0], CHUNK):
        chunk = X[start : start + CHUNK]
        yield _logits(kernels, biases, activation, chunk, product)


@np.errstate(over="ignore", invalid="ignore")
def _logits(kernels, biases, activation, h, product):
    *hidden, (output_kernel, output_bias) = zip(kernels, biases, strict=True)
    for kernel, bias in hidden:
        z = product(h, kernel)
        z += bias
        h = activation(z)
    logits = product(h, output_kernel)
    logits += output_bias
    return logits


def _product_in_pieces(rows, kernel):
    """Product of few rows with a kernel; of a small kernel without other threads."""
    n_rows, (n_in, n_out) = rows.shape[0], kernel.shape
    n_piece = SINGLE_THREADED_PRODUCT // kernel.size
    if issparse(rows) or not MIN_PIECE <= n_piece < n_rows:
        return rows @ kernel
    product = np.empty((n_rows, n_out), kernel.dtype)
    n_whole = n_rows - n_rows % n_piece
    pieces = rows[:n_whole].reshape(-1, n_piece, n_in)
    np.matmul(pieces, kernel, out=product[:n_whole].reshape(-1, n_piece, n_out))
    np.matmul(rows[n_whole:], kernel, out=product[n_whole:])
    return product


def check_finite(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return a network's outputs, or raise a ValueError if they have overflowed."""
    if not np.isfinite(outputs).all():
        raise ValueError(
            "The network's outputs are non-finite (NaN or infinity): its weights or "
            f"the entries of X are too large. {REMEDY}, and fit again."
        )
    return outputs
