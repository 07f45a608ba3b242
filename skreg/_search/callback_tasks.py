"""scikit-learn's callbacks in a search: the tasks of a candidate on a fold.

In scikit-learn's search one ``fit`` is called after the other, and their tasks nest by
themselves. Here networks train side by side, and each has its tasks open as long as its
group is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple, TypeAlias

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from skreg._estimators.callback_support import FitTasks, tear_down
from skreg._training.task import Task, TrainedNetwork

Rows: TypeAlias = dict[str, Any]  # X and y, or nothing


@dataclass(frozen=True)
class SearchTask:
    """The task of a search that has an `Evaluation` for every candidate and fold.

    Attributes
    ----------
    search : estimator
    context : sklearn.callback.CallbackContext or None
        None before scikit-learn 1.9.
    """

    search: BaseEstimator
    context: Any

    def evaluations(
        self,
        estimator: BaseEstimator,
        settings: list[dict[str, Any]],
        splits: list[tuple[Any, Any]],
        **data: Any,
    ) -> dict[tuple[int, int], Evaluation]:
        """Tasks by the numbers of candidate and fold; none if there are no callbacks.

        Parameters
        ----------
        estimator : estimator
        settings : list of dict
            The candidates: parameters to set.
        splits : list of (train, test)
        **data
            All that is the same for each `Evaluation`.
        """
        values = [value for params in settings for value in params.values()]
        if self.context is None or not any(
            map(_has_callbacks, [self.search, estimator, *values])
        ):
            return {}
        return {
            (c, fold): Evaluation(
                search=self.search,
                context=self.context.subcontext(
                    task_name="candidate-split-evaluation",
                    task_id=c * len(splits) + fold,
                ),
                train=splits[fold][0],
                **data,
            )
            for c, fold in product(range(len(settings)), range(len(splits)))
        }


def _has_callbacks(value: Any) -> bool:
    """Whether it is an estimator with callbacks, or has one among its parameters."""
    parts = [value]
    if hasattr(value, "get_params") and not isinstance(value, type):
        parts.extend(value.get_params().values())
    return any(hasattr(part, "_skl_callbacks") for part in parts)


@dataclass(frozen=True)
class Evaluation:
    """The task of a search around the fit of one candidate on one fold.

    Attributes
    ----------
    search : estimator
    context : sklearn.callback.CallbackContext
    X, y : array-like
        All rows.
    train : ndarray
        Numbers of the fold's training rows.
    fit_params : dict
        For the estimator's ``fit``.
    """

    search: BaseEstimator
    context: Any
    X: Any
    y: Any
    train: Any
    fit_params: dict[str, Any]

    @contextmanager
    def begun(self, estimator: BaseEstimator) -> Iterator[None]:
        """Hand the search's callbacks on to the candidate while it is fitted."""
        with self.context.propagate_callback_context(estimator):
            self.context.call_on_fit_task_begin(**self._data)
            yield

    def end(self) -> None:
        """The fit has ended, in an error or not."""
        self.context.call_on_fit_task_end(**self._data)

    @property
    def rows(self) -> Rows:
        """Functions that give the training rows, for callbacks that ask for them."""

        def part(which: int) -> Any:
            return _safe_split(self.search.estimator, self.X, self.y, self.train)[which]

        return {"X": partial(part, 0), "y": partial(part, 1)}

    @property
    def _data(self) -> dict[str, Any]:
        def metadata() -> dict[str, Any] | None:
            if self.fit_params.get("sample_weight") is None:
                return None
            weights = {"sample_weight": self.fit_params["sample_weight"]}
            return _check_method_params(self.X, weights, self.train)

        return {"estimator": self.search, **self.rows, "metadata": metadata}


def fit_with_callbacks(
    fit: Callable[[], Any], estimator: BaseEstimator, evaluation: Evaluation | None
) -> Any:
    """Call ``fit()``, of a candidate, and tell the callbacks, if there are any.

    Returns what it returns, or the error that it or a callback has raised.
    """
    try:
        with nullcontext() if evaluation is None else evaluation.begun(estimator):
            outcome = fit()
    except Exception as error:
        outcome = error
    if evaluation is not None:
        evaluation.end()
    return outcome


class NetworkFit(NamedTuple):
    """The fit of a candidate's network: the parameters of `FitTasks`."""

    network: BaseEstimator
    task: Task
    X: Any
    y: Any
    sample_weight: Any


