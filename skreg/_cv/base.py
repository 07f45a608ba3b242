"""What the classifier and the regressor with built-in cross-validation share."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from math import floor, log
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, check_scalar, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._cv.space import default_distributions
from skreg._cv.time_limit import Countdown, Probe, fit_in_time
from skreg._estimators.base import (
    FLOATS,
    DocLinkMixin,
    RegularizedMLP,
    all_or_nothing,
    draw_seed,
)
from skreg._estimators.callback_support import (
    CallbackSupportMixin,
    one_task,
    with_callbacks,
)
from skreg._estimators.types import MatrixLike
from skreg._estimators.validation import check_weights
from skreg._search.halving import BatchedHalvingRandomSearchCV

if TYPE_CHECKING:
    import keras

FACTOR = 3
# The first rung has a ninth of the epochs at least: overfitting, and with it what
# regularization is good for, shows late.
MAX_RUNGS = 3


class RegularizedMLPCV(
    DocLinkMixin, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base class; the classes below differ in the network, the score, predictions."""

    @abstractmethod
    def _network(self) -> RegularizedMLP:
        """The network, without the regularization that is to be chosen."""

    @abstractmethod
    def _default_scoring(self) -> str | Callable[..., float]:
        """How candidates are scored unless `scoring` says otherwise."""

    def fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the regularization, and fit the network or the ensemble on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, of columns of similar scale. float32 is trained in float32,
            anything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; None means 1 each.
        groups : array-like of shape (n_samples,), default=None
            For a splitter such as `sklearn.model_selection.GroupKFold`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable, before anything is trained. The
            estimator is then left as it was, as it is by any other error, and by an
            interrupt.
        """
        with all_or_nothing(self):
            return self._fit(X, y, sample_weight, groups)

    @with_callbacks
    def _fit(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Self:
        n_candidates = check_scalar(
            self.n_candidates, "n_candidates", Integral, min_val=1
        )
        limit = self.time_limit
        if limit is not None:
            check_scalar(
                limit, "time_limit", Real, min_val=0, include_boundaries="neither"
            )
            countdown = Countdown(limit)
        random_state = check_random_state(self.random_state)
        network = self._network().set_params(random_state=draw_seed(random_state))
        search_seed = draw_seed(random_state)
        X, y = validate_data(
            self, X, y, dtype=FLOATS, accept_sparse="csr", multi_output=True
        )
        weights = {}
        if sample_weight is not None:
            weights["sample_weight"] = check_weights(
                sample_weight, X.shape[0], "sample_weight"
            )
        # Raises what would else fail every candidate.
        network._prepare_task(X, y, **weights)

        def search(n_candidates: int, seconds: float | None) -> BaseEstimator:
            search = self._search(network, n_candidates, seconds, search_seed)
            with one_task(self, X, y, search):
                return search.fit(X, y, groups=groups, **weights)

        if limit is None:
            fitted = search(n_candidates, None)
        else:
            cv = check_cv(self.cv, y, classifier=is_classifier(self))
            n_splits = cv.get_n_splits(X, y, groups)
            epochs = _first_rung(self.epochs, n_candidates) * (n_splits - 1)
            probe = Probe(network, X, y, *weights.values())
            fitted = fit_in_time(search, probe, n_candidates, epochs, countdown, limit)
        self.__dict__.pop("search_", None)
        if isinstance(fitted, RegularizedMLP):
            self.best_estimator_ = fitted
        else:
            self.search_, self.best_estimator_ = fitted, fitted.best_estimator_
        return self

    def _search(
        self,
        network: RegularizedMLP,
        n_candidates: int,
        seconds: float | None,
        random_state: int,
    ) -> BatchedHalvingRandomSearchCV:
        return BatchedHalvingRandomSearchCV(
            network,
            self.param_distributions or default_distributions(),
            n_candidates=n_candidates,
            factor=FACTOR,
            min_resources=_first_rung(self.epochs, self.n_candidates),
            cv=self.cv,
            scoring=self.scoring or self._default_scoring(),
            return_train_score=False,
            random_state=random_state,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            ensemble_size=self.ensemble_size,
            time_limit=seconds,
        )

    @property
    def cv_results_(self) -> dict[str, Any]:
        """Scores of the candidates."""
        check_is_fitted(self)
        return self.search_.cv_results_

    def _of_best(self, name: str) -> Any:
        """A parameter of the best candidate."""
        check_is_fitted(self)
        chosen = self.search_.best_params_ if hasattr(self, "search_") else {}
        return chosen.get(name, getattr(self._network(), name))

    @property
    def l1_(self) -> Any:
        """Strength of the L1 penalty of the best candidate."""
        return self._of_best("l1")

    @property
    def l2_(self) -> Any:
        """Strength of the L2 penalty of the best candidate."""
        return self._of_best("l2")

    @property
    def group_l1_(self) -> float:
        """Strength of the group lasso of the best candidate."""
        return self._of_best("group_l1")

    @property
    def dropout_(self) -> Any:
        """Dropout rate of the best candidate."""
        return self._of_best("dropout")

    @property
    def learning_rate_(self) -> float | None:
        """Learning rate of the best candidate."""
        return self._of_best("learning_rate")

    @property
    def model_(self) -> keras.Model:
        """The fitted network, or the mean of several, in plain Keras."""
        check_is_fitted(self)
        return self.best_estimator_.model_

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As `y` was in `fit`.
        """
        X = self._validated_rows(X)
        return self.best_estimator_.predict(X)

    def predict_members(self, X: MatrixLike) -> NDArray[np.floating]:
        """What each member of the ensemble predicts, for a measure of uncertainty.

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
        """
        X = self._validated_rows(X)
        if isinstance(self.best_estimator_, RegularizedMLP):
            return self.best_estimator_._values(self.best_estimator_._outputs(X))[None]
        return self.best_estimator_.predict_members(X)

    def _validated_rows(self, X: MatrixLike) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS, accept_sparse="csr")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_network = get_tags(self._network())
        tags.input_tags = of_network.input_tags
        tags.target_tags = of_network.target_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags = of_network.classifier_tags
        return tags


def _first_rung(epochs: int, n_candidates: int) -> int:
    """Epochs of the first rung, so that the last one has all of them."""
    n_rungs = min(1 + floor(log(n_candidates, FACTOR)), MAX_RUNGS)
    return max(1, epochs // FACTOR ** (n_rungs - 1))
