"""Forked processes, in which TensorFlow or JAX may hang: an error instead.

A fork has none of the threads of the process that it was made from. Both libraries
start their threads when they are first used, after which anything that needs them in a
fork waits for ever. A fork made before that, even with them imported, works.
"""

import os
import sys

_threads_lost: set[str] = set()


def check_fork() -> None:
    """Raise an error where TensorFlow or JAX would hang.

    Raises
    ------
    RuntimeError
        If this process is a fork, and the library had been used before.
    """
    lost = _threads_lost
    if "JAX" in lost and not _keras_runs_on_jax():
        lost = lost - {"JAX"}
    if lost:
        raise RuntimeError(
            f"{' and '.join(sorted(lost))}, which networks are trained with, had been "
            "used before this process was forked, and would hang here. Use processes "
            "that are not forks, such as those of joblib's backend 'loky' or of "
            "multiprocessing.get_context('spawn'), or fork before any training, and "
            "before any Keras optimizer is made."
        )


def _keras_runs_on_jax() -> bool:
    import keras

    return keras.backend.backend() == "jax"


def _after_fork() -> None:
    # Neither has a public way to ask. Not imported here: they may not be there yet.
    tensorflow = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(tensorflow, "_context", None)
    if getattr(context, "_initialized", False):
        _threads_lost.add("TensorFlow")
    jax = sys.modules.get("jax._src.xla_bridge")
    if getattr(jax, "_backends", None):
        _threads_lost.add("JAX")


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_after_fork)
