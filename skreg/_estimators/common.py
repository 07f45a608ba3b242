"""What all estimators have in common, and their prediction methods' documentation."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from skreg._estimators.callback_support import CallbackSupportMixin
from skreg._estimators.types import MatrixLike, RandomState

# The format of pickles; it is raised when an older skreg could not read them any more.
STATE_FORMAT = 1
FLOATS = [np.float64, np.float32]  # the first is what any other dtype becomes


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Undo every change to the estimator's attributes if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        # In one step, which an interrupt can't divide.
        estimator.__dict__ = before
        raise


@contextmanager
def numbers_explained(estimator: BaseEstimator) -> Iterator[None]:
    """Say what to do where scikit-learn's validation finds NaN or strings in X."""
    try:
        yield
    except (TypeError, ValueError) as error:
        found, name = str(error), type(estimator).__name__
        # An estimator that could preprocess gets here if it is told not to.
        way = "preprocessing='auto'"
        if not hasattr(estimator, "preprocessing"):
            way = f"{name}CV"
        if found.startswith("Input X contains NaN"):
            message = (
                f"Input X contains NaN, which {name} does not take: put a "
                f"sklearn.impute.SimpleImputer before it in a Pipeline, or use {way}, "
                "which imputes missing values."
            )
        elif "could not convert string" in found:
            message = (
                f"X must have numbers only: {found}. Encode columns "
                f"of categories before {name} in a Pipeline, by a "
                f"sklearn.preprocessing.OneHotEncoder, or use {way}, which does that."
            )
        else:
            raise
        raise ValueError(message) from None


def flat_column(y: Any, *, warn: bool = True) -> Any:
    """The same targets; a single column becomes flat, with scikit-learn's warning."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if issparse(y) or len(shape) != 2 or shape[1] != 1:
        return y
    return column_or_1d(y, warn=warn)


def draw_seed(random_state: RandomState) -> int:
    """The one seed of a fit, from which all its random numbers derive."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class HiddenModelMixin:
    """Keeps `model_` out of `dir`; goes after scikit-learn's base classes.

    Whoever looks at all attributes, as diagrams of fitted estimators do, and the
    ``__dir__`` of scikit-learn, would else import Keras and build the network.
    """

    def __dir__(self):
        return [name for name in super().__dir__() if name != "model_"]


class Estimator(
    CallbackSupportMixin, BaseEstimator, HiddenModelMixin, metaclass=ABCMeta
):
    """Base class of networks, ensembles and estimators that choose."""

    # Where HTML diagrams link to.
    _doc_link_module = "skreg"
    _doc_link_template = (
        "https://skreg.readthedocs.io/en/latest/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    def __getstate__(self):
        return {**super().__getstate__(), "_state_format": STATE_FORMAT}

    def __setstate__(self, state):
        state = dict(state)
        state_format = state.pop("_state_format", None)
        if state_format != STATE_FORMAT:
            raise ValueError(
                f"{type(self).__name__} was saved by another version of skreg, whose "
                f"format is {state_format!r}; this one reads format {STATE_FORMAT}. "
                "Load it with that version, and save its model_ or fit it anew."
            )
        super().__setstate__(state)


class MLPClassifierMixin(ClassifierMixin):
    """The prediction methods of classifiers.

    A class has ``_predict``, ``_predict_proba`` and ``_predict_log_proba``.
    """

    _predict: Callable[[Any], Any]
    _predict_proba: Callable[[Any], Any]
    _predict_log_proba: Callable[[Any], Any]

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Rows, as in `fit`; they are computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_samples,), or ndarray or csr_matrix (n_samples, n_labels)
            The most probable label of each row, in the dtype of `classes_`; 0 or 1 for
            every label, where a row may have several, and sparse if `y` was in `fit`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` has other columns than in `fit`, or entries that `fit` does not take;
            or if they or the weights are so large that the outputs overflow.
        """
        return self._predict(X)

    def predict_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict probabilities of the classes.

        Raises the errors of `predict`.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Rows, as in `fit`; they are computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; where a row may have several labels, the
            probability of each of them.
        """
        return self._predict_proba(X)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict logarithms of the probabilities.

        Those of a single network are exact for very small probabilities, too. Raises
        the errors of `predict`.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Rows, as in `fit`; they are computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._predict_log_proba(X)


class MLPRegressorMixin(RegressorMixin):
    """The prediction method of regressors; a class has ``_predict``."""

    _predict: Callable[[Any], Any]

    def predict(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Rows, as in `fit`; they are computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            In the units of `y`; one column per output, where there are several.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` has other columns than in `fit`, or entries that `fit` does not take;
            or if they or the weights are so large that the outputs overflow.
        """
        return self._predict(X)


class MembersMixin:
    """The method of estimators of several networks, which have ``_predict_members``."""

    _predict_members: Callable[[Any], Any]

    def predict_members(self, X: MatrixLike) -> NDArray[np.floating]:
        """What each network predicts: how far they differ shows how certain they are.

        Raises the errors of `predict`.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Rows, as in `fit`; they are computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes) for a classifier, else \
(n_members, n_samples) or (n_members, n_samples, n_outputs)
            Probabilities, or numbers in the units of `y`. Their standard deviation
            along the first axis is the spread of the members.
        """
        return self._predict_members(X)
