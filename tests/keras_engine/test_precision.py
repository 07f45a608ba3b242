"""Rows in single and in double precision: the same draws, and nearly the same network.

What is drawn: initial weights, the rows held out, the order of the rows, dropout noise.
"""

import numpy as np
import pytest

# Enough steps for another draw to show, too few for roundings to grow.
PARAMS = {"hidden_layer_sizes": (8, 6), "epochs": 2, "early_stopping": True}


def assert_nearly_same(single, double):
    for a, b in zip(
        single.coefs_ + single.intercepts_,
        double.coefs_ + double.intercepts_,
        strict=True,
    ):
        assert (a.dtype, b.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())
    assert single.best_epoch_ == double.best_epoch_
    for name, figures in double.history_.items():
        np.testing.assert_allclose(single.history_[name], figures, rtol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(("make", "data"), [("mlp", "iris"), ("mlr", "diabetes")])
def test_both_precisions_train_nearly_the_same_network(
    request, make, data, engine, dropout
):
    X, y = request.getfixturevalue(data)
    est = request.getfixturevalue(make)
    params = {**PARAMS, "dropout": dropout, "engine": engine}
    single = est(**params).fit(X.astype(np.float32), y)
    assert_nearly_same(single, est(**params).fit(X, y))


@pytest.mark.parametrize(("make", "data"), [("mlp", "iris"), ("mlr", "diabetes")])
def test_so_does_partial_fit(request, make, data):
    X, y = request.getfixturevalue(data)
    classes = {"classes": [0, 1, 2]} if make == "mlp" else {}
    single, double = (request.getfixturevalue(make)(dropout=0.4) for _ in range(2))
    for rows in (slice(50), slice(50, None)):
        single.partial_fit(X[rows].astype(np.float32), y[rows], **classes)
        double.partial_fit(X[rows], y[rows], **classes)
    assert_nearly_same(single, double)
