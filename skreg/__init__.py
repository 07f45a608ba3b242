"""Regularization as ordinary hyperparameters: Keras networks for scikit-learn."""

from skreg._classifier import RegularizedMLPClassifier
from skreg._displays import LossCurveDisplay, WeightDisplay
from skreg._regressor import RegularizedMLPRegressor
from skreg._search import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skreg._search_display import SearchDisplay

__version__ = "0.1.0"

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "LossCurveDisplay",
    "RegularizedMLPClassifier",
    "RegularizedMLPRegressor",
    "SearchDisplay",
    "WeightDisplay",
]
