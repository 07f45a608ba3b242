"""One fold of a search: everything that is fitted before a network is trained.

The steps before the network are fitted once per fold for each of their settings, with
a recorder in the place of the network. So rows, weights and metadata reach the network
as they would in any other search.
"""

import inspect
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_array, get_tags
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from skreg._xla.interrupts import import_keras
from skreg._xla.pages import shareable
from skreg._estimators.base import FLOATS, RegularizedMLP, draw_seed
from skreg._estimators.parameters import resolve
from skreg._search.callback_tasks import CandidateTasks, Evaluation, NetworkFit
from skreg._search.candidates import STACKED, Candidate
from skreg._search.composite import (
    assemble,
    fitted_network,
    passes_rows_on,
    replace_network,
)
from skreg._training.initialization import initial_weights
from skreg._training.task import Task, TrainedNetwork


@dataclass(frozen=True)
class PendingFit:
    """A candidate on a fold, fitted up to its network, which is still to be trained.

    Attributes
    ----------
    candidate : estimator
        Not fitted.
    steps : estimator
        The candidate, fitted, with something else in the network's place.
    network : RegularizedMLP
        Has seen its rows.
    task : Task
        The network's whole training.
    earlier : TrainedNetwork or None
        What the first epochs of it have given already.
    resumable : bool
        Whether another training may go on from where this one ends.
    """

    candidate: BaseEstimator
    steps: BaseEstimator
    network: RegularizedMLP
    task: Task
    earlier: TrainedNetwork | None = None
    resumable: bool = False

    @property
    def n_done(self) -> int:
        """Epochs that `earlier` has run."""
        return 0 if self.earlier is None else len(self.earlier.history["loss"])

    @property
    def remaining(self) -> Task:
        """What is still to be trained; perhaps no epoch."""
        task = self.task if self.earlier is None else self.task.after(self.earlier)
        return replace(task, resumable=task.resumable or self.resumable)

    def whole(self, trained: TrainedNetwork) -> TrainedNetwork:
        """The whole training, of which `trained` is what remained."""
        return trained if self.earlier is None else trained.after(self.earlier)

    def fitted(self, trained: TrainedNetwork) -> BaseEstimator:
        """The candidate with its trained network."""
        network = copy(self.network)
        network._set_fitted_attributes(self.task, trained)
        return assemble(self.candidate, self.steps, network)

    def untrained(self) -> BaseEstimator:
        """The candidate with the weights that training starts from."""
        weights = initial_weights(self.task)
        history = {"loss": [np.nan]}
        return self.fitted(TrainedNetwork(*weights, history, 1, optimizer_state=None))


def fit_on_fold(estimator, X, y, split, fit_params):
    """Fit an estimator on the training rows of a fold, as scikit-learn's search does.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
        All rows.
    split : (train, test)
        Row numbers.
    fit_params : dict
        For the estimator's ``fit``; what has one entry per row is cut.

    Returns
    -------
    estimator
        The one that was given, whatever its ``fit`` returns.
    """
    train, _ = split
    X_train, y_train = _safe_split(estimator, X, y, train)
    targets = () if y_train is None else (y_train,)
    estimator.fit(X_train, *targets, **_check_method_params(X, fit_params, train))
    return estimator


class AllRows:
    """All rows of a search as one table, for networks that see them unchanged.

    Parameters
    ----------
    X : array-like
    """

    def __init__(self, X):
        self._X = X

    @cached_property
    def table(self):
        """None where it can't be made: then not every fold can be fitted either."""
        try:
            table = check_array(
                self._X,
                dtype=FLOATS,
                accept_sparse="csr",
                ensure_all_finite=False,  # which each fold checks for its rows
            )
        except (TypeError, ValueError):
            return None
        return _shareable(table)


def _shareable(table):
    """A table that no group needs to copy."""
    return table if sparse.issparse(table) else shareable(table)


