"""scikit-learn's callbacks, which are new in its version 1.9: a task per epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


@contextmanager
def fit_context(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    max_subtasks: int | None = 0,
) -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Tell scikit-learn's callbacks that an estimator is fitted within the block.

    For a method that is decorated by `with_callbacks`. The estimator must be fitted at
    the end of the block.

    Yields
    ------
    callable
        ``subtask(name)`` is a context manager for a part of the fit.
    """
    if not SUPPORTED:
        yield lambda name: nullcontext()
        return
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
    fit = estimator._init_callback_context(max_subtasks=max_subtasks)

    @contextmanager
    def subtask(name: str) -> Iterator[None]:
        context = fit.subcontext(task_name=name)
        context.call_on_fit_task_begin(estimator=estimator)
        yield
        context.call_on_fit_task_end(estimator=estimator)

    fit.call_on_fit_task_begin(**data)
    yield subtask
    fit.call_on_fit_task_end(**data, reconstruction_attributes={})


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
        self._fit = estimator._init_callback_context(max_subtasks=task.plan.epochs)
        self._fit.call_on_fit_task_begin(**self._data)
        if hasattr(estimator, "_skl_callbacks"):
            self.task = replace(task, watchers=replace(task.watchers, hooks=self))

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
