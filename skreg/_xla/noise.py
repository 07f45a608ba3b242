"""Dropout noise: random bits for every step, to each network its own.

Every step has its place in one stream of random bits, the same for all trainings. A
network's noise is a hash of these bits and its key: so that networks of other seeds
have other noise, and bits are drawn once for all that train together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skreg._xla.pages import zeros

if TYPE_CHECKING:
    from skreg._xla.batches import Segment

STREAM = np.random.PCG64DXSM
STREAM_SEED = 0


def random_bits(
    segments: Iterable[Segment], shape: tuple[int, int], n_slots: int
) -> NDArray[np.uint32]:
    """Uniform random integers (n_slots, batch_size, n_units) in [0, 2**32).

    They depend on the number of a step and on its epoch's alone: not on how many steps
    an epoch or a call has.
    """
    size = math.prod(shape)
    words = math.ceil(size / 2)  # of 64 bits
    bits = zeros((n_slots, *shape), np.uint32)
    start = 0
    for epoch, first, last in segments:
        stream = STREAM(STREAM_SEED).advance(((epoch << 32) + first) * words)
        drawn = stream.random_raw((last - first) * words).view(np.uint32)
        stop = start + last - first
        bits[start:stop].reshape(stop - start, size)[...] = drawn.reshape(
            stop - start, 2 * words
        )[:, :size]
        start = stop
    return bits


def hashed(
    bits: Any,
    key: Any,
    xor: Callable[[Any, Any], Any] = np.bitwise_xor,
    shift: Callable[[Any, Any], Any] = np.right_shift,
) -> Any:
    """Noise of the network of a key: the finalizer of MurmurHash3 [1]_, one to one.

    Parameters
    ----------
    bits, key : arrays of uint32
        NumPy's, or tensors: then with TensorFlow's functions.
    xor, shift : callable

    References
    ----------
    .. [1] A. Appleby, "MurmurHash3", 2011: every bit of the result depends on every
       bit given.
    """
    h = xor(bits, key)
    h = xor(h, shift(h, np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = xor(h, shift(h, np.uint32(13))) * np.uint32(0xC2B2AE35)
    return xor(h, shift(h, np.uint32(16)))


def noise_of_networks(
    bits: NDArray[np.uint32], keys: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Noise (n_slots, batch_size, n_units) if all keys are equal, else with an axis K.

    That is (n_slots, K, batch_size, n_units).
    """
    if len(set(keys.tolist())) == 1:
        return hashed(bits, keys[0])
    return np.stack([hashed(bits, key) for key in keys], axis=1)
