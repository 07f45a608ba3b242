"""From a fitted network's weights and rows to its logits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg._prediction.activations import activate

# Rows pushed forward at once: bounds the memory of the layers between.
CHUNK = 2048


class Weights(NamedTuple):
    """A fitted network, as the forward pass takes it.

    Kernels are of shape (n_in, n_out), biases (n_out,); `activation` is the Keras name
    of that of the hidden layers.
    """

    kernels: list[NDArray[np.floating]]
    biases: list[NDArray[np.floating]]
    activation: str


def forward(networks, X):
    """Logits of networks, by NumPy: a call into Keras costs milliseconds.

    Parameters
    ----------
    networks : list of Weights
        All of the same dtype. Their first layers are one product.
    X : ndarray or SciPy CSR of shape (n_rows, n_features)
        In the dtype of the weights.

    Returns
    -------
    list of ndarray of shape (n_rows, n_outputs)
        One per network.
    """
    logits = [
        np.empty((X.shape[0], n.biases[-1].shape[0]), n.kernels[0].dtype)
        for n in networks
    ]
    first_kernel = networks[0].kernels[0]
    if len(networks) > 1:
        first_kernel = np.hstack([n.kernels[0] for n in networks])
    ends = np.cumsum([n.kernels[0].shape[1] for n in networks])[:-1]
    for start in range(0, X.shape[0], CHUNK):
        first = X[start : start + CHUNK] @ first_kernel
        for network, z, out in zip(
            networks, np.split(first, ends, axis=1), logits, strict=True
        ):
            z += network.biases[0]
            for kernel, bias in zip(
                network.kernels[1:], network.biases[1:], strict=True
            ):
                z = activate(network.activation, z) @ kernel
                z += bias
            out[start : start + CHUNK] = z
    return logits
