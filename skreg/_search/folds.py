"""The candidates of a search on one fold, up to the point where a network trains.

Steps before the network are fitted once a fold for each of their settings, by
scikit-learn's own `cross_validate`, so rows, weights and metadata reach the network as
in any other search.
"""

from copy import copy
from dataclasses import dataclass, replace

from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skreg._estimators.base import RegularizedMLP
from skreg._estimators.parameters import resolve
from skreg._training.task import Task, TrainedNetwork

# Parameters of a network on which neither its rows nor its seed depend.
STACKED = ("l1", "l2", "dropout", "learning_rate")


def final_network(estimator):
    """The network that an estimator is or, as a Pipeline, ends in; None if neither."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return last if isinstance(last, RegularizedMLP) else None


@dataclass(frozen=True)
class Untrained:
    """A candidate on a fold, of which all is fitted but the network."""

    estimator: BaseEstimator
    network: RegularizedMLP
    task: Task

    def fitted(self, trained: TrainedNetwork) -> BaseEstimator:
        """The whole estimator, with the trained network in its place."""
        self.network._set_fitted_attributes(self.task, trained)
        return _with_last(self.estimator, self.network)


class Fold:
    """One fold's training rows, for candidates that agree in the steps before.

    Parameters
    ----------
    X, y : array-like
        All rows.
    split : (train, test)
        Row numbers.
    fit_params : dict
        For ``fit``, under the names that `cross_validate` takes.
    seed : int or None
        Stands for a ``random_state`` of None, where there is one.
    """

    def __init__(self, X, y, split, fit_params, seed):
        self._fit = lambda estimator: cross_validate(
            estimator,
            X,
            y,
            cv=[split],
            params=fit_params,
            scoring=_no_score,
            error_score="raise",
            return_estimator=True,
        )["estimator"][0]
        self._seed = seed
        self._noted = None
        self._templates = {}

    def prepare(self, candidate, kind):
        """Fit what comes before the network.

        Parameters
        ----------
        candidate : estimator
            Not fitted; left as it is.
        kind : hashable
            Where it is the same, candidates differ in `STACKED` at most.

        Returns
        -------
        Untrained or estimator
            The estimator, fitted, where the candidate has no network of ours.
        """
        network = final_network(candidate)
        if network is None:
            return self._fit(candidate)
        if self._noted is None:
            self._noted = self._fit(_with_last(clone(candidate), _Note(network)))
        if kind not in self._templates:
            self._templates[kind] = self._template(network)
        network, task = _member(*self._templates[kind], network)
        return Untrained(self._noted, network, task)

    def _template(self, network):
        """A network that has seen its rows, and its task."""
        note = _last(self._noted)
        template = clone(network)
        if network.random_state is None:
            template.random_state = self._seed
        task = template._prepare_task(note.X_, note.y_, **note.params_)
        template.random_state = network.random_state
        return template, task


def _member(template, task, network):
    """The template and its task, with the strengths and rates of another network."""
    member = copy(template).set_params(
        **{name: getattr(network, name) for name in STACKED}
    )
    settings = resolve(member)
    return member, replace(
        task, regularization=settings.regularization, optimizer=settings.optimizer
    )


class _Note(BaseEstimator):
    """Stands where the network does, and notes what it would have been fitted on."""

    def __init__(self, network):
        self.network = network

    def fit(self, X, y=None, **params):
        self.X_, self.y_, self.params_ = X, y, params
        return self

    def get_metadata_routing(self):
        return self.network.get_metadata_routing()

    def __sklearn_tags__(self):
        return get_tags(self.network)


def _no_score(estimator, X, y=None, sample_weight=None):
    """`cross_validate` must score, and here there is nothing to score yet."""
    return 0.0


def _last(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _with_last(estimator, last):
    """The estimator with another last step; its other steps are shared."""
    if not isinstance(estimator, Pipeline):
        return last
    pipeline = copy(estimator)
    pipeline.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], last)]
    return pipeline
