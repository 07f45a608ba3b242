"""Ensembles of networks that differ in parameters and seeds, as estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
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
from skreg._estimators.base import RegularizedMLP
from skreg._estimators.callback_support import fit_context, with_callbacks
from skreg._estimators.common import (
    Estimator,
    MembersMixin,
    MLPClassifierMixin,
    MLPRegressorMixin,
    all_or_nothing,
    flat_column,
)
from skreg._estimators.types import MatrixLike
from skreg._estimators.validation import are_dicts

if TYPE_CHECKING:
    import keras


class MLPEnsemble(MembersMixin, MetaEstimatorMixin, Estimator):
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

    def fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Fit all members on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for ``fit`` of each member; None means 1 each. Members
            that are Pipelines take them as ``step__sample_weight`` instead.
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
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).estimator.fit
        with all_or_nothing(self):
            return self._fit(X, y, params)

    @with_callbacks
    def _fit(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        self._check_params()
        y = flat_column(y)
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
        if not are_dicts(self.params):
            raise ValueError(
                "params must be a sequence of dicts, one per member and at least one, "
                f"got {self.params!r}."
            )

    def _predict_members(self, X):
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
        """The mean of what the members' networks predict, in plain Keras.

        It takes rows as the networks do: after the steps before them, which must be the
        same for all members. A regressor's gives numbers in the units of `y`.
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
        """Whether any member uses a column, of shape (`n_features_in_`,), bool.

        Only where members are networks.
        """
        return np.any([one.used_features_ for one in self._networks()], axis=0)

    @property
    def feature_importances_(self) -> NDArray[np.floating]:
        """Importance of each column, of shape (`n_features_in_`,) and sum 1.

        The mean over the members, where they are networks.
        """
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
        """Names of the columns, of shape (`n_features_in_`,), where `X` has names."""
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
        state = super().__getstate__()
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


class MLPEnsembleClassifier(MLPClassifierMixin, MLPEnsemble):
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
    classes_
    n_features_in_
    feature_names_in_
    used_features_
    feature_importances_
    model_

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

    def _predict(self, X):
        proba = self._mean(X)
        network = final_network(self.estimators_[0])
        if network is None or not network._labels.multilabel:
            return self.classes_[proba.argmax(axis=1)]
        labels = (proba > 0.5).astype(int)
        return csr_matrix(labels) if network._labels.sparse else labels

    def _predict_proba(self, X):
        return self._mean(X)

    def _predict_log_proba(self, X):
        with np.errstate(divide="ignore"):
            return np.log(self._mean(X))

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels, of shape (n_classes,)."""
        check_is_fitted(self)
        return self.estimators_[0].classes_

    def _values(self, member, X):
        return member.predict_proba(X)

    def _check_params(self):
        super()._check_params()
        if not (
            is_classifier(self.estimator) and hasattr(self.estimator, "predict_proba")
        ):
            raise TypeError(
                "estimator must be a classifier with predict_proba, "
                f"got {self.estimator!r}."
            )


class MLPEnsembleRegressor(MLPRegressorMixin, MLPEnsemble):
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
    n_features_in_
    feature_names_in_
    used_features_
    feature_importances_
    model_

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

    def _predict(self, X):
        return self._mean(X)

    def _values(self, member, X):
        return member.predict(X)

    def _check_params(self):
        super()._check_params()
        if not is_regressor(self.estimator):
            raise TypeError(f"estimator must be a regressor, got {self.estimator!r}.")
