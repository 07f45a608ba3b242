"""Memory of large arrays: read by TensorFlow where they are, given back when freed.

`tf.convert_to_tensor` copies an array twice, and keeps one copy. By DLPack there is
none, of an array that is aligned as TensorFlow's own are, and NumPy's are not. An array
with pages of its own is, and gives them back to the system at once when it is freed.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
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
    try:
        memory = mmap.mmap(-1, n_bytes)
    except OSError as error:
        raise MemoryError(f"Unable to allocate {n_bytes} bytes.") from error
    return np.frombuffer(memory, dtype, size).reshape(shape)


def give_back_free_memory() -> None:
    """Have C's allocator return to the system what it keeps of memory that was freed.

    Those of GNU systems keep arrays of up to 32 MB, and all that XLA has used to
    compile, some 50 MB for a program: for the thread that freed it, not for others.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # musl has none
            trim(0)


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
