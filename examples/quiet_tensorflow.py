"""Imports TensorFlow without its start-up messages; the scripts here import it first.

TF_CPP_MIN_LOG_LEVEL does not apply to the messages that TensorFlow's libraries write to
file descriptor 2 while they are loaded [1]_, so that is redirected during the import.

.. [1] https://github.com/tensorflow/tensorflow/issues/100442
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

stderr = os.dup(2)
try:
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), 2)
    import tensorflow  # noqa: F401
finally:
    os.dup2(stderr, 2)
    os.close(stderr)
