"""Regularization as ordinary hyperparameters: Keras networks for scikit-learn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor

if TYPE_CHECKING:
    from skreg._cv.classifier import RegularizedMLPClassifierCV
    from skreg._cv.ensemble import MLPEnsembleClassifier, MLPEnsembleRegressor
    from skreg._cv.regressor import RegularizedMLPRegressorCV
    from skreg._plotting.loss_curve import LossCurveDisplay
    from skreg._plotting.search import SearchDisplay
    from skreg._plotting.weights import WeightDisplay

__version__ = "0.1.0"

__all__ = [
    "LossCurveDisplay",
    "MLPEnsembleClassifier",
    "MLPEnsembleRegressor",
    "RegularizedMLPClassifier",
    "RegularizedMLPClassifierCV",
    "RegularizedMLPRegressor",
    "RegularizedMLPRegressorCV",
    "SearchDisplay",
    "WeightDisplay",
]

# Imported when they are asked for: a process that loads a model and predicts has no
# need of them, and with scikit-learn's searches they take longer than all the rest.
_LATER = {
    "MLPEnsembleClassifier": "skreg._cv.ensemble",
    "MLPEnsembleRegressor": "skreg._cv.ensemble",
    "LossCurveDisplay": "skreg._plotting.loss_curve",
    "RegularizedMLPClassifierCV": "skreg._cv.classifier",
    "RegularizedMLPRegressorCV": "skreg._cv.regressor",
    "SearchDisplay": "skreg._plotting.search",
    "WeightDisplay": "skreg._plotting.weights",
    # These are not public; pickles of the CV estimators name them.
    "as_text": "skreg._cv.front_end",
    "neg_log_loss": "skreg._cv.scoring",
    "smooth_clip": "skreg._cv.front_end",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(_LATER[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return __all__