class Fold:
    """One fold, for candidates whose steps before the network agree.

    Holds the rows that its networks are trained on, once for all of them.

    Parameters
    ----------
    X, y, fit_params
        See `fit_on_fold`.
    seed : int or None
        Replaces a ``random_state`` of None.
    all_rows : AllRows
        Of `X`.
    split : (train, test)
        Row numbers.

    Attributes
    ----------
    n_bytes : int
        Bytes of the rows that only this fold has.
    """

    def __init__(self, X, y, fit_params, seed, all_rows, split):
        self._fold = X, y, split, fit_params
        self._seed = seed
        self._all_rows = all_rows
        self._steps = self._fit_args = None
        self._table = self._numbers = None
        self._templates = {}
        self.n_bytes = 0

    def prepare(
        self, candidate: Candidate, evaluation: Evaluation | None = None
    ) -> PendingFit:
        """Fit the steps before the network, and validate what it is trained on.

        With an evaluation, its callbacks will be told of the network's training.
        """
        import_keras()
        from skreg._training.dispatch import check_engine  # imports TensorFlow

        estimator, network = candidate.estimator, candidate.network
        if self._steps is None:
            recorder = FitArgsRecorder(network)
            steps = replace_network(candidate.new_estimator(), recorder)
            self._steps = fit_on_fold(steps, *self._fold)
            self._fit_args = fitted_network(estimator, self._steps).hand_over()
        if candidate.network_key not in self._templates:
            self._templates[candidate.network_key] = self._template(candidate)
        template, task = self._templates[candidate.network_key]
        network, task = _stacked(template, task, network, self._seed)
        check_engine(task)
        if evaluation is not None:
            X, y, params = self._fit_args
            fit = NetworkFit(network, task, X, y, params.get("sample_weight"))
            up_to_network = assemble(estimator, self._steps, network)
            task = replace(task, hooks=CandidateTasks(evaluation, up_to_network, fit))
        return PendingFit(estimator, self._steps, network, task)

    def _template(self, candidate):
        """A network that has seen its rows, and its task."""
        network = candidate.network
        template = clone(network)
        if network.random_state is None:
            template.random_state = self._seed
        X, y, params = self._fit_args
        task = template._prepare_task(X, y, **params)
        template.random_state = network.random_state
        return template, self._on_shared_table(task, candidate)

    def _on_shared_table(self, task, candidate):
        """The task, its rows those of one table of all networks that see them."""
        own = task.training.table
        if self._table is None:
            self._choose_table(own, passes_rows_on(candidate.estimator))

        def share(rows):
            if rows is None or rows.table is not own:  # X_val
                return rows
            return replace(rows, table=self._table, numbers=self._numbers[rows.numbers])

        return replace(
            task, training=share(task.training), validation=share(task.validation)
        )

    def _choose_table(self, own, unchanged):
        _, _, (train, _), _ = self._fold
        table = self._all_rows.table if unchanged else None
        if table is not None and table.dtype == own.dtype:
            self._table, self._numbers = table, np.arange(table.shape[0])[train]
        else:
            self._table, self._numbers = _shareable(own), np.arange(own.shape[0])
            self.n_bytes = _n_bytes(own)


def _n_bytes(table):
    """Bytes of a table, dense or CSR."""
    if sparse.issparse(table):
        return table.data.nbytes + table.indices.nbytes + table.indptr.nbytes
    return table.nbytes


def _stacked(template, task, network, common_seed):
    """Copies of the template and its task, with `STACKED` as the network has them."""
    copied = copy(template)
    for name in STACKED:
        setattr(copied, name, getattr(network, name))
    settings = resolve(copied)
    random_state = network.random_state
    seed = draw_seed(common_seed if random_state is None else deepcopy(random_state))
    return copied, replace(
        task,
        regularization=settings.regularization,
        optimizer=settings.optimizer,
        ema_momentum=settings.ema_momentum,
        seed=seed,
    )


class FitArgsRecorder(BaseEstimator):
    """Takes the place of a network and keeps the arguments of its ``fit``."""

    def __init__(self, network):
        self.network = network

    def fit(self, X, y=None, **params):
        fit = type(self.network).fit
        try:  # What it does not take would reach private functions instead.
            inspect.signature(fit).bind(self.network, X, y, **params)
        except TypeError as error:
            raise TypeError(f"{fit.__qualname__}() {error}") from None
        self._fit_args = X, y, params
        return self

    def hand_over(self):
        """The arguments, X, y and a dict, of which nothing is kept."""
        return self.__dict__.pop("_fit_args")

    def predict(self, X):
        """Never called, but `TransformedTargetRegressor` demands that there is one."""
        raise NotImplementedError

    def get_metadata_routing(self):
        return self.network.get_metadata_routing()

    def __sklearn_tags__(self):
        return get_tags(self.network)
