"""Large arrays that TensorFlow reads where they are, so that nothing is held twice.

`tf.convert_to_tensor` copies an array twice, and keeps one copy. By DLPack there is
none, of an array that is aligned as TensorFlow's own are, and NumPy's are not. An array
with pages of its own is, and gives them back to the system at once when it is freed.
"""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Bytes: where TensorFlow's own arrays start.
ALIGNMENT = 64
# Bytes of an array to which all this matters.
LARGE = 1 << 21


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros, which takes no memory before something else is written."""
    size = math.prod(shape)
    n_bytes = size * np.dtype(dtype).itemsize
    if n_bytes < LARGE:
        return np.zeros(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, n_bytes), dtype, size).reshape(shape)


def shareable(array: NDArray[Any]) -> NDArray[Any]:
    """The array if TensorFlow can read it where it is, or it is small; else a copy.

    Writable too, although nothing writes to it: NumPy exports no other by DLPack.
    """
    flags = array.flags
    aligned = array.ctypes.data % ALIGNMENT == 0
    if array.nbytes < LARGE or (aligned and flags.c_contiguous and flags.writeable):
        return array
    copy = zeros(array.shape, array.dtype)
    copy[...] = array
    return copy
