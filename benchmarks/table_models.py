"""The models that tables.py compares, each as classifier and regressor, and their fit.

Tuned models choose by 3 folds of the training rows, by log-loss or squared error, and
are refitted on all of these. The rows come shuffled, so that an integer `cv` will do.
"""

import gc
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module

import numpy as np
from scipy.stats import loguniform, randint
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

LOG_LOSS, SQUARED_ERROR = "neg_log_loss", "neg_mean_squared_error"


def scaled_target(regressor):
    """A regressor of standardized targets.

    scikit-learn's MLP learns next to nothing where the targets are of the order of
    1e-4 or 1e3, tuned or not; the comparison is not about units.
    """
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def tuned_mlp(network, prefix, scoring):
    """A grid of scikit-learn's penalty from next to none to too much, on all cores."""
    grid = {f"{prefix}alpha": np.logspace(-3, 1, 5)}
    return GridSearchCV(
        network, grid, scoring=scoring, cv=3, n_jobs=-1, error_score="raise"
    )


def tuned_boosting(boosting, scoring):
    """A random search of 25 candidates over rate, number and shape of the trees.

    The number of trees is drawn, and not left to early stopping, which would keep a
    tenth of at most 1,500 rows from the trees.
    """
    space = {
        "learning_rate": loguniform(0.02, 0.2),
        "max_iter": [50, 100, 200, 400],
        "max_leaf_nodes": [4, 8, 16, 31],
        "min_samples_leaf": randint(2, 41),
        "l2_regularization": loguniform(1e-3, 10),
    }
    return RandomizedSearchCV(
        boosting,
        space,
        n_iter=25,
        scoring=scoring,
        cv=3,
        n_jobs=-1,
        random_state=0,
        error_score="raise",
    )


TUNED_MLP = {"hidden_layer_sizes": (128, 128), "max_iter": 100, "random_state": 0}

OWN = {
    "skreg": (
        lambda: RegularizedMLPClassifier(random_state=0),
        lambda: RegularizedMLPRegressor(random_state=0),
    ),
    "skreg CV": (
        lambda: RegularizedMLPClassifierCV(random_state=0),
        lambda: RegularizedMLPRegressorCV(random_state=0),
    ),
    "MLP": (
        lambda: MLPClassifier(random_state=0),
        lambda: scaled_target(MLPRegressor(random_state=0)),
    ),
    "MLP tuned": (
        lambda: tuned_mlp(MLPClassifier(**TUNED_MLP), "", LOG_LOSS),
        lambda: tuned_mlp(
            scaled_target(MLPRegressor(**TUNED_MLP)), "regressor__", SQUARED_ERROR
        ),
    ),
    "linear tuned": (
        lambda: LogisticRegressionCV(cv=3, scoring=LOG_LOSS, max_iter=1000),
        lambda: RidgeCV(np.logspace(-3, 3, 13), cv=3, scoring=SQUARED_ERROR),
    ),
    "boosting": (
        lambda: HistGradientBoostingClassifier(random_state=0),
        lambda: HistGradientBoostingRegressor(random_state=0),
    ),
    "boosting tuned": (
        lambda: tuned_boosting(
            HistGradientBoostingClassifier(random_state=0), LOG_LOSS
        ),
        lambda: tuned_boosting(
            HistGradientBoostingRegressor(random_state=0), SQUARED_ERROR
        ),
    ),
}


def from_pytabkit(name, **parameters):
    """An estimator of tuned defaults.

    In each of 3 folds, the left-out rows choose the epoch; predictions are the mean of
    the three networks.
    """
    estimator = getattr(import_module("pytabkit"), name)
    return estimator(n_cv=3, device="cpu", random_state=0, **parameters)


PEERS = {
    "RealMLP": (
        # As pytabkit's documentation recommends for log-loss.
        lambda: from_pytabkit(
            "RealMLP_TD_Classifier", val_metric_name="cross_entropy", use_ls=False
        ),
        lambda: from_pytabkit("RealMLP_TD_Regressor"),
    ),
    "TabM": (
        lambda: from_pytabkit("TabM_D_Classifier", val_metric_name="cross_entropy"),
        lambda: from_pytabkit("TabM_D_Regressor"),
    ),
}


# A part of the CV estimators: the best candidate alone.
PARTS = {
    "one of skreg CV": (
        lambda: RegularizedMLPClassifierCV(ensemble_size=None, random_state=0),
        lambda: RegularizedMLPRegressorCV(ensemble_size=None, random_state=0),
    ),
}

MODELS = OWN | PARTS | PEERS


def fitted(name, kind, X, y, X_test):
    """Predictions for the test rows, probabilities or None, and seconds of the fit."""
    if name in PEERS:  # whose libraries bring thread pools of their own
        return process_of_peers().submit(fit, name, kind, X, y, X_test).result()
    return fit(name, kind, X, y, X_test)


@cache
def process_of_peers():
    """One process for all fits of the peers."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=spawn)


def fit(name, kind, X, y, X_test):
    model = MODELS[name][kind == "regression"]()
    gc.collect()
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    probabilities = model.predict_proba(X_test) if kind == "classification" else None
    return model.predict(X_test), probabilities, seconds
