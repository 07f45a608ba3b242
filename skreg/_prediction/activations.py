"""Keras' activations by NumPy and SciPy, so that predicting does not import Keras.

To add one, give `NUMPY_ACTIVATIONS` its name in Keras and a function of an array z of
shape (n_rows, n_units). The function may overwrite z, and returns an array of the same
shape and dtype: constants are Python's numbers, as NumPy's own make float64 of float32.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit, log_softmax, ndtr, softmax


def _elu(z):
    # For z < 0, exp(z) - 1 is the larger of the two; for z > 0 it is that of 0.
    return np.maximum(z, np.expm1(np.minimum(z, 0)), out=z)


def _selu(z):
    # Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks",
    # NeurIPS 2017: with these constants, mean 0 and variance 1 go on to the next layer.
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    negative = np.expm1(np.minimum(z, 0))
    return scale * np.maximum(z, 0) + scale * alpha * negative


def _gelu(z):
    # By the normal distribution function: 1 + erf(z / sqrt(2)) cancels for z < 0.
    return np.multiply(z, ndtr(z), out=z)


def _softplus(z):
    # log(1 + exp(z)), without overflow, and twice as fast as np.logaddexp(0, z).
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _mish(z):
    # z * tanh(log(1 + e)) with e = exp(z). By the definition of tanh, the factor is
    # n / (n + 2) with n = e * (e + 2). It rounds to 1 long before z = 20.
    e = np.exp(np.minimum(z, 20))
    n = e * (e + 2)
    return np.multiply(z, n / (n + 2), out=z)


def _squareplus(z):
    # (z + root) / 2 with root = sqrt(z**2 + 4) cancels for z < 0; but its product with
    # the same of -z, (root - z) / 2, is 1.
    larger = (np.abs(z) + np.hypot(z, 2)) / 2
    return np.where(z > 0, larger, 1 / larger)


def _silu(z):
    return np.multiply(z, expit(z), out=z)


def _hard_sigmoid(z):
    z += 3
    np.clip(z, 0, 6, out=z)
    z /= 6
    return z


def _hard_silu(z):
    return z * _hard_sigmoid(z.copy())


def _softsign(z):
    z /= 1 + np.abs(z)
    return z


def _tanh_shrink(z):
    z -= np.tanh(z)
    return z


def _soft_shrink(z):
    z -= np.clip(z, -0.5, 0.5)
    return z


def _sparse_plus(z):
    return np.where(z < 1, (1 + np.clip(z, -1, 1)) ** 2 / 4, z)


def _sparse_sigmoid(z):
    z += 1
    z /= 2
    return np.clip(z, 0, 1, out=z)


# Not here: "sparsemax", which is left to Keras. Up to 3.15 its rows do not sum to 1
# (github.com/keras-team/keras/issues/23425), later they do, and a prediction must use
# the function that the network was trained with.
NUMPY_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "celu": _elu,  # equal for alpha = 1, the default of both
    "elu": _elu,
    "exponential": lambda z: np.exp(z, out=z),
    "gelu": _gelu,
    "hard_shrink": lambda z: np.where(np.abs(z) > 0.5, z, 0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": lambda z: np.clip(z, -1, 1, out=z),
    "leaky_relu": lambda z: np.maximum(z, 0.2 * z, out=z),
    "linear": lambda z: z,
    "log_sigmoid": lambda z: log_expit(z, out=z),
    "log_softmax": lambda z: log_softmax(z, axis=-1),
    "mish": _mish,
    "relu": lambda z: np.maximum(z, 0, out=z),
    "relu6": lambda z: np.clip(z, 0, 6, out=z),
    "selu": _selu,
    "sigmoid": lambda z: expit(z, out=z),
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softmax": lambda z: softmax(z, axis=-1),
    "softplus": _softplus,
    "softsign": _softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh": lambda z: np.tanh(z, out=z),
    "tanh_shrink": _tanh_shrink,
}
