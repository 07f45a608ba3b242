"""The activations of the compiled engine, against NumPy's and finite differences."""

import numba
import numpy as np
import pytest

from skreg._engine.hidden_layers import ACTIVATIONS
from skreg._prediction.activations import NUMPY_ACTIVATIONS

# These lie on both sides of all kinks, which are at multiples of 0.5, and far out.
Z = np.concatenate([np.linspace(-8.2, 8.3, 40), [-700.3, -30.1, 30.2, 700.4]])
ON_ROWS = {"softmax", "log_softmax"}  # functions of all units together


def test_only_functions_of_a_whole_row_are_missing():
    assert ACTIVATIONS.keys() == NUMPY_ACTIVATIONS.keys() - ON_ROWS


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_derivative(name, dtype):
    z = Z[Z < 60] if name == "exponential" else Z
    z, eps = z.astype(dtype), np.finfo(dtype).eps
    with np.errstate(under="ignore"):
        # The machine code computes with these types; all have the given precision.
        values, slopes = zip(*(ACTIVATIONS[name](x, dtype) for x in z), strict=True)
        assert {type(x) for x in values + slopes} == {dtype}
        numpy_activation = NUMPY_ACTIVATIONS[name]
        expected = numpy_activation(z.copy())
        exact, step = z.astype(float), 1e-5
        difference = numpy_activation(exact + step) - numpy_activation(exact - step)
    tiny = {"rtol": 64 * eps, "atol": 16 * eps}
    np.testing.assert_allclose(values, expected, **tiny)
    tolerance = {"rtol": max(1e-7, 64 * eps), "atol": max(1e-7, 64 * eps)}
    np.testing.assert_allclose(slopes, difference / (2 * step), **tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_machine_code_computes_in_the_dtype_of_z(name):
    # NumPy keeps float32 beside a number of Python; Numba makes float64 of it.
    activation, f = ACTIVATIONS[name], numba.float32
    compiled = numba.njit((f,))(lambda z: activation(z, f))
    (signature,) = compiled.nopython_signatures
    assert signature.return_type == numba.types.UniTuple(f, 2)
