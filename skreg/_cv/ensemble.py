"""Ensembles of networks that differ in parameters and seeds, as estimators."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
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
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skreg._cv.members import final_network, fit_members, seeded_members
from skreg._cv.parallel import workers
from skreg._estimators.base import (
    DocLinkMixin,
    HiddenModelMixin,
    RegularizedMLP,
    all_or_nothing,
)
from skreg._estimators.callback_support import (
    CallbackSupportMixin,
    fit_context,
    with_callbacks,
)
from skreg._estimators.types import MatrixLike

if TYPE_CHECKING:
    import keras


class MLPEnsemble(
    DocLinkMixin,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    BaseEstimator,
    HiddenModelMixin,
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
        """Fit all members on all rows.

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
    def _fit(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        self._check_params()
        members = seeded_members(self.estimator, self.params)
        with workers(self.n_jobs) as run, fit_context(self, X, y):
            fitted = fit_members(members, X, y, params, run)
            for outcome in fitted:
                if isinstance(outcome, Exception):
                    raise outcome
            self._set_members(fitted)
        return self

    def _set_members(self, fitted: list[Any]) -> Self:
        self.estimators_ = fitted
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
        return np.stack([self._values(member, X) for member in self.estimators_])

    def _mean(self, X: MatrixLike) -> NDArray[np.floating]:
        check_is_fitted(self)
        # One after the other: all at once would take n_members times the memory.
        total: Any = 0
        for member in self.estimators_:
            total = total + self._values(member, X)
        return total / len(self.estimators_)

    @abstractmethod
    def _values(self, member: BaseEstimator, X: MatrixLike) -> NDArray[np.floating]:
        """What is averaged."""

    @cached_property
    def model_(self) -> keras.Model:
        """The mean of the members' networks, a plain `keras.Model`.

        Takes rows as the networks do: after the steps before them, which must be the
        same for all members.
        """
        check_is_fitted(self)
        networks = [final_network(member) for member in self.estimators_]
        found = [network for network in networks if network is not None]
        if len(found) < len(networks) or not self._members_differ_in_networks_only():
            raise AttributeError(
                "model_ needs members that are networks, or Pipelines that end in one "
                "and agree in the steps before it."
            )
        models = [network.model_ for network in found]
        # Imported here, as it imports TensorFlow: predicting has no need of it.
        from skreg._training.keras.network import average_network

        return average_network(models, found[0]._architecture)

    def _members_differ_in_networks_only(self) -> bool:
        """Whether no member sets a parameter of the steps before its network."""
        path, part = [], self.estimator
        while isinstance(part, Pipeline):
            path.append(part.steps[-1][0])
            part = part.steps[-1][1]
        prefix = "".join(f"{name}__" for name in path)
        names = {name for params in self.params for name in params}
        return isinstance(part, RegularizedMLP) and all(
            name.startswith(prefix) for name in names
        )

    @property
    def used_features_(self) -> NDArray[np.bool_]:
        """Which columns any member uses, of shape (`n_features_in_`,)."""
        return np.any([one.used_features_ for one in self._networks()], axis=0)

    @property
    def feature_importances_(self) -> NDArray[np.floating]:
        """Mean importance of each column, of sum 1, of shape (`n_features_in_`,)."""
        return np.mean([one.feature_importances_ for one in self._networks()], axis=0)

    def _networks(self) -> list[RegularizedMLP]:
        """The members, where each of them is a network."""
        check_is_fitted(self)
        networks = [m for m in self.estimators_ if isinstance(m, RegularizedMLP)]
        if len(networks) < len(self.estimators_):
            raise AttributeError(
                "used_features_ and feature_importances_ need members that are "
                "networks: the columns of others are not those of X."
            )
        return networks

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
        member = get_tags(self.estimator)
        tags.input_tags = member.input_tags
        tags.target_tags = member.target_tags
        tags.classifier_tags = member.classifier_tags
        tags.regressor_tags = member.regressor_tags
        return tags


class MLPEnsembleClassifier(ClassifierMixin, MLPEnsemble):
    """Classifier that averages the probabilities of several networks.

    The members differ in parameters and seeds: each draws starting weights, the order
    of the rows and dropout noise of its own [1]_. `RegularizedMLPClassifierCV` chooses
    and fits one.

    Parameters
    ----------
    estimator : estimator
        A `RegularizedMLPClassifier`, or a `sklearn.pipeline.Pipeline` that ends in one,
        whose ``random_state`` determines the members' seeds. Any other classifier with
        ``predict_proba`` is fitted as it is.
    params : sequence of dict
        Parameters that each member sets, by their names in `estimator`; ``{}`` changes
        its seed only.
    n_jobs : int, default=None
        Number of members that are fitted at the same time, on threads unless a
        `joblib.parallel_config` says otherwise; None means 1 unless it says otherwise,
        and -1 means as many as there are cores.

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
    used_features_ : ndarray of shape (`n_features_in_`,), bool
        Which columns any member uses, where members are networks.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Norms of the columns' weights in the first layer, scaled to sum 1; the mean over
        the members.
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
        network = final_network(self.estimators_[0])
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


class MLPEnsembleRegressor(RegressorMixin, MLPEnsemble):
    """Regressor that averages the predictions of several networks.

    See `MLPEnsembleClassifier`.

    Parameters
    ----------
    estimator : estimator
        A `RegularizedMLPRegressor`, or a `sklearn.pipeline.Pipeline` or
        `sklearn.compose.TransformedTargetRegressor` that ends in one, whose
        ``random_state`` determines the members' seeds. Any other regressor is fitted as
        it is.
    params : sequence of dict
        Parameters that each member sets, by their names in `estimator`.
    n_jobs : int, default=None
        Number of members that are fitted at the same time, as for
        `MLPEnsembleClassifier`.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted members.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them.
    used_features_ : ndarray of shape (`n_features_in_`,), bool
        Which columns any member uses, where members are networks.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Norms of the columns' weights in the first layer, scaled to sum 1; the mean over
        the members.
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
