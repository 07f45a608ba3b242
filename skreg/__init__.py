"""Regularization as ordinary hyperparameters: Keras networks for scikit-learn."""

from skreg._classifier import RegularizedMLPClassifier
from skreg._regressor import RegularizedMLPRegressor
from skreg._search import BatchedGridSearchCV, BatchedRandomizedSearchCV

__version__ = "0.1.0"

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "RegularizedMLPClassifier",
    "RegularizedMLPRegressor",
]
