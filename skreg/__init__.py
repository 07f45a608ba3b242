"""Regularization as ordinary hyperparameters: Keras networks for scikit-learn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skreg._classifier import RegularizedMLPClassifier
from skreg._regressor import RegularizedMLPRegressor

if TYPE_CHECKING:
    from skreg._displays import LossCurveDisplay, WeightDisplay
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

# Imported when they are asked for: a process that loads a model and predicts has no
# need of them, and with scikit-learn's searches they take longer than all the rest.
_LATER = {
    "BatchedGridSearchCV": "skreg._search",
    "BatchedRandomizedSearchCV": "skreg._search",
    "LossCurveDisplay": "skreg._displays",
    "SearchDisplay": "skreg._search_display",
    "WeightDisplay": "skreg._displays",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(_LATER[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return __all__
