"""How the engine's functions are compiled: once per dtype, and cached on disk.

The loop over the steps, in `skreg._engine.steps`, reaches everything else through
pointers: an activation, a loss, the penalties, an update rule. So each of them compiles
by itself, once, and the loop never has to be compiled for a combination of them. There
is a second reason: Numba's cache looks at the file of the function that it compiles and
at no other. A function may therefore use functions of its own file only, or it would
not be compiled anew when they change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

import numba
from numba import types
from numba.extending import typeof_impl

Built = TypeVar("Built")

# Sums may be reordered, so that they are vectorized; NaN and infinity stay as they are.
OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
FLOATS: dict[str, Any] = {"float32": numba.float32, "float64": numba.float64}

_lock = threading.RLock()


def once(build: Callable[..., Built]) -> Callable[..., Built]:
    """Call a function once for the same arguments, whichever threads ask for it."""
    cached = cache(build)

    @wraps(build)
    def locked(*arguments: Any) -> Built:
        with _lock:
            return cached(*arguments)

    return locked


def compile_loop(signature: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that is called from Python; it runs without the GIL."""
    return numba.njit(signature, nogil=True, **OPTIONS)(function)


class Pointer(types.WrapperAddressProtocol):
    """A compiled function that a compiled loop takes as an argument.

    Numba takes its own compiled functions, too, but looks up their type and address
    anew in every call, which takes 45 microseconds instead of 5.

    Parameters
    ----------
    signature : numba signature
    function : callable
        Uses functions of its own file only.
    """

    def __init__(self, signature: Any, function: Callable[..., Any]) -> None:
        self.type = types.FunctionType(signature)
        self._signature = signature
        self._compiled = numba.cfunc(signature, **OPTIONS)(function)

    def __wrapper_address__(self) -> int:
        """The address, as Numba asks for it."""
        return cast(int, self._compiled.address)

    def signature(self) -> Any:
        """The signature, as Numba asks for it."""
        return self._signature


@typeof_impl.register(Pointer)
def _pointer_type(value: Pointer, context: Any) -> Any:
    return value.type


def matrix(dtype: Any, *, readonly: bool = False) -> Any:
    """The type of a C-contiguous matrix."""
    return types.Array(dtype, 2, "C", readonly=readonly)


def vector(dtype: Any, *, readonly: bool = False) -> Any:
    """The type of a contiguous vector."""
    return types.Array(dtype, 1, "C", readonly=readonly)
