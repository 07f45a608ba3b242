"""Arrays that TensorFlow reads where they are, so that many groups share one copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bytes: where TensorFlow's own arrays start, and all that its kernels accept.
ALIGNMENT = 64


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """The array if TensorFlow can read it without a copy, or else a copy that it can.

    In C order and aligned. NumPy aligns at 16 bytes only. It must be writable too,
    although nothing writes to it: NumPy exports no other by DLPack.
    """
    if (
        array.ctypes.data % ALIGNMENT == 0
        and array.flags.c_contiguous
        and array.flags.writeable
    ):
        return array
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
