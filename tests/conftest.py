"""Data and estimators that several files share."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec

# Two processes run the tests; if each took all cores, their threads would wait for one
# another. NumPy and TensorFlow read these when imported, here and in new processes.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from problems import the_problem
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import scale

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

# The first fit of its kind compiles, or traces TensorFlow's code, and is slow.
settings.register_profile(
    "many",
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile(
    "few", settings.get_profile("many"), max_examples=5, derandomize=True, database=None
)
settings.load_profile("few")

# scikit-learn's callbacks are new in its version 1.9.
collect_ignore = []
if find_spec("sklearn.callback") is None:
    collect_ignore = ["estimators/test_sklearn_callbacks.py", "cv/test_cv_callbacks.py"]


def _rows(load, n_rows):
    X, y = load(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(y))[:n_rows]
    X, y = scale(X)[chosen], y[chosen]
    # All tests share the arrays, and no method may write to what it is given.
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def cancer():
    """Two classes, scaled columns; the rows are not a multiple of the batch size."""
    return _rows(load_breast_cancer, 120)


@pytest.fixture(scope="session")
def iris():
    """Three classes, scaled columns."""
    return _rows(load_iris, 90)


@pytest.fixture(scope="session")
def diabetes():
    """Positive targets, scaled columns."""
    return _rows(load_diabetes, 110)


@pytest.fixture(scope="session")
def mlp():
    """A factory of classifiers that are small, quick to fit and seeded."""

    def make(hidden_layer_sizes=(8,), *, epochs=2, random_state=0, **params):
        return RegularizedMLPClassifier(
            hidden_layer_sizes, epochs=epochs, random_state=random_state, **params
        )

    return make


@pytest.fixture(scope="session")
def mlr():
    """A factory of regressors that are small, quick to fit and seeded."""

    def make(hidden_layer_sizes=(8,), *, epochs=2, random_state=0, **params):
        return RegularizedMLPRegressor(
            hidden_layer_sizes, epochs=epochs, random_state=random_state, **params
        )

    return make


@pytest.fixture(scope="session")
def fitted(mlp, cancer):
    """Fitted to two classes; not to be changed."""
    return mlp().fit(*cancer)


@pytest.fixture(scope="session")
def fitted_iris(mlp, iris):
    """Fitted to three classes; not to be changed."""
    return mlp().fit(*iris)


@pytest.fixture(scope="session")
def assert_same_results():
    """Compare the results of two searches, all but the times."""

    def check(ours, theirs):
        assert list(ours.cv_results_) == list(theirs.cv_results_)
        for name, expected in theirs.cv_results_.items():
            got = ours.cv_results_[name]
            assert type(got) is type(expected)
            if isinstance(expected, list):  # the candidates' parameters
                assert got == expected
                continue
            assert got.dtype == expected.dtype
            assert got.shape == expected.shape
            if "_time" in name:
                assert (got >= 0).all()
            elif name.startswith("param_"):
                np.testing.assert_array_equal(got.mask, expected.mask)
                assert got.tolist() == expected.tolist()
            else:
                np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
        names = ["best_index_", "best_params_", "n_splits_", "multimetric_"]
        for name in names:
            assert getattr(ours, name, None) == getattr(theirs, name, None), name

    return check


@pytest.fixture(scope="session")
def in_new_process():
    """Run code in another process, where it must succeed; returns its output."""
    # TensorFlow prints lines of its own when it starts, but not at this level.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(code, *arguments, env=quiet, **options):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            env=env,
            **options,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def default_handler():
    """SIGINT raises KeyboardInterrupt, even in a background job of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.fixture(scope="module", params=["compiled", "keras"])
def engine(request):
    return request.param


# A fit with Keras is slow. Most tests leave out its regressor, which differs from the
# classifier in the loss alone, and some tests leave out Keras.
THREE = [("classifier", "compiled"), ("classifier", "keras"), ("regressor", "compiled")]


@pytest.fixture(params=THREE, ids="-".join)
def problem(request):
    return the_problem(request, *request.param)


@pytest.fixture(params=[*THREE, ("regressor", "keras")], ids="-".join)
def any_problem(request):
    return the_problem(request, *request.param)


@pytest.fixture(params=["classifier", "regressor"])
def compiled(request):
    return the_problem(request, request.param, "compiled")


@pytest.fixture(params=["compiled", "keras"])
def classifier(request):
    return the_problem(request, "classifier", request.param)


@pytest.fixture
def regressor(request):
    return the_problem(request, "regressor", "compiled")
