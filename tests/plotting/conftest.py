"""Axes, and searches for the displays to draw."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.model_selection import GridSearchCV
from toy_search import RATES, STRENGTHS, Toy


@pytest.fixture(scope="module")
def run_search():
    """Fit a search over Toy, on rows that make the folds differ."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.arange(30) % 2

    def fit(grid, search=GridSearchCV, estimator=None, *, cv=3, **params):
        return search(estimator or Toy(), grid, cv=cv, **params).fit(X, y)

    return fit


@pytest.fixture(scope="module")
def searched(run_search):
    """A search over two parameters."""
    grid = {"l2": STRENGTHS, "dropout": RATES}
    return run_search(grid, return_train_score=True)


@pytest.fixture(scope="module")
def two_grids(run_search):
    """A search over several grids, none of which has all parameters."""
    return run_search(
        [
            {"l2": [0.0, 1e-2], "dropout": [0.2]},
            {"l2": [1e-3], "dropout": [0.5, 0.6]},
            {"l1": [-1.0], "dropout": [0.2]},  # the best one
        ]
    )


@pytest.fixture
def ax():
    """Axes of a figure that pyplot does not manage."""
    return Figure().subplots()
