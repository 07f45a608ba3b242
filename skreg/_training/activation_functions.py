"""Activations by name: NumPy's, or Keras' where NumPy has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._prediction.activations import NUMPY_ACTIVATIONS
from skreg._training.keras.interrupts import import_keras
from skreg._training.keras.precision import precision


def activation_function(name: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function of an array of shape (n_rows, n_units), which it may overwrite.

    Keras is imported only for a name that `NUMPY_ACTIVATIONS` does not have.

    Raises
    ------
    ValueError
        If neither knows the name.
    """
    if name in NUMPY_ACTIVATIONS:
        return NUMPY_ACTIVATIONS[name]
    return _numpy_activation(name)


def keras_activation(name: str) -> Callable[[Any], Any]:
    """Keras' activation of a name: its own, or one that a user registered with it.

    Parameters
    ----------
    name : str
        As `keras.activations.get` knows it, which does not look among the registered
        ones, or as `keras.saving.register_keras_serializable` registered it, with
        its package: ``"my_package>my_activation"``.

    Returns
    -------
    callable
        From tensor to tensor.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    keras = import_keras()
    return keras.activations.get(keras.saving.get_registered_object(name) or name)


def _numpy_activation(name: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Keras' activation as a function of an array, in its dtype."""
    activation, keras = keras_activation(name), import_keras()

    def activate(z: NDArray[Any]) -> NDArray[Any]:
        with precision(z.dtype.name):
            tensor = activation(keras.ops.convert_to_tensor(z))
            return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=z.dtype)

    return activate
