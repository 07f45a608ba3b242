"""One fold of a search: everything that is fitted before a network is trained.

The steps before the network are fitted once per fold for each of their settings, by
scikit-learn's own `cross_validate`. So rows, weights and metadata reach the network as
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

# Parameters in which the networks of a group may differ: neither the rows that a
# network sees nor its random numbers depend on them.
STACKED = ("l1", "l2", "dropout", "learning_rate")


def final_network(estimator):
    """The network that an estimator is or, as a Pipeline, ends in; None if neither."""
    last = _last_step(estimator)
    return last if isinstance(last, RegularizedMLP) else None


@dataclass(frozen=True)
class PendingFit:
    """A candidate on a fold, fitted up to its network, which is still to be trained."""

    estimator: BaseEstimator
    network: RegularizedMLP
    task: Task

    def fitted(self, trained: TrainedNetwork) -> BaseEstimator:
        """The whole estimator, with the trained network as its last step."""
        self.network._set_fitted_attributes(self.task, trained)
        return _with_last_step(self.estimator, self.network)


class Fold:
    """One fold's training rows, for candidates whose steps before the network agree.

    Parameters
    ----------
    X, y : array-like
        All rows.
    split : (train, test)
        Row numbers.
    fit_params : dict
        For ``fit``, under the names that `cross_validate` takes.
    seed : int or None
        Replaces a ``random_state`` of None.
    """

    def __init__(self, X, y, split, fit_params, seed):
        self._X, self._y = X, y
        self._split = split
        self._fit_params = fit_params
        self._seed = seed
        self._recorded = None
        self._templates = {}

    def prepare(self, candidate, network_key):
        """Fit the steps before the network.

        Parameters
        ----------
        candidate : estimator
            Not fitted; left as it is.
        network_key : hashable
            Equal for candidates whose networks differ in `STACKED` at most.

        Returns
        -------
        PendingFit or estimator
            The fitted estimator if the candidate does not end in a network.
        """
        network = final_network(candidate)
        if network is None:
            return self._fit(candidate)
        if self._recorded is None:
            recorder = FitArgsRecorder(network)
            self._recorded = self._fit(_with_last_step(clone(candidate), recorder))
        if network_key not in self._templates:
            self._templates[network_key] = self._template(network)
        network, task = _stacked(*self._templates[network_key], network)
        return PendingFit(self._recorded, network, task)

    def _fit(self, estimator):
        return cross_validate(
            estimator,
            self._X,
            self._y,
            cv=[self._split],
            params=self._fit_params,
            scoring=_no_score,
            error_score="raise",
            return_estimator=True,
        )["estimator"][0]

    def _template(self, network):
        """A network that has seen its rows, and its task."""
        recorder = _last_step(self._recorded)
        template = clone(network)
        if network.random_state is None:
            template.random_state = self._seed
        task = template._prepare_task(recorder.X_, recorder.y_, **recorder.params_)
        template.random_state = network.random_state
        return template, task


def _stacked(template, task, network):
    """Copies of the template and its task, with `STACKED` as the network has them."""
    copied = copy(template).set_params(
        **{name: getattr(network, name) for name in STACKED}
    )
    settings = resolve(copied)
    return copied, replace(
        task, regularization=settings.regularization, optimizer=settings.optimizer
    )


class FitArgsRecorder(BaseEstimator):
    """Takes the place of a network and keeps the arguments of its ``fit``."""

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
    """`cross_validate` must score, but a recorder can't predict."""
    return 0.0


def _last_step(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _with_last_step(estimator, last):
    """A copy of the estimator with another last step; the other steps are shared."""
    if not isinstance(estimator, Pipeline):
        return last
    pipeline = copy(estimator)
    pipeline.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], last)]
    return pipeline
