"""Forked processes: predictions work, and what needs TensorFlow raises an error."""

import re
from multiprocessing import get_context
from operator import attrgetter, methodcaller

import keras
import numpy as np
import pytest

# Python 3.12 and later warn of any fork of a process that has threads.
pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

USED_BEFORE = "used before this process was forked.*'loky'.*get_context\\('spawn'\\)"


@pytest.fixture
def in_fork(fitted):
    """Call a function in a fork, made after a fit; within a minute."""
    with get_context("fork").Pool(1) as pool:
        yield lambda *call: pool.apply_async(*call).get(timeout=60)


@keras.saving.register_keras_serializable("test_forks")
def shifted_tanh(x):
    return keras.ops.tanh(x + 1)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_fork_predicts_what_its_parent_does(mlp, cancer, in_fork, activation):
    X, y = cancer
    est = mlp(activation=activation).fit(X, y)
    X = np.tile(X, (20, 1))  # in TensorFlow, a task for several threads
    expected = est.predict_proba(X)
    got = in_fork(methodcaller("predict_proba", X), (est,))
    np.testing.assert_array_equal(got, expected)


def test_a_fit_in_a_fork_raises(mlp, cancer, in_fork, engine):
    with pytest.raises(RuntimeError, match=USED_BEFORE):
        in_fork(mlp(engine=engine).fit, cancer)


def test_the_keras_model_of_a_fork_raises(fitted, in_fork):
    with pytest.raises(RuntimeError, match=USED_BEFORE):
        in_fork(attrgetter("model_"), (fitted,))


def test_predicting_by_an_activation_of_keras_raises_in_a_fork(mlp, cancer, in_fork):
    X, y = cancer
    est = mlp(activation="test_forks>shifted_tanh").fit(X, y)
    with pytest.raises(RuntimeError, match=USED_BEFORE):
        in_fork(est.predict, (X,))


def test_an_activation_is_not_looked_up_in_a_fork(mlp, cancer, in_fork):
    # A user's own may need threads.
    with pytest.raises(RuntimeError, match=USED_BEFORE):
        in_fork(mlp(activation="test_forks>not_seen_before").fit, cancer)


NEW_PROCESS = """
import warnings
from multiprocessing import get_context

import keras
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from skreg import RegularizedMLPClassifier

warnings.simplefilter("ignore")
X, y = load_iris(return_X_y=True)
mlp = RegularizedMLPClassifier(epochs=2)

with get_context("fork").Pool(1) as pool:
    print(pool.apply(mlp.fit, (X, y)).n_iter_)

mlp.optimizer = keras.optimizers.Adam()
with parallel_config("multiprocessing", n_jobs=2):
    try:
        GridSearchCV(mlp, {"l2": [0.0, 0.1]}, cv=2).fit(X, y)
    except ValueError as error:
        print(error)
"""


def test_a_fork_can_fit_unless_tensorflow_was_used(in_new_process):
    # Before that it may be imported; making an optimizer is to use it.
    printed = in_new_process(NEW_PROCESS, timeout=120)
    assert re.match(f"(?s)2\n.*All the 4 fits failed.*{USED_BEFORE}", printed)
