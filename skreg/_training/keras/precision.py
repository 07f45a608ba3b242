"""Which dtypes Keras' backend computes in."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def precision(dtype: str) -> AbstractContextManager[Any]:
    """Have Keras' backend compute in that dtype within the block.

    JAX makes float32 of float64 unless told otherwise, which is told here for the
    block and the thread, not for the process.
    """
    import keras

    if keras.backend.backend() == "jax" and dtype == "float64":
        import jax

        return jax.enable_x64(True)
    return nullcontext()


def available_dtype(dtype: str) -> str:
    """That dtype, or what Keras' backend makes of it here: JAX perhaps float32."""
    import keras

    if keras.backend.backend() != "jax":
        return dtype
    import jax

    return jax.dtypes.canonicalize_dtype(dtype).name
