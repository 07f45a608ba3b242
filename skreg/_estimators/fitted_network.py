"""A network once it is fitted: weights, outputs, the Keras model, pickles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimators.common import Estimator, numbers_explained
from skreg._estimators.labels import Labels
from skreg._estimators.target_units import TargetUnits
from skreg._estimators.types import MatrixLike
from skreg._prediction.forward import check_finite, forward, forward_in_chunks
from skreg._training.activation_functions import activation_function
from skreg._training.task import Architecture, OptimizerState, Regularization

if TYPE_CHECKING:
    import keras

# Attributes that are pickled as dicts of plain types: a pickle names no private class,
# so that files can move.
_PICKLED_AS_DICT = {
    "_architecture": Architecture,
    "_regularization": Regularization,
    "_optimizer_state": OptimizerState,
    "_labels": Labels,
    "_units": TargetUnits,
}


class FittedNetwork(Estimator):
    """Base class of estimators of one network: what they can do once it is fitted.

    Attributes
    ----------
    _kernels : list of ndarray of shape (n_in, n_out)
    _biases : list of ndarray of shape (n_out,)
        The output layer's are in the network's units.
    _architecture : Architecture
    _regularization : Regularization
    """

    _kernels: list[NDArray[np.floating]]
    _biases: list[NDArray[np.floating]]
    _architecture: Architecture
    _regularization: Regularization

    def _output_layer(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Kernel and bias of the output layer, in the user's units."""
        return self._kernels[-1], self._biases[-1]

    @property
    def coefs_(self) -> list[NDArray[np.floating]]:
        """The kernels, arrays of shape (n_in, n_out), first layer to output."""
        check_is_fitted(self)
        return [*self._kernels[:-1], self._output_layer()[0]]

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """The biases, arrays of shape (n_out,), first layer to output."""
        check_is_fitted(self)
        return [*self._biases[:-1], self._output_layer()[1]]

    @property
    def used_features_(self) -> NDArray[np.bool_]:
        """Whether the network uses a column, of shape (`n_features_in_`,), bool.

        Whether any of its weights in the first kernel is not zero. With `group_l1` or
        `l1` some columns may be unused.
        """
        check_is_fitted(self)
        return (self._kernels[0] != 0).any(axis=1)

    @property
    def feature_importances_(self) -> NDArray[np.floating]:
        """Importance of each column, of shape (`n_features_in_`,) and sum 1.

        The norm of its weights in the first kernel, divided by the sum of all. The
        columns of `X` should have equal scales.
        """
        check_is_fitted(self)
        norms = np.linalg.norm(self._kernels[0], axis=1)
        return norms / (norms.sum() or 1)

    @cached_property
    def model_(self) -> keras.Sequential:
        """The fitted network, of plain Keras.

        ``Dense`` and ``Dropout`` layers that can be saved, inspected and served without
        skreg; a regressor's gives predictions in the units of `y`. It has copies of
        `coefs_` and `intercepts_`: changing them changes no prediction of the
        estimator.
        """
        # Built when it is first asked for: a live network costs more than the fit of a
        # small one, and a search discards nearly all of them.
        from skreg._training.keras.interrupts import import_keras

        import_keras()
        from skreg._training.keras.network import build_network, set_weights

        check_is_fitted(self)
        network = build_network(self._architecture, self._regularization, seed=0)
        set_weights(network, self.coefs_, self.intercepts_)
        return network

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("model_", None)  # rebuilt from the weights when asked for
        for name in _PICKLED_AS_DICT.keys() & state.keys():
            state[name] = dict(vars(state[name]))
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        for name in _PICKLED_AS_DICT.keys() & state.keys():
            setattr(self, name, _PICKLED_AS_DICT[name](**state[name]))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_kernels")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _outputs(self, X: MatrixLike) -> NDArray[np.floating]:
        """The output layer before its activation, of shape (n_samples, n_outputs)."""
        X = self._validated_rows(X)
        activation = activation_function(self._architecture.activation)
        return check_finite(forward(self._kernels, self._biases, activation, X))

    def _output_chunks(self, X: MatrixLike) -> Iterator[NDArray[np.floating]]:
        """The same, of a chunk of the rows after the other."""
        X = self._validated_rows(X)
        activation = activation_function(self._architecture.activation)
        for logits in forward_in_chunks(self._kernels, self._biases, activation, X):
            yield check_finite(logits)

    @abstractmethod
    def _values(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Probabilities, or numbers in the units of `y`, from `_outputs`."""

    def _validated_rows(self, X: MatrixLike) -> Any:
        check_is_fitted(self)
        dtype = self._kernels[0].dtype
        with numbers_explained(self):
            return validate_data(self, X, reset=False, dtype=dtype, accept_sparse="csr")
