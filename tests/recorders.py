"""Callbacks for scikit-learn's estimators that record what they are told."""

from dataclasses import dataclass
from typing import Any

from sklearn.callback import CallbackContext


@dataclass
class Event:
    hook: str
    estimator: Any
    context: CallbackContext
    given: dict[str, Any]

    @property
    def path(self):
        """The contexts from the root to this one."""
        path = [self.context]
        while path[0].parent is not None:
            path.insert(0, path[0].parent)
        return path

    def __str__(self):
        return " ".join([self.hook, *(f"{c.task_name}#{c.task_id}" for c in self.path)])


class Recorder:
    """Records every event; a search does not hand it on to its candidates.

    Parameters
    ----------
    act : callable, default=None
        ``act(event)`` is called with each, and may raise, or return what the hook does.
    """

    def __init__(self, act=None):
        self.act = act
        self.events = []

    def _record(self, hook, estimator, context, **given):
        event = Event(hook, estimator, context, given)
        self.events.append(event)
        return None if self.act is None else self.act(event)

    def setup(self, estimator, context):
        self._record("setup", estimator, context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self._record("begin", estimator, context, X=X, y=y, metadata=metadata)

    def on_fit_task_end(
        self,
        estimator,
        context,
        *,
        X=None,
        y=None,
        metadata=None,
        fitted_estimator=None,
    ):
        given = {"X": X, "y": y, "metadata": metadata, "fitted": fitted_estimator}
        return self._record("end", estimator, context, **given)

    def teardown(self, estimator, context):
        self._record("teardown", estimator, context)

    def lines(self):
        """Every event as a line of text, in their order."""
        return list(map(str, self.events))

    def fitted(self):
        """The fitted estimators that are given at the end of each epoch."""
        return [
            event.given["fitted"]
            for event in self.events
            if event.hook == "end" and event.context.task_name == "epoch"
        ]


class Propagated(Recorder):
    """A search hands it on, to any depth."""

    max_propagation_depth = None


class Unasking:
    """Takes no optional argument, so no fitted estimator is made for it."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass
