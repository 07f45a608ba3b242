"""Activations by name: NumPy's, or Keras' where NumPy has none."""

from collections.abc import Callable

import numpy as np

from skreg._prediction.activations import NUMPY_ACTIVATIONS


def activation_function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function of an array of shape (n_rows, n_units), which it may overwrite.

    Keras is imported only for a name that `NUMPY_ACTIVATIONS` does not have.

    Raises
    ------
    ValueError
        If neither knows the name.
    """
    if name in NUMPY_ACTIVATIONS:
        return NUMPY_ACTIVATIONS[name]
    from skreg._training.keras.activations import numpy_activation

    return numpy_activation(name)
