"""scikit-learn's callbacks, which are new in its version 1.9: a task per epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from sklearn.base import BaseEstimator

from skreg._training.task import Task, TrainedNetwork

SUPPORTED = find_spec("sklearn.callback") is not None

if SUPPORTED:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
else:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Without callbacks, there is no method to set them."""

    def with_callbacks(method: Any) -> Any:
        return method


@with_callbacks
def tear_down(estimator: BaseEstimator) -> None:
    """Tear down what a fit of the estimator has set up: all that the decorator does.

    For fits that are no call of a method, which could be decorated.
    """


@contextmanager
def one_task(
    estimator: BaseEstimator, X: Any, y: Any, inner: BaseEstimator | None = None
) -> Iterator[None]:
    """The fit of an estimator, of which that of another may be all there is to tell.

    To be torn down afterwards.
    """
    if not SUPPORTED:
        yield
        return
    data = {"estimator": estimator, "X": X, "y": y, "metadata": None}
    context = estimator._init_callback_context(max_subtasks=int(inner is not None))
    context.call_on_fit_task_begin(**data)
    if inner is None:
        yield
    else:
        task = context.subcontext(task_name="search")
        with task.propagate_callback_context(inner):
            task.call_on_fit_task_begin(**data)
            yield
            task.call_on_fit_task_end(**data)
    context.call_on_fit_task_end(**data, reconstruction_attributes={})


class FitTasks:
    """Tells scikit-learn's callbacks of an estimator's fit: its task, one per epoch.

    To be torn down afterwards.

    Parameters
    ----------
    estimator : RegularizedMLP
        Has seen its rows.
    task : Task
        What is to be trained.
    X, y, sample_weight
        The arguments of ``fit``, which the callbacks get.

    Attributes
    ----------
    task : Task
        The same, with hooks for the epochs if there are any callbacks.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        task: Task,
        X: Any,
        y: Any,
        sample_weight: Any = None,
    ) -> None:
        self.task = task
        if not SUPPORTED:
            return
        self._estimator = estimator
        weights = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        self._fit = estimator._init_callback_context(max_subtasks=task.epochs)
        self._fit.call_on_fit_task_begin(**self._data)
        if hasattr(estimator, "_skl_callbacks"):
            self.task = replace(task, hooks=self)

    def begin_epoch(self, epoch: int) -> None:
        """Called by the engine, see `skreg._training.task.EpochHooks`."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._data)

    def end_epoch(self, epoch: int, trained: Callable[[], TrainedNetwork]) -> bool:
        """Called by the engine, see `skreg._training.task.EpochHooks`."""

        def fitted_attributes() -> dict[str, Any]:
            fitted = copy(self._estimator)
            fitted._set_fitted_attributes(self.task, trained())
            return vars(fitted)

        return self._epoch.call_on_fit_task_end(
            **self._data, reconstruction_attributes=fitted_attributes
        )

    def end(self) -> None:
        """The estimator is fitted."""
        if SUPPORTED:
            self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes={})
