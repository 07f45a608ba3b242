"""Ctrl-C while TensorFlow works: it has to wait.

Python raises the KeyboardInterrupt between any two instructions of the main thread, and
much of TensorFlow is not made for that. While it traces a function, it turns the
interrupt into a ValueError, a RuntimeError or a SystemError, which a search would take
for a fit that failed, or drops it altogether.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Have an interrupt wait for the end of the block, or of the decorated function.

    Only in the main thread, as no other is ever interrupted.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(
        handler
    ):
        yield
        return
    received: list[tuple[Any, ...]] = []
    signal.signal(
        signal.SIGINT, lambda *signal_and_frame: received.append(signal_and_frame)
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received:
        handler(*received[0])


@interrupts_deferred()
def import_keras() -> ModuleType:
    """Import Keras, and with it TensorFlow.

    An interrupt would leave half of TensorFlow, and another half can't be imported: all
    fits of the process would fail. So it has to wait, for some seconds even.
    """
    import keras

    return keras
