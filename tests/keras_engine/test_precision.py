"""Rows in single and in double precision: the same draws, and nearly the same network.

Both draw the same initial weights, rows held out, order of the rows and dropout noise.
"""

import numpy as np
import pytest
from problems import arrays

# Enough steps for another draw to show, too few for roundings to grow.
PARAMS = {"hidden_layer_sizes": (8, 6), "epochs": 2, "early_stopping": True}


def assert_nearly_same(single, double):
    for a, b in zip(arrays(single), arrays(double), strict=True):
        assert (a.dtype, b.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())
    assert single.best_epoch_ == double.best_epoch_
    for name, figures in double.history_.items():
        np.testing.assert_allclose(single.history_[name], figures, rtol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_both_precisions_train_nearly_the_same_network(any_problem, dropout):
    double = any_problem.fit(any_problem.make(**PARAMS, dropout=dropout))
    any_problem.X = any_problem.X.astype(np.float32)
    single = any_problem.fit(any_problem.make(**PARAMS, dropout=dropout))
    assert_nearly_same(single, double)


def test_partial_fit_does_so_too(compiled):
    double = compiled.partial(compiled.make(dropout=0.4), 2)
    compiled.X = compiled.X.astype(np.float32)
    assert_nearly_same(compiled.partial(compiled.make(dropout=0.4), 2), double)
