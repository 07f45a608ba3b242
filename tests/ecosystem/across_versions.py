"""Keeping a model: saved with some versions of what skreg needs, loaded with others.

``across_versions.py save FOLDER`` saves fitted estimators, by pickle and by joblib,
with what they compute; ``load FOLDER`` loads them and compares what they compute then,
more training included. pytest does not collect it: ``nox -s pickles`` runs the two
halves, each with versions of its own.
"""

import argparse
import pickle
import warnings
from importlib.metadata import version
from pathlib import Path

import joblib
import keras
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPRegressor,
)

LIBRARIES = ("numpy", "scipy", "joblib", "scikit-learn", "tensorflow", "keras")


def problems():
    """Rows and targets of each kind."""
    cancer, iris, diabetes = (
        load(return_X_y=True) for load in (load_breast_cancer, load_iris, load_diabetes)
    )
    normal = np.random.default_rng(0).normal(size=(80, 5))
    return {
        "binary": (cancer[0][:150], cancer[1][:150]),
        "multiclass": (scale(iris[0]), np.array(["a", "b", "c"])[iris[1]]),
        "float32": (scale(iris[0]).astype(np.float32), iris[1]),
        "multilabel": (normal, (normal[:, :3] > 0).astype(int)),
        "regression": (scale(diabetes[0]), diabetes[1]),
    }


def estimators():
    """Estimators to fit, and the kind of problem of each, by name."""
    settings = {"hidden_layer_sizes": (8, 4), "epochs": 3, "random_state": 0}
    classifier = RegularizedMLPClassifier(**settings)
    regressor = RegularizedMLPRegressor(**settings)
    pipeline = make_pipeline(StandardScaler(), classifier)
    grid = {"regularizedmlpclassifier__l2": [0.0, 0.1]}
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    variants = {
        "classifier": {},
        "early_stopping": {"early_stopping": True, "tol": 1.0, "n_iter_no_change": 1},
        "optimizer": {"optimizer": keras.optimizers.SGD(schedule, momentum=0.9)},
        "callbacks": {"callbacks": [keras.callbacks.TerminateOnNaN()]},
        "random_state": {"random_state": np.random.RandomState(3)},
        "partial_fit": {"dropout": 0.2},
        "partial_fit, Keras": {"dropout": 0.2, "engine": "keras"},
    }
    return {
        "float32": (classifier, "float32"),
        "multilabel": (classifier, "multilabel"),
        "pipeline": (pipeline, "binary"),
        "search": (GridSearchCV(pipeline, grid, cv=2), "binary"),
        "regressor": (regressor, "regression"),
        "poisson": (clone(regressor).set_params(loss="poisson"), "regression"),
        **{
            name: (clone(classifier).set_params(**change), "multiclass")
            for name, change in variants.items()
        },
    }


def fit(name, estimator, X, y):
    """Fit, in the way that the name says."""
    if name.startswith("partial_fit"):
        return estimator.partial_fit(X, y, classes=np.unique(y))
    return estimator.fit(X, y)


def computed(name, estimator, X, y):
    """All outputs of a fitted estimator, which may be trained further here."""
    arrays = {"predict": estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        arrays["predict_proba"] = estimator.predict_proba(X)
    if hasattr(estimator, "model_"):
        arrays["model_"] = keras.ops.convert_to_numpy(estimator.model_(X))
    if name.startswith("partial_fit"):
        arrays["next epoch"] = estimator.partial_fit(X, y).predict_proba(X)
    return arrays


def save(folder):
    """Fit and save estimators, and beside them what they compute."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = problems()
    for name, (estimator, kind) in estimators().items():
        estimator = fit(name, estimator, *rows[kind])
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(estimator))
        joblib.dump(estimator, folder / f"{name}.joblib")
        np.savez(folder / f"{name}.npz", **computed(name, estimator, *rows[kind]))


def load(folder):
    """Load estimators, and compare what they compute with the saved arrays."""
    rows = problems()
    for name, (_, kind) in estimators().items():
        expected = np.load(folder / f"{name}.npz")
        for estimator in (
            pickle.loads((folder / f"{name}.pickle").read_bytes()),
            joblib.load(folder / f"{name}.joblib"),
        ):
            arrays = computed(name, estimator, *rows[kind])
            assert arrays.keys() == expected.keys(), name
            for what, array in arrays.items():
                compare(array, expected[what], what, f"{name}: {what}")
        print(f"{name}: {', '.join(arrays)}")


def compare(array, expected, what, message):
    """Compare: training and Keras round differently from version to version."""
    exact = what not in ("model_", "next epoch") and array.dtype != np.float32
    if array.dtype.kind == "f":
        rtol = 1e-12 if exact else 1e-5
        np.testing.assert_allclose(array, expected, rtol=rtol, err_msg=message)
    else:
        np.testing.assert_array_equal(array, expected, message)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["save", "load"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    print(options.action, *(f"{name} {version(name)}" for name in LIBRARIES))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        # Keras' variables, under NumPy 2.
        warnings.filterwarnings("ignore", "__array__ .* copy", DeprecationWarning)
        {"save": save, "load": load}[options.action](options.folder)


if __name__ == "__main__":
    main()
