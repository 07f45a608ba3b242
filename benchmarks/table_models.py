"""The models that tables.py compares: for each, a classifier and a regressor.

Tuned models choose by 3 folds of the training rows, by log-loss or squared error, and
are refitted on all of these. The rows come shuffled, so that an integer `cv` will do.
"""

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

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

LOG_LOSS, SQUARED_ERROR = "neg_log_loss", "neg_mean_squared_error"


def imported(module, name):
    """A class from a library that may not be installed."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ImportError(f"needs {name} of {module}: {error}") from error


def scaled_target(regressor):
    """A regressor of standardised targets.

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
        lambda: imported("skreg", "RegularizedMLPClassifierCV")(random_state=0),
        lambda: imported("skreg", "RegularizedMLPRegressorCV")(random_state=0),
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

# Tuned defaults: each fold chooses the epoch, and the three networks are averaged.
PYTABKIT = {"n_cv": 3, "device": "cpu", "random_state": 0}
CROSS_ENTROPY = {"val_metric_name": "cross_entropy"}

PEERS = {
    "RealMLP": (
        lambda: imported("pytabkit", "RealMLP_TD_Classifier")(
            # As pytabkit's documentation recommends for log-loss.
            use_ls=False,
            **CROSS_ENTROPY,
            **PYTABKIT,
        ),
        lambda: imported("pytabkit", "RealMLP_TD_Regressor")(**PYTABKIT),
    ),
    "TabM": (
        lambda: imported("pytabkit", "TabM_D_Classifier")(**CROSS_ENTROPY, **PYTABKIT),
        lambda: imported("pytabkit", "TabM_D_Regressor")(**PYTABKIT),
    ),
}

MODELS = OWN | PEERS
