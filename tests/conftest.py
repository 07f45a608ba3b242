"""Data and estimators that several files share."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.preprocessing import scale

from skreg import RegularizedMLPClassifier


def _rows(load, n_rows):
    X, y = load(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(y))[:n_rows]
    X, y = scale(X)[chosen], y[chosen]
    # Shared by all tests, and proof that no method writes to what it is given.
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def cancer():
    """Two classes, scaled columns; no multiple of a batch of 32."""
    return _rows(load_breast_cancer, 120)


@pytest.fixture(scope="session")
def iris():
    """Three classes, scaled columns."""
    return _rows(load_iris, 90)


@pytest.fixture(scope="session")
def mlp():
    """A classifier small and quick to fit, and seeded, if not told otherwise."""

    def make(hidden_layer_sizes=(8,), *, epochs=2, random_state=0, **params):
        return RegularizedMLPClassifier(
            hidden_layer_sizes, epochs=epochs, random_state=random_state, **params
        )

    return make


@pytest.fixture(scope="session")
def fitted(mlp, cancer):
    """Fitted to two classes; not to be changed."""
    return mlp().fit(*cancer)


@pytest.fixture(scope="session")
def fitted_iris(mlp, iris):
    """Fitted to three classes; not to be changed."""
    return mlp().fit(*iris)
