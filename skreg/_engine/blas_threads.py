"""How many threads BLAS uses while networks train.

The limit is the process', and several threads may train at the same time. So those who
need one thread are counted: the first lowers the limit, the last restores it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiplications of a product that takes so long that a second thread is worth its
# start, and the wait of the first for it.
WORTH_A_THREAD = 1 << 24

_lock = threading.Lock()
_training: set[object] = set()
_n_threads_before: list[int] = []


@cache
def _libraries() -> list:
    """The BLAS libraries of the process: NumPy's and SciPy's."""
    import scipy.linalg.cython_blas  # noqa: F401, loads it

    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def limited(n_rows: int, kernel_shapes: list[tuple[int, int]]) -> Iterator[None]:
    """Have BLAS use one thread within the block, unless a product is worth more.

    Parameters
    ----------
    n_rows : int
        The number of rows in a batch.
    kernel_shapes : list of (int, int)

    Notes
    -----
    A thread that is not the main one is one of many that train, as joblib's are, and
    they keep the cores busy by themselves.
    """
    largest = max(n_in * n_out for n_in, n_out in kernel_shapes) * n_rows
    alone = threading.current_thread() is threading.main_thread()
    if alone and largest >= WORTH_A_THREAD:
        yield
        return
    token = object()
    try:  # an interrupt may come at any time
        _enter(token)
        yield
    finally:
        _leave(token)


def _enter(token: object) -> None:
    with _lock:
        if not _training:
            _n_threads_before[:] = [library.num_threads for library in _libraries()]
        _training.add(token)
        _set_n_threads([1] * len(_libraries()))


def _leave(token: object) -> None:
    with _lock:
        _training.discard(token)
        if not _training:
            _set_n_threads(_n_threads_before)


def _set_n_threads(numbers: list[int]) -> None:
    for library, n in zip(_libraries(), numbers, strict=False):
        # Since threadpoolctl 3.8, OpenBLAS listens to the first thread alone that has
        # set a limit, until it is told to forget it.
        forget = getattr(library, "clear_controlling_thread", lambda force: None)
        forget(force=True)
        library.set_num_threads(n)
        forget(force=True)
