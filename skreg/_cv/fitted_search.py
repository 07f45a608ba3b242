"""An estimator that has chosen: its attributes, and what it predicts."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._cv.front_end import check_table, source_columns, transform
from skreg._estimators.base import RegularizedMLP
from skreg._estimators.common import (
    FLOATS,
    Estimator,
    MembersMixin,
    numbers_explained,
)
from skreg._estimators.types import MatrixLike

if TYPE_CHECKING:
    import keras


class FittedSearch(MembersMixin, Estimator):
    """Base class of the estimators that choose: what they can do once fitted."""

    best_params_: dict[str, Any]
    best_estimator_: BaseEstimator
    preprocessor_: ColumnTransformer | None

    @abstractmethod
    def _network(self) -> RegularizedMLP:
        """The network, without the regularization that is to be chosen."""

    def _best_value(self, name: str) -> Any:
        """A parameter of the best candidate, or of a network if none was compared."""
        check_is_fitted(self)
        network: Any = self.best_estimator_
        if not isinstance(network, RegularizedMLP):
            members = network.estimators_
            network = network.estimator if self.best_params_ else members[0]
        return self.best_params_.get(name, getattr(network, name))

    @property
    def epochs_(self) -> int:
        """Number of epochs that the best candidate had."""
        return self._best_value("epochs")

    @property
    def l1_(self) -> Any:
        """Strength of the L1 penalty of the best candidate, float or sequence."""
        return self._best_value("l1")

    @property
    def l2_(self) -> Any:
        """Strength of the L2 penalty of the best candidate, float or sequence."""
        return self._best_value("l2")

    @property
    def group_l1_(self) -> float:
        """Strength of the group lasso of the best candidate, float."""
        return self._best_value("group_l1")

    @property
    def dropout_(self) -> Any:
        """Dropout rate of the best candidate, float or sequence."""
        return self._best_value("dropout")

    @property
    def learning_rate_(self) -> float | None:
        """Learning rate of the best candidate, float; None means Keras' default."""
        return self._best_value("learning_rate")

    @property
    def used_features_(self) -> NDArray[np.bool_]:
        """Whether any network uses a column, of shape (`n_features_in_`,), bool."""
        check_is_fitted(self)
        used = self.best_estimator_.used_features_
        return self._sum_by_column(used.astype(float)) > 0

    @property
    def feature_importances_(self) -> NDArray[np.floating]:
        """Importance of each column, of shape (`n_features_in_`,) and sum 1.

        The mean over the networks; see `RegularizedMLPClassifier`.
        """
        check_is_fitted(self)
        return self._sum_by_column(self.best_estimator_.feature_importances_)

    def _sum_by_column(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums over what networks take, for each column of X, (`n_features_in_`,)."""
        if self.preprocessor_ is None:
            return values
        return np.bincount(
            source_columns(self.preprocessor_), values, minlength=self.n_features_in_
        )

    @property
    def model_(self) -> keras.Model:
        """The fitted network, or the mean of several, in plain Keras."""
        check_is_fitted(self)
        return self.best_estimator_.model_

    def _predict(self, X):
        X = self._validated_rows(X)
        return self.best_estimator_.predict(X)

    def _predict_members(self, X):
        X = self._validated_rows(X)
        if isinstance(self.best_estimator_, RegularizedMLP):
            return self.best_estimator_._values(self.best_estimator_._outputs(X))[None]
        return self.best_estimator_.predict_members(X)

    def _validated_rows(self, X: MatrixLike) -> Any:
        check_is_fitted(self)
        if self.preprocessor_ is None:
            with numbers_explained(self):
                return validate_data(
                    self, X, reset=False, dtype=FLOATS, accept_sparse="csr"
                )
        table = check_table(X)
        validate_data(self, table, reset=False, skip_check_array=True)
        return transform(self.preprocessor_, table)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")
