"""Too little memory to train: an error that says what to set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

ADVICE = (
    "To train with less, lower batch_size or hidden_layer_sizes; in a search, n_jobs "
    "or group_size."
)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise a MemoryError for TensorFlow's own error; add to one what to set.

    TensorFlow aborts the process where it can't start a thread for want of memory:
    of that there is no error to be caught.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(f"TensorFlow had too little memory. {ADVICE}") from error
    except MemoryError as error:
        error.add_note(ADVICE)
        raise
