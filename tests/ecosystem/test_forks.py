"""Processes forked after a fit: they fit and predict as their parent does."""

from multiprocessing import get_context
from operator import methodcaller

import numpy as np
import pytest
from problems import arrays, assert_same, ignores_fork_warning
from sklearn.base import clone

pytestmark = ignores_fork_warning


@pytest.fixture
def in_fork(fitted):
    """Call a function in a process forked after a fit, for at most a minute."""
    with get_context("fork").Pool(1) as pool:
        yield lambda *call: pool.apply_async(*call).get(timeout=60)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_fork_predicts_what_its_parent_does(mlp, cancer, in_fork, activation):
    X, y = cancer
    est = mlp(activation=activation).fit(X, y)
    X = np.tile(X, (20, 1))
    expected = est.predict_proba(X)
    got = in_fork(methodcaller("predict_proba", X), (est,))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("width", [8, 400])  # one BLAS thread, or several
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_fork_fits_what_its_parent_does(mlp, cancer, in_fork, width, early_stopping):
    est = mlp((width, width), dropout=0.3, early_stopping=early_stopping)
    est.set_params(batch_size=100)
    expected = clone(est).fit(*cancer)
    assert_same(in_fork(est.fit, cancer), expected, atol=1e-12)


def test_a_fork_compiles_what_its_parent_has_not(mlp, cancer, in_fork):
    X, y = cancer
    est = mlp(activation="sparse_plus", optimizer="adamax")
    got = in_fork(est.fit, (X.astype(np.float32), y))
    assert {w.dtype for w in arrays(got)} == {np.dtype("float32")}
    assert_same(got, est.fit(X.astype(np.float32), y), atol=0)