class CandidateTasks:
    """The tasks of a candidate that ends in a network: the hooks of its training.

    Pickled to another process, if at all, before it starts.

    Parameters
    ----------
    evaluation : Evaluation
    candidate : estimator
        Fitted but for its network.
    fit : NetworkFit
    """

    def __init__(
        self, evaluation: Evaluation, candidate: BaseEstimator, fit: NetworkFit
    ) -> None:
        self._evaluation = evaluation
        self._candidate = candidate
        self._fit = fit
        # Networks may be trained once more, in smaller groups, if a group fails. What
        # callbacks were told of their epochs, they are not told again.
        self._n_begun = self._n_ended = 0
        self._stops = False
        self._error: Exception | None = None
        self._running: Generator[FitTasks, Any, None] | None = None

    def start(self, task: Task) -> Task | Exception:
        """The task as it is to be trained, or the error of a callback."""
        self._running = self._run()
        self._tasks = self._guarded(partial(next, self._running))
        if self._error is not None:
            return self._error
        watched = self._tasks.task.hooks is not None
        return replace(task, hooks=self if watched else None)

    def begin_epoch(self, epoch: int) -> None:
        """Called by the engine, see `skreg._training.task.EpochHooks`."""
        if epoch == self._n_begun:
            self._n_begun += 1
            self._guarded(partial(self._tasks.begin_epoch, epoch))

    def end_epoch(self, epoch: int, trained: Callable[[], TrainedNetwork]) -> bool:
        """Called by the engine, see `skreg._training.task.EpochHooks`."""
        if epoch == self._n_ended:
            self._n_ended += 1
            if self._error is None:
                tell = partial(self._tasks.end_epoch, epoch, trained)
                self._stops = bool(self._guarded(tell))
        return epoch + 1 == self._n_ended and (self._stops or self._error is not None)

    def finish(self, outcome: TrainedNetwork | Exception) -> TrainedNetwork | Exception:
        """The training has ended; its outcome, or else the error of a callback."""
        assert self._running is not None, "it has started"
        outcome = self._error or outcome
        try:
            self._running.send(outcome)
        except StopIteration:
            pass
        except Exception as error:
            outcome = error
        self._evaluation.end()
        return outcome

    def abandon(self) -> None:
        """The search has been left: callbacks of the candidate are torn down."""
        if self._running is not None:
            self._running.close()

    def _run(self) -> Generator[FitTasks, TrainedNetwork | Exception, None]:
        evaluation, candidate, fit = self._evaluation, self._candidate, self._fit
        with (
            evaluation.begun(candidate),
            _begun(candidate, evaluation.rows, fit) as tasks,
        ):
            outcome = yield tasks
            if isinstance(outcome, Exception):
                raise outcome
            fit.network._set_fitted_attributes(fit.task, outcome)

    def _guarded(self, tell: Callable[[], Any]) -> Any:
        """Keep the error of a callback: it is this network's alone, which stops."""
        try:
            return tell()
        except Exception as error:
            self._error = error


@contextmanager
def _begun(estimator: BaseEstimator, rows: Rows, fit: NetworkFit) -> Iterator[FitTasks]:
    """The tasks of the `fit` of an estimator that is or ends in the network.

    Parameters
    ----------
    estimator : estimator
        Fitted but for its network.
    rows : dict
        The arguments ``X`` and ``y`` of its `fit`, if they are known.
    fit : NetworkFit
    """
    if type(estimator) is Pipeline:
        with _pipeline_begun(estimator, rows, fit) as tasks:
            yield tasks
    elif estimator is fit.network:
        try:
            tasks = FitTasks(*fit)
            yield tasks
            tasks.end()
        finally:
            tear_down(estimator)
    else:  # a TransformedTargetRegressor, which has no tasks
        with _begun(estimator.regressor_, {}, fit) as tasks:
            yield tasks


@contextmanager
def _pipeline_begun(
    pipeline: Pipeline, rows: Rows, fit: NetworkFit
) -> Iterator[FitTasks]:
    """The tasks of a Pipeline; its steps but the last have been fitted before."""
    *steps, (_, last) = pipeline.steps
    of_last = {"X": fit.X, "y": fit.y} if last is fit.network else {}
    try:
        context = pipeline._init_callback_context(max_subtasks=len(pipeline.steps))
        context.call_on_fit_task_begin(estimator=pipeline, **rows)
        for name, _ in steps:
            step = context.subcontext(task_name=f"fit-transform-{name}")
            step.call_on_fit_task_begin(estimator=pipeline)
            step.call_on_fit_task_end(estimator=pipeline)
        step = context.subcontext(task_name="fit-final-estimator")
        with step.propagate_callback_context(last):
            step.call_on_fit_task_begin(estimator=pipeline, **of_last)
            with _begun(last, of_last, fit) as tasks:
                yield tasks
            step.call_on_fit_task_end(estimator=pipeline, **of_last)
        context.call_on_fit_task_end(estimator=pipeline, **of_last)
    finally:
        tear_down(pipeline)


def train_with_callbacks(
    train: Callable[[list[Task]], list[TrainedNetwork | Exception]], tasks: list[Task]
) -> list[TrainedNetwork | Exception]:
    """Train networks, and tell the callbacks, if there are any.

    Parameters
    ----------
    train : callable
        ``train(tasks)`` gives the outcome of each.
    tasks : list of Task
        With `CandidateTasks` as their hooks, or without any.
    """
    all_hooks: list[Any] = [task.hooks for task in tasks]
    if not any(all_hooks):
        return train(tasks)
    try:
        started = [
            hooks.start(task) for hooks, task in zip(all_hooks, tasks, strict=True)
        ]
        ready = [task for task in started if isinstance(task, Task)]
        outcomes = iter(train(ready) if ready else [])
        return [
            hooks.finish(next(outcomes) if isinstance(task, Task) else task)
            for hooks, task in zip(all_hooks, started, strict=True)
        ]
    except BaseException:
        for hooks in all_hooks:
            hooks.abandon()
        raise
