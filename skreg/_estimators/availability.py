"""A method that an estimator has only with some settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def available_unless(
    obstacle: Callable[[Any], str | None],
) -> Callable[[Method], Method]:
    """Hide a method where something stands in its way, and say what.

    scikit-learn's `available_if` hides it as well, with an `AttributeError` that says
    no more than that there is no such attribute.

    Parameters
    ----------
    obstacle : callable
        ``obstacle(estimator)`` gives the reason why the method can't be used, or None.

    Returns
    -------
    callable
        A decorator for the method.
    """

    def decorate(method: Method) -> Method:
        return _ConditionalMethod(method, obstacle)  # type: ignore[return-value]

    return decorate


class _ConditionalMethod:
    """The descriptor behind `available_unless`; on the class it is a function."""

    def __init__(self, method: Callable, obstacle: Callable[[Any], str | None]) -> None:
        self._method = method
        self._obstacle = obstacle

    def __get__(self, obj: Any, owner: type | None = None) -> Callable:
        if obj is None:

            @wraps(self._method)
            def unbound(obj: Any, *args: Any, **kwargs: Any) -> Any:
                return self.__get__(obj)(*args, **kwargs)

            return unbound
        if (reason := self._obstacle(obj)) is not None:
            raise AttributeError(
                f"This {type(obj).__name__!r} has no attribute "
                f"{self._method.__name__!r}: {reason}"
            )
        return MethodType(self._method, obj)
