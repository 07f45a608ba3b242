"""Ensembles of networks that differ in parameters and seeds, as estimators."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    is_classifier,
    is_regressor,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _num_samples, check_is_fitted

from skreg._xla.interrupts import import_keras
from skreg._estimators.base import DocLinkMixin, all_or_nothing
from skreg._estimators.callback_support import (
    CallbackSupportMixin,
    one_task,
    with_callbacks,
)
from skreg._estimators.types import MatrixLike
from skreg._search.callback_tasks import SearchTask
from skreg._search.candidates import make_candidate
from skreg._search.composite import find_network, split_network
from skreg._search.fitting import CandidateFitter
from skreg._search.refit import Refit
from skreg._search.workers import Workers, return_as
from skreg._training.task import ProgramScope

if TYPE_CHECKING:
    import keras

MAX_SEED = np.iinfo(np.int32).max


class _Ensemble(
    DocLinkMixin,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class; the classes below differ in what is averaged."""

    def __init__(
        self,
        estimator: BaseEstimator,
        params: Sequence[Mapping[str, Any]],
        *,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.params = params
        self.n_jobs = n_jobs

    def fit(self, X: MatrixLike, y: MatrixLike, **params: Any) -> Self:
        """Fit all members on all rows, networks of equal shape together.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **params : dict of str to object
            Passed on to ``fit`` of each member.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable, or if a member can't be fitted.
            The ensemble is then left as it was.
        """
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).estimator.fit
        with all_or_nothing(self):
            return self._fit(X, y, params)

    @with_callbacks
    def _fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        params: dict[str, Any],
        scope: ProgramScope | None = None,
    ) -> Self:
        """`fit`, with the scope of a program that was compiled for it, if there is."""
        self._check_params()
        X, y = indexable(X, y)
        fitter = CandidateFitter(
            X,
            y,
            params,
            cv=None,
            split_params={},
            parallel=Parallel(self.n_jobs, return_as=return_as()),
            workers=Workers(self.n_jobs, "2*n_jobs"),
            group_size=None,
            refit=Refit(0),
            raise_errors=True,
            check_refit=None,
            visible=False,
            scope=scope,
        )
        every_row = [(np.arange(_num_samples(X)), np.arange(0))]
        with one_task(self, X, y):
            fits = fitter.fit_all(
                self.estimator, self._seeded(), every_row, SearchTask(self, None)
            )
            self.estimators_ = [fit.outcome for fit in fits]
        self.__dict__.pop("model_", None)  # of an earlier fit
        return self

    @abstractmethod
    def _check_params(self) -> None:
        if isinstance(self.params, Mapping | str) or not (
            len(self.params) and all(isinstance(p, Mapping) for p in self.params)
        ):
            raise ValueError(
                "params must be a sequence of dicts, one per member and at least one, "
                f"got {self.params!r}."
            )

    def _seeded(self) -> list[dict[str, Any]]:
        """The parameters of each member, with a seed of its own for its network."""
        settings = []
        for i, params in enumerate(self.params):
            candidate = make_candidate(self.estimator, dict(params))
            settings.append(dict(params))
            path, network = find_network(candidate.estimator)
            if network is not None:
                seeds = check_random_state(network.random_state).randint(
                    MAX_SEED, size=i + 1
                )
                settings[i]["__".join([*path, "random_state"])] = int(seeds[i])
        return settings

    def predict_members(self, X: MatrixLike) -> NDArray[np.floating]:
        """What each member predicts: how far they differ shows how certain they are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes) for a classifier, else \
(n_members, n_samples) or (n_members, n_samples, n_outputs)
            Probabilities, or numbers in the units of `y`. Their standard deviation
            along the first axis is the spread of the members.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` has other columns than in `fit`, or entries that are not finite.
        """
        check_is_fitted(self)
        values = dict(self._values_of_members(X))
        return np.stack([values[i] for i in range(len(values))])

    def _mean(self, X: MatrixLike) -> NDArray[np.floating]:
        check_is_fitted(self)
        # One after the other: all at once would take n_members times the memory.
        total: Any = 0
        for _, values in self._values_of_members(X):
            total = total + values
        return total / len(self.estimators_)

    def _values_of_members(
        self, X: MatrixLike
    ) -> Iterator[tuple[int, NDArray[np.floating]]]:
        """The number of each member and its values, in any order.

        Members that share the fitted steps before the network are taken together.
        """
        shared: dict[tuple[int, ...], list[int]] = {}
        for i, member in enumerate(self.estimators_):
            steps, network = split_network(member)
            if network is None:
                yield i, self._values(member, X)
            else:
                shared.setdefault(tuple(id(step) for _, step in steps), []).append(i)
        for numbers in shared.values():
            steps, network = split_network(self.estimators_[numbers[0]])
            rows = Pipeline(steps).transform(X) if steps else X
            rows = network._validated_rows(rows)
            for i in numbers:
                _, network = split_network(self.estimators_[i])
                yield i, network._values(network._forward(rows))

    @abstractmethod
    def _values(self, member: BaseEstimator, X: MatrixLike) -> NDArray[np.floating]:
        """What is averaged."""

    @cached_property
    def model_(self) -> keras.Model:
        """The mean of the members' networks, a plain `keras.Model`.

        Takes rows as the networks do: after the steps before them, which must be the
        same for all members.
        """
        import_keras()
        from skreg._training.network import average_network

        check_is_fitted(self)
        parts = [split_network(member) for member in self.estimators_]
        of_steps = {tuple(id(step) for _, step in steps) for steps, _ in parts}
        networks = [network for _, network in parts if network is not None]
        if len(of_steps) > 1 or len(networks) < len(parts):
            raise AttributeError(
                "model_ needs members that are networks, or Pipelines that end in one "
                "and agree in the steps before it."
            )
        return average_network(
            [network.model_ for network in networks], networks[0]._architecture
        )

    @property
    def n_features_in_(self) -> int:
        """Number of columns."""
        check_is_fitted(self)
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns, where `X` has them."""
        check_is_fitted(self)
        return self.estimators_[0].feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Get metadata routing of this object.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            What `fit` passes on to the members.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("model_", None)  # rebuilt from the members when asked for
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_member = get_tags(self.estimator)
        tags.input_tags = of_member.input_tags
        tags.target_tags = of_member.target_tags
        tags.classifier_tags = of_member.classifier_tags
        tags.regressor_tags = of_member.regressor_tags
        return tags


class MLPEnsembleClassifier(ClassifierMixin, _Ensemble):
    """Classifier that averages the probabilities of several networks.

    The members differ in parameters and seeds: each draws starting weights, the order
    of the rows and dropout noise of its own [1]_. They are trained together as those of
    a `BatchedGridSearchCV` are. Searches fit one with ``ensemble_size``.

    Parameters
    ----------
    estimator : estimator
        A `RegularizedMLPClassifier`, or an estimator that ends in one, see
        `BatchedGridSearchCV`. Its ``random_state`` determines the members' seeds. Any
        other classifier with ``predict_proba`` is fitted as a whole, as it is.
    params : sequence of dict
        Parameters that each member sets, by their names in `estimator`; ``{}`` changes
        its seed only.
    n_jobs : int, default=None
        Number of groups of members that are trained at the same time, as for
        `BatchedGridSearchCV`.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted members.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them.
    model_ : keras.Model
        Gives the mean of the probabilities, in plain Keras: for members that agree in
        the steps before the network.

    See Also
    --------
    MLPEnsembleRegressor : For numbers.
    sklearn.ensemble.VotingClassifier : Averages estimators of any kind.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable
       predictive uncertainty estimation using deep ensembles", NIPS 2017,
       :arxiv:`1612.01474`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import MLPEnsembleClassifier, RegularizedMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = RegularizedMLPClassifier((16,), epochs=50, random_state=0)
    >>> members = [{"dropout": 0.0}, {"dropout": 0.2}, {"dropout": 0.2}]
    >>> ensemble = MLPEnsembleClassifier(mlp, members).fit(X, y)
    >>> ensemble.predict_members(X).shape
    (3, 150, 3)
    """

    __module__ = "skreg"

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,), or ndarray or csr_matrix (n_samples, n_labels)
            The label of the highest mean probability, in the dtype of `classes_`; where
            a row may have several, 1 for those of a mean probability above a half.
        """
        proba = self._mean(X)
        _, network = split_network(self.estimators_[0])
        if network is None or not network._multilabel:
            return self.classes_[proba.argmax(axis=1)]
        labels = (proba > 0.5).astype(int)
        return csr_matrix(labels) if network._sparse_labels else labels

    def predict_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict probabilities: the mean of those of the members.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._mean(X)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict logarithms of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self._mean(X))

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels."""
        check_is_fitted(self)
        return self.estimators_[0].classes_

    def _values(self, member, X):
        return member.predict_proba(X)

    def _check_params(self):
        super()._check_params()
        if not (is_classifier(self.estimator) and _has(self, "predict_proba")):
            raise TypeError(
                "estimator must be a classifier with predict_proba, "
                f"got {self.estimator!r}."
            )


class MLPEnsembleRegressor(RegressorMixin, _Ensemble):
    """Regressor that averages the predictions of several networks.

    See `MLPEnsembleClassifier`.

    Parameters
    ----------
    estimator : estimator
        A `RegularizedMLPRegressor`, or an estimator that ends in one. Any other
        regressor is fitted as a whole, as it is.
    params : sequence of dict
        Parameters that each member sets, by their names in `estimator`.
    n_jobs : int, default=None
        Number of groups of members that are trained at the same time.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted members.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them.
    model_ : keras.Model
        Gives the mean in the units of `y`, in plain Keras: for members that agree in
        the steps before the network.

    See Also
    --------
    MLPEnsembleClassifier : For labels, and in more detail.
    sklearn.ensemble.VotingRegressor : Averages estimators of any kind.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPEnsembleRegressor, RegularizedMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mlp = RegularizedMLPRegressor((16,), epochs=20, random_state=0)
    >>> ensemble = MLPEnsembleRegressor(mlp, [{}, {}, {}]).fit(X, y)
    >>> ensemble.predict_members(X).std(axis=0).shape
    (442,)
    """

    __module__ = "skreg"

    def predict(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict targets: the mean of the members' predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of `y`.
        """
        return self._mean(X)

    def _values(self, member, X):
        return member.predict(X)

    def _check_params(self):
        super()._check_params()
        if not is_regressor(self.estimator):
            raise TypeError(f"estimator must be a regressor, got {self.estimator!r}.")


def _has(ensemble, method):
    return hasattr(ensemble.estimator, method)
