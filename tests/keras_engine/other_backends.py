"""Keras backends other than TensorFlow, whose results on TensorFlow are the oracle.

pytest does not collect it by itself: ``nox -s backends`` runs it on each backend, with
tests of other files. The expected results come from a process of its own, as Keras has
one backend per process.
"""

import pickle
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from joblib import parallel_config
from keras.optimizers.schedules import CosineDecay
from problems import LOSSES, SMALL_CV, assert_same_weights
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.preprocessing import scale

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
)
from skreg._training.activation_functions import activation_function

BACKEND = keras.backend.backend()


def warmed_up():
    """A schedule that is written for one step, not for an array of them."""
    return CosineDecay(1e-3, 20, warmup_target=1e-2, warmup_steps=4)


# The kind of estimator and its parameters, by name. Dropout is left out, as each
# backend has random numbers of its own.
SETTINGS = {
    "l2": ("classifier", {"l2": 0.01, "activation": "gelu"}),
    "proximal steps": (
        "classifier",
        {"l1": 0.01, "group_l1": 0.02, "ema_momentum": 0.9, "learning_rate": 0.01},
    ),
    "a schedule": (
        "classifier",
        {"l1": 0.01, "learning_rate": warmed_up, "optimizer": "rmsprop"},
    ),
    "an optimizer": (
        "classifier",
        {"l1": 0.01, "optimizer": lambda: keras.optimizers.AdamW(0.01, clipnorm=0.1)},
    ),
    "momentum": ("regressor", {"optimizer": lambda: keras.optimizers.SGD(0.01, 0.9)}),
    "no update rule": ("classifier", {"l1": 0.01, "optimizer": "lion"}),
    "early stopping": ("classifier", {"early_stopping": True, "l2": 0.01}),
    **{
        loss: ("regressor", {"loss": loss, "early_stopping": True})
        for loss in ("absolute_error", "huber", "poisson")
    },
    "float32": ("classifier", {"l1": 0.01}),
}


def fit_all():
    """Fit each of `SETTINGS`; returns weights and histories."""
    results = {}
    for name, (kind, params) in SETTINGS.items():
        params = {k: v() if callable(v) else v for k, v in params.items()}
        cls, load = {
            "classifier": (RegularizedMLPClassifier, load_iris),
            "regressor": (RegularizedMLPRegressor, load_diabetes),
        }[kind]
        X, y = load(return_X_y=True)
        X = scale(X).astype("float32" if name == "float32" else "float64")
        est = cls((8,), engine="keras", epochs=4, random_state=0, **params)
        est.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
        results[name] = est.coefs_ + est.intercepts_, est.history_
    return results


@pytest.fixture
def mlp(mlp):
    return partial(mlp, engine="keras")


@pytest.fixture
def mlr(mlr):
    return partial(mlr, engine="keras")


@pytest.fixture(scope="module")
def expected(in_new_process, tmp_path_factory):
    path = tmp_path_factory.mktemp("backends") / "expected.pickle"
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'tensorflow'\n"
        "path, *sys.path[:0] = sys.argv[1:]; import other_backends, pickle\n"
        "pickle.dump(other_backends.fit_all(), open(path, 'wb'))"
    )
    in_new_process(code, str(path), *map(str, Path(__file__).parents[:2]))
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="module")
def got():
    return fit_all()


@pytest.mark.parametrize("name", SETTINGS)
def test_trains_as_on_tensorflow(expected, got, name):
    # Keras computes Adam's bias correction in float32 on TensorFlow only.
    tolerance = {"rtol": 1e-5, "atol": 1e-3 if name == "float32" else 1e-5}
    for ours, theirs in zip(got[name][0], expected[name][0], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, **tolerance)
        np.testing.assert_array_equal(ours == 0, theirs == 0)
    for figure, values in expected[name][1].items():
        np.testing.assert_allclose(got[name][1][figure], values, **tolerance)


@pytest.mark.parametrize("loss", [None, *LOSSES])
def test_float64_is_not_rounded_to_float32(mlp, mlr, iris, loss):
    # Rows repeated twice change nothing but the order of the sums.
    X, y = iris
    est = mlp(batch_size=1000) if loss is None else mlr(batch_size=1000, loss=loss)
    twice = clone(est).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    once = est.fit(X, y)
    assert once.coefs_[0].dtype == np.float64
    assert_same_weights(once, twice, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(once.loss_curve_, twice.loss_curve_, rtol=1e-12)


def test_a_rate_too_large_for_float32_raises_as_any_other(mlp, iris):
    with pytest.raises(ValueError, match=r"weights became non-finite.* in epoch 1"):
        mlp(learning_rate=1e300).fit(*iris)


def test_an_activation_of_keras_predicts_in_float64(mlp, iris):
    X, y = iris
    est = mlp(activation="sparsemax").fit(X, y)
    z = X @ est.coefs_[0] + est.intercepts_[0]
    outputs = activation_function("sparsemax")(z.copy())
    assert outputs.dtype == np.float64
    assert (outputs != outputs.astype("float32")).any()
    assert est.predict_proba(X).dtype == np.float64


def test_jax_computes_in_float32_outside_of_fit(mlp, iris):
    kernel = mlp().fit(*iris).model_.layers[0].kernel
    assert kernel.dtype == ("float32" if BACKEND == "jax" else "float64")
    if BACKEND == "jax":
        import jax

        assert not jax.config.jax_enable_x64


def test_the_compiled_engine_does_not_ask_for_the_backend(mlp, iris):
    est, by_keras = mlp(engine="compiled").fit(*iris), mlp().fit(*iris)
    assert_same_weights(est, by_keras, atol=1e-5)


def test_the_same_seed_gives_the_same_bits(mlp, iris):
    first, second = (mlp(dropout=0.3).fit(*iris) for _ in range(2))
    assert_same_weights(first, second)
    assert first.history_ != mlp().fit(*iris).history_


def test_a_search_in_threads_gives_the_results_of_grid_search(
    mlp, iris, assert_same_results
):
    cv = ShuffleSplit(1, random_state=0)
    search = GridSearchCV(mlp(dropout=0.3), {"l2": [0.0, 0.1]}, cv=cv)
    search.set_params(scoring="neg_log_loss")
    with parallel_config("threading", n_jobs=2):
        in_threads = clone(search).fit(*iris)
    assert_same_results(in_threads, search.fit(*iris))


def test_an_ensemble_on_keras(mlp, iris):
    search = RegularizedMLPClassifierCV((8,), **SMALL_CV).fit(*iris)
    X = iris[0].astype("float32")
    given = search.best_estimator_.model_.predict(X, verbose=0)
    np.testing.assert_allclose(given, search.predict_proba(X), atol=1e-5)


def test_predictions_need_no_backend(mlp, iris, in_new_process, tmp_path):
    X, y = iris
    est = mlp().fit(X, y)
    path = tmp_path / "estimator.pickle"
    path.write_bytes(pickle.dumps((est, X)))
    code = (
        "import pickle, sys; est, X = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(est.predict_proba(X).sum(), 'keras' in sys.modules)"
    )
    total, imported = in_new_process(code, str(path)).split()
    assert float(total) == pytest.approx(len(X))
    assert imported == "False"
    assert "keras" in sys.modules
