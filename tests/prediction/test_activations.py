"""NumPy's activations are those of Keras, or more exact."""

import math
from decimal import Decimal, localcontext

import keras
import numpy as np
import pytest

from skreg._prediction.activations import NUMPY_ACTIVATIONS
from skreg._training.activation_functions import activation_function, keras_activation

# All that a network can have: "glu" halves the width, "threshold" needs arguments.
NAMES = sorted(
    {name for name in vars(keras.activations) if not name.startswith("_")}
    - {"get", "serialize", "deserialize", "glu", "threshold"}
)
MAGNITUDES = [
    *(0, 1e-30, 1e-8, 1e-3, 0.1, 0.4, 0.5, 0.6, 1, 1.5, 2, 3),
    *(4, 5, 6, 7, 8, 10, 13, 16, 20, 30, 50, 1e4),
]
GRID = np.concatenate(
    [
        np.multiply.outer([1, -1], MAGNITUDES).reshape(-1, 6),
        np.random.default_rng(0).normal(size=(40, 6)) * 3,
    ]
)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def grid(name, dtype):
    z = np.clip(GRID, -50, 50) if name == "exponential" else GRID
    return z.astype(dtype)


def without_warnings(name, z):
    """Apply the function, without warnings other than of underflow."""
    with np.errstate(all="raise", under="ignore"):
        result = activation_function(name)(z.copy())
    assert result.dtype == z.dtype
    assert result.shape == z.shape
    return result


def assert_close(result, expected, more=0.0):
    """Allow 8 eps and numbers below the least normal one, which TensorFlow rounds."""
    kind = np.finfo(result.dtype)
    error = np.abs(result - expected, dtype=np.float64)
    assert (error <= 8 * kind.eps * np.abs(expected) + kind.tiny + more).all()


def test_every_activation_of_keras_is_there():
    """This fails when Keras adds one, which it computes itself until we add it, too.

    "sparsemax" is left to Keras on purpose.
    """
    assert set(NAMES) == {*NUMPY_ACTIVATIONS, "sparsemax"}


# The errors of Keras itself, with TensorFlow, beyond a few eps of the result.
KERAS_IS_OFF = {
    # Keras computes exp(z) - 1, which is 0 for small z.
    "elu": lambda z, eps: 2 * eps,
    "selu": lambda z, eps: 4 * eps,
    # Keras computes 1 + erf(z / r) for z < 0, too; r is sqrt(2) in single precision.
    "gelu": lambda z, eps: eps * np.abs(z) + 1e-8,
    # The slope of Keras is 0.2 in single precision.
    "leaky_relu": lambda z, eps: 1e-8 * np.abs(z),
    # Keras subtracts two numbers of about |z|.
    "squareplus": lambda z, eps: eps * np.abs(z),
    # Keras and NumPy both subtract such numbers.
    "log_softmax": lambda z, eps: 4 * eps * np.abs(z).max(axis=1, keepdims=True),
    "tanh_shrink": lambda z, eps: 4 * eps * np.abs(z),
}


@pytest.mark.parametrize("name", NAMES)
def test_as_keras_computes_it(name, dtype):
    z = grid(name, dtype)
    expected = keras_activation(name)(keras.ops.convert_to_tensor(z))
    is_off = KERAS_IS_OFF.get(name, lambda z, eps: 0.0)(z, np.finfo(dtype).eps)
    assert_close(
        without_warnings(name, z), keras.ops.convert_to_numpy(expected), more=is_off
    )


def selu(z):
    scale, alpha = Decimal("1.0507009873554804934"), Decimal("1.6732632423543772848")
    return scale * (z if z > 0 else alpha * (z.exp() - 1))


def mish(z):
    square = (1 + z.exp()) ** 2
    return z * (square - 1) / (square + 1)


# Definitions for exact arithmetic, where Keras is off or floats overflow or cancel.
EXACT = {
    "celu": lambda z: z if z > 0 else z.exp() - 1,
    "elu": lambda z: z if z > 0 else z.exp() - 1,
    "leaky_relu": lambda z: z if z > 0 else z / 5,
    "log_sigmoid": lambda z: -(1 + (-z).exp()).ln(),
    "mish": mish,
    "selu": selu,
    "sigmoid": lambda z: 1 / (1 + (-z).exp()),
    "silu": lambda z: z / (1 + (-z).exp()),
    "softplus": lambda z: (1 + z.exp()).ln(),
    "squareplus": lambda z: (z + (z * z + 4).sqrt()) / 2,
}


@pytest.mark.parametrize("name", EXACT)
def test_exact(name, dtype):
    z = grid(name, dtype)
    with localcontext(prec=100):
        expected = [float(EXACT[name](Decimal(float(value)))) for value in z.flat]
    assert_close(without_warnings(name, z), np.reshape(expected, z.shape))


def test_gelu_is_exact(dtype):
    z = grid("gelu", dtype)
    expected = z / 2 * np.vectorize(math.erfc)(-z.astype(float) / math.sqrt(2))
    # Rounding its argument changes erfc by this much.
    rounding = 4 * np.finfo(float).eps * z**2 * np.abs(expected)
    assert_close(without_warnings("gelu", z), expected, more=rounding)


@pytest.mark.parametrize("name", sorted({*NUMPY_ACTIVATIONS} - {"exponential"}))
def test_huge_numbers_do_not_overflow(name, dtype):
    z = np.array([[1e30, -1e30, 0, 1]], dtype)
    assert np.isfinite(without_warnings(name, z)).all()


@keras.saving.register_keras_serializable("tests")
def twice_tanh(z):
    return 2 * keras.ops.tanh(z)


def test_an_activation_registered_by_the_user(dtype):
    z = grid("tests>twice_tanh", dtype)
    assert_close(without_warnings("tests>twice_tanh", z), 2 * np.tanh(z))


@pytest.mark.parametrize("function", [keras_activation, activation_function])
def test_an_unknown_name(function):
    with pytest.raises(ValueError, match=r"activation .*nonsense"):
        function("nonsense")
