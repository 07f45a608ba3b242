"""Forked processes, in which TensorFlow may hang: an error instead.

A fork has none of the threads of the process that it was made from. TensorFlow starts
its threads when it is first used, after which anything that needs them in a fork waits
for ever. A fork made before that, even with TensorFlow imported, works.
"""

import os
import sys

_threads_lost = False


def check_tensorflow_runs() -> None:
    """Raise an error where TensorFlow would hang.

    Raises
    ------
    RuntimeError
        If this process is a fork, and TensorFlow had been used before.
    """
    if _threads_lost:
        raise RuntimeError(
            "TensorFlow, which networks are trained with, had been used before this "
            "process was forked, and would hang here. Use processes that are not "
            "forks, such as those of joblib's backend 'loky' or of "
            "multiprocessing.get_context('spawn'), or fork before any training, and "
            "before any Keras optimizer is made."
        )


def _after_fork() -> None:
    global _threads_lost
    # TensorFlow has no public way to ask. Not imported here: it may not be there yet.
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    _threads_lost = _threads_lost or getattr(context, "_initialized", False)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_after_fork)
