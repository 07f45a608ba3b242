"""Hidden layers after their product: bias, activation and dropout in one pass.

An activation is a function of a number z that returns its value and its derivative. To
add one, write it here and enter it in `ACTIVATIONS` under its name in Keras, and in
`skreg._prediction.activations`. Constants are written ``f(0.5)``: f casts to the dtype
of z, as a number of Python is a float64, which would make one of z, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import float64, uint32, void
from numba.extending import register_jitable
from numpy.typing import NDArray

from skreg._engine.compiling import FLOATS, Pointer, matrix, once, vector


@register_jitable
def _relu(z: Any, f: Any) -> Any:
    return (z, f(1)) if z > f(0) else (f(0), f(0))


@register_jitable
def _relu6(z: Any, f: Any) -> Any:
    inside = (z > f(0)) & (z < f(6))
    return min(max(z, f(0)), f(6)), f(1) if inside else f(0)


@register_jitable
def _leaky_relu(z: Any, f: Any) -> Any:
    slope = f(1) if z > f(0) else f(0.2)
    return z * slope, slope


@register_jitable
def _elu(z: Any, f: Any) -> Any:
    negative = np.expm1(min(z, f(0)))
    return (z, f(1)) if z > f(0) else (negative, negative + f(1))


@register_jitable
def _selu(z: Any, f: Any) -> Any:
    # The constants of Klambauer, Unterthiner, Mayr and Hochreiter, NeurIPS 2017.
    alpha, scale = f(1.6732632423543772), f(1.0507009873554805)
    negative = alpha * np.expm1(min(z, f(0)))
    if z > f(0):
        return scale * z, scale
    return scale * negative, scale * (negative + alpha)


@register_jitable
def _gelu(z: Any, f: Any) -> Any:
    # z times the normal distribution function, whose derivative is the density.
    share = f(0.5) * f(math.erfc(-z * f(math.sqrt(0.5))))
    density = np.exp(-f(0.5) * z * z) * f(1 / math.sqrt(2 * math.pi))
    return z * share, share + z * density


@register_jitable
def _linear(z: Any, f: Any) -> Any:
    return z, f(1)


@register_jitable
def _sigmoid(z: Any, f: Any) -> Any:
    # The exponential of a negative number does not overflow.
    e = np.exp(-abs(z))
    value = (f(1) if z > f(0) else e) / (f(1) + e)
    return value, e / ((f(1) + e) * (f(1) + e))


@register_jitable
def _tanh(z: Any, f: Any) -> Any:
    value = np.tanh(z)
    return value, f(1) - value * value


@register_jitable
def _silu(z: Any, f: Any) -> Any:
    share, slope = _sigmoid(z, f)
    return z * share, share + z * slope


@register_jitable
def _softplus(z: Any, f: Any) -> Any:
    return max(z, f(0)) + np.log1p(np.exp(-abs(z))), _sigmoid(z, f)[0]


@register_jitable
def _log_sigmoid(z: Any, f: Any) -> Any:
    return min(z, f(0)) - np.log1p(np.exp(-abs(z))), _sigmoid(-z, f)[0]


@register_jitable
def _mish(z: Any, f: Any) -> Any:
    # z * tanh(log(1 + e)) with e = exp(z), where the factor is n / (n + 2) with
    # n = e * (e + 2). It rounds to 1 long before z = 20.
    e = np.exp(min(z, f(20)))
    n = e * (e + f(2))
    share = n / (n + f(2))
    slope = f(4) * e * (e + f(1)) / ((n + f(2)) * (n + f(2)))
    return z * share, share + z * slope


@register_jitable
def _softsign(z: Any, f: Any) -> Any:
    scale = f(1) / (f(1) + abs(z))
    return z * scale, scale * scale


@register_jitable
def _squareplus(z: Any, f: Any) -> Any:
    root = np.sqrt(z * z + f(4))
    # (z + root) / 2 cancels for z < 0, but its product with (root - z) / 2 is 1.
    larger = f(0.5) * (abs(z) + root)
    value = larger if z > f(0) else f(1) / larger
    return value, value / root


@register_jitable
def _exponential(z: Any, f: Any) -> Any:
    value = np.exp(z)
    return value, value


@register_jitable
def _hard_sigmoid(z: Any, f: Any) -> Any:
    inside = abs(z) < f(3)
    value = min(max(z / f(6) + f(0.5), f(0)), f(1))
    return value, f(1 / 6) if inside else f(0)


@register_jitable
def _hard_silu(z: Any, f: Any) -> Any:
    share, slope = _hard_sigmoid(z, f)
    return z * share, share + z * slope


@register_jitable
def _hard_tanh(z: Any, f: Any) -> Any:
    return min(max(z, f(-1)), f(1)), f(1) if abs(z) < f(1) else f(0)


@register_jitable
def _hard_shrink(z: Any, f: Any) -> Any:
    return (z, f(1)) if abs(z) > f(0.5) else (f(0), f(0))


@register_jitable
def _soft_shrink(z: Any, f: Any) -> Any:
    value = z - min(max(z, f(-0.5)), f(0.5))
    return value, f(1) if abs(z) > f(0.5) else f(0)


@register_jitable
def _tanh_shrink(z: Any, f: Any) -> Any:
    value = np.tanh(z)
    return z - value, value * value


@register_jitable
def _sparse_plus(z: Any, f: Any) -> Any:
    inside = min(max(z, f(-1)), f(1)) + f(1)
    if z < f(1):
        return f(0.25) * inside * inside, f(0.5) * inside
    return z, f(1)


@register_jitable
def _sparse_sigmoid(z: Any, f: Any) -> Any:
    value = min(max(f(0.5) * (z + f(1)), f(0)), f(1))
    return value, f(0.5) if abs(z) < f(1) else f(0)


ACTIVATIONS = {
    "celu": _elu,  # equal for alpha = 1, the default of both
    "elu": _elu,
    "exponential": _exponential,
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": _hard_tanh,
    "leaky_relu": _leaky_relu,
    "linear": _linear,
    "log_sigmoid": _log_sigmoid,
    "mish": _mish,
    "relu": _relu,
    "relu6": _relu6,
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softplus": _softplus,
    "softsign": _softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh": _tanh,
    "tanh_shrink": _tanh_shrink,
}


@register_jitable
def random_bits(number: Any, key_1: Any, key_2: Any) -> Any:
    """32 random bits for a number below 2**32: a hash with two keys.

    The finalizer of MurmurHash3 (A. Appleby, 2011), in which every bit of the result
    depends on every bit given. The second key, half way, keeps streams of other first
    keys from being shifted copies of each other.
    """
    h = uint32(number + key_1)
    h = uint32(uint32(h ^ uint32(h >> uint32(16))) * uint32(0x85EBCA6B))
    h = uint32(h ^ key_2)
    h = uint32(uint32(h ^ uint32(h >> uint32(13))) * uint32(0xC2B2AE35))
    return uint32(h ^ uint32(h >> uint32(16)))


def hidden_layer_type(f: Any) -> Any:
    """The signature of the function that `hidden_layer` compiles, for the dtype f."""
    return void(matrix(f), vector(f), matrix(f), float64, uint32, uint32)


@once
def hidden_layer(name: str, dtype: str) -> Pointer:
    """Compile a hidden layer, from its product on.

    Parameters
    ----------
    name : str
        One of `ACTIVATIONS`.
    dtype : str

    Returns
    -------
    Pointer
        ``layer(z, bias, slopes, rate, key_1, key_2)``, where z (n_rows, n_units) is the
        product. It becomes the layer's output, and `slopes`, of the same shape, the
        output's derivative in the product. At a dropout rate above 0, a unit of a row
        is zero where its hash with the keys, a random number in [0, 2**32), is below
        that share, and scaled up elsewhere.
    """
    f, activation = FLOATS[dtype], ACTIVATIONS[name]

    def layer(
        z: NDArray[Any],
        bias: NDArray[Any],
        slopes: NDArray[Any],
        rate: Any,
        key_1: Any,
        key_2: Any,
    ) -> None:
        n_rows, n_units = z.shape
        if rate == 0:
            for i in range(n_rows):
                for j in range(n_units):
                    z[i, j], slopes[i, j] = activation(z[i, j] + bias[j], f)
            return
        dropped = uint32(min(rate * 2.0**32, 2.0**32 - 1))
        scale = f(1 / (1 - rate))
        for i in range(n_rows):
            first = uint32(i * n_units)
            for j in range(n_units):
                value, slope = activation(z[i, j] + bias[j], f)
                bits = random_bits(uint32(first + uint32(j)), key_1, key_2)
                factor = scale if bits >= dropped else f(0)
                z[i, j] = value * factor
                slopes[i, j] = slope * factor

    return Pointer(hidden_layer_type(f), layer)
