"""What a fit leaves behind: the same bits every time, and nothing global."""

import copy
import hashlib
import io
import json
import os
import pickle
import random

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone

# TensorFlow's public names can only switch it on.
from tensorflow.python.framework.config import is_op_determinism_enabled

import skreg

FITS = """
import hashlib
from sklearn.datasets import load_iris
from skreg import RegularizedMLPClassifier

X, y = load_iris(return_X_y=True)
digests = []
# The second fit has 500 steps, from which on XLA is used.
for engine, epochs in (("compiled", 3), ("compiled", 100), ("keras", 3)):
    est = RegularizedMLPClassifier(
        (8,), dropout=0.3, epochs=epochs, early_stopping=True, engine=engine,
        random_state=5,
    ).fit(X, y)
    est.predict(X)
    weights = b"".join(w.tobytes() for w in est.coefs_)
    digests.append(hashlib.sha256(weights).hexdigest())
"""
IMPORT = """
import json, os, random, sys
sys.modules["matplotlib"] = None  # only drawing needs it
import keras, numpy, scikeras, sklearn

def state():
    numbers = numpy.random.get_state()[1].tolist()
    return dict(os.environ), random.getstate(), numbers, keras.config.floatx()

before = state()
from skreg import *  # what is imported only when asked for, too
unchanged = state() == before
"""
REPORT = """
print(json.dumps({"unchanged": unchanged, "digests": digests}))
"""


@pytest.fixture(scope="module")
def new_process(in_new_process):
    """Import skreg and fit in a new process; gives its output and its report."""
    *printed, report = in_new_process(IMPORT + FITS + REPORT).splitlines()
    return {"printed": printed, **json.loads(report)}


def test_importing_changes_no_global_state(new_process):
    assert new_process["unchanged"]


def test_two_processes_give_the_same_bits(new_process):
    exec(FITS, names := {})
    assert new_process["digests"] == names["digests"]
    assert len(set(names["digests"])) == 3


def test_fits_and_predictions_print_nothing_unless_asked(new_process):
    assert new_process["printed"] == []


def digest(est):
    return hashlib.sha256(b"".join(w.tobytes() for w in est.coefs_)).hexdigest()


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_the_same_seed_gives_the_same_bits(mlp, cancer, engine):
    est = mlp(dropout=0.3, engine=engine, early_stopping=True)
    assert digest(est.fit(*cancer)) == digest(est.fit(*cancer))
    other = clone(est).set_params(random_state=1)
    assert digest(est) != digest(other.fit(*cancer))


def global_settings():
    return (
        dict(os.environ),
        keras.config.floatx(),
        keras.config.dtype_policy().name,
        is_op_determinism_enabled(),
    )


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_no_global_state_changes(mlp, cancer, engine):
    def draw():
        tensorflow, by_keras = tf.random.uniform(()), keras.random.uniform(())
        return random.random(), np.random.rand(), float(tensorflow), float(by_keras)

    def seed():
        keras.utils.clear_session()  # Keras 3.10 does not start its generator anew
        keras.utils.set_random_seed(7)

    settings = global_settings()
    seed()
    expected = draw()
    seed()
    mlp(dropout=0.3, engine=engine, early_stopping=True).fit(*cancer).predict(cancer[0])
    assert draw() == expected
    assert global_settings() == settings


def test_fit_leaves_parameters_as_they_were(mlp, cancer):
    given = {"l2": [0.1], "class_weight": {1: 2}, "dropout": np.array([0.2])}
    est = mlp([8], **copy.deepcopy(given))
    before = est.get_params()
    after = est.fit(*cancer).get_params()
    assert all(after[name] is value for name, value in before.items())
    assert {name: after[name] for name in given} == given


def test_without_a_seed_one_number_is_drawn_from_numpy(mlp, cancer):
    np.random.seed(3)
    mlp(random_state=None).fit(*cancer)
    after_fit = np.random.randint(1 << 30)
    np.random.seed(3)
    np.random.randint(np.iinfo(np.int32).max)
    assert np.random.randint(1 << 30) == after_fit


def by_joblib(est):
    buffer = io.BytesIO()
    joblib.dump(est, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, copy.copy, by_joblib, lambda e: pickle.loads(pickle.dumps(e))],
)
def test_copies_predict_the_same(mlp, cancer, copied):
    X, y = cancer
    est = mlp(optimizer=keras.optimizers.SGD(0.1, momentum=0.5))
    unfitted = copied(est)
    est.fit(X, y)
    expected = est.predict_proba(X)
    assert (
        est.model_.built
    )  # the copies are made of an estimator that holds a Keras model
    np.testing.assert_array_equal(copied(est).predict_proba(X), expected)
    np.testing.assert_array_equal(unfitted.fit(X, y).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(est).fit(X, y).predict_proba(X), expected)
    again = keras.ops.convert_to_numpy(copied(est).model_(X))[:, 0]
    np.testing.assert_allclose(again, expected[:, 1], rtol=1e-6)


def test_a_refit_leaves_nothing_of_the_last_fit(mlp, cancer, iris):
    est = mlp(early_stopping=True).fit(*cancer)
    assert est.validation_scores_ == est.history_["val_score"]
    assert est.model_.output_shape == (None, 1)
    est.set_params(early_stopping=False).fit(*iris)
    assert est.validation_scores_ is None
    assert est.model_.output_shape == (None, 3)
    assert "val_loss" not in est.history_


def test_names_in_the_network_are_fixed(mlp, cancer):
    def names(est):
        return [w.path for w in est.model_.weights], [x.name for x in est.model_.layers]

    est = mlp((4, 3), dropout=0.2)
    first = names(est.fit(*cancer))
    assert names(est.fit(*cancer)) == first
    assert first[1] == ["hidden_1", "dropout_1", "hidden_2", "dropout_2", "output"]


def test_an_unknown_name_raises_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skreg' has no attribute 'MLP'"):
        _ = skreg.MLP


@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("verbose", [1, 2])
def test_verbose_shows_the_figures_of_every_epoch(mlp, cancer, capsys, engine, verbose):
    # One batch an epoch: the bar of Keras 3.10 shows means of what it is given.
    est = mlp(batch_size=200, engine=engine, verbose=verbose, early_stopping=True)
    est.fit(*cancer)
    printed = capsys.readouterr().out
    for figure in ("data_loss", "penalty", "val_loss", "val_score"):
        assert f"{figure}: {est.history_[figure][-1]:.4f}"[:-2] in printed
