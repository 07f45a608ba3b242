"""Rows and estimators for the tests of resumed training, and how to compare them."""

import numpy as np
import pytest
from sklearn.base import is_classifier

# NumPy 2 warns where Keras converts its variables: in the files that it saves and in
# callbacks that set a learning rate.
ignores_copy_warning = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

# Python 3.12 and later warn of any fork of a process that has threads.
ignores_fork_warning = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

# The checks that can't hold with dropout, and why: they compare rows that are repeated
# or removed with rows of weight 2 or 0.
DROPOUT_FAILURES = {
    f"check_sample_weight_equivalence_on_{kind}_data": (
        "dropout noise is drawn by the position of a row in its batch"
    )
    for kind in ("dense", "sparse")
}


LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "quantile"]
# A quick search of two rungs.
SMALL_CV = {
    "n_candidates": 3,
    "epochs": 18,
    "cv": 2,
    "ensemble_size": 2,
    "preprocessing": None,
    "random_state": 0,
}
# Steps too small to change a weight: the fitted weights are those at the start.
STANDING_STILL = {"optimizer": "sgd", "learning_rate": 1e-30}


class Problem:
    """Rows, and estimators for them that all have the same parameters."""

    def __init__(self, factory, X, y, **defaults):
        self.factory, self.X, self.y, self.defaults = factory, X, y, defaults
        self.classes = {}
        if is_classifier(factory()):
            self.classes = {"classes": np.unique(y)}

    def make(self, **params):
        return self.factory(**{**self.defaults, **params})

    def fit(self, est, **fit_params):
        return est.fit(self.X, self.y, **fit_params)

    def warm(self, est, epochs, **params):
        """Continue the training for some epochs."""
        est.set_params(warm_start=True, epochs=epochs, **params)
        return self.fit(est)

    def partial(self, est, n_calls=1):
        for _ in range(n_calls):
            est.partial_fit(self.X, self.y, **self.classes)
        return est


def the_problem(request, name, engine):
    factory, data = {
        "classifier": ("mlp", "iris"),
        "regressor": ("mlr", "diabetes"),
    }[name]
    X, y = request.getfixturevalue(data)
    defaults = {"engine": engine, "batch_size": 40}  # two steps, the second shorter
    return Problem(request.getfixturevalue(factory), X[:70], y[:70], **defaults)


def arrays(est):
    return est.coefs_ + est.intercepts_


def assert_same_weights(ours, theirs, atol=0.0, rtol=None):
    """Two fits have the same weights, to the bit if no tolerance is given."""
    for a, b in zip(arrays(ours), arrays(theirs), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=atol if rtol is None else rtol, atol=atol)


def assert_same(ours, theirs, atol=1e-9):
    """Two fits have the same weights and history."""
    assert_same_weights(ours, theirs, atol)
    assert ours.history_.keys() == theirs.history_.keys()
    for name, figures in theirs.history_.items():
        np.testing.assert_allclose(ours.history_[name], figures, rtol=atol, atol=atol)
    assert ours.loss_curve_ == ours.history_["loss"]
    assert ours.n_iter_ == theirs.n_iter_ == len(ours.loss_curve_)
    assert ours.best_epoch_ == theirs.best_epoch_


def differ(ours, theirs):
    pairs = zip(arrays(ours), arrays(theirs), strict=True)
    return not all(np.allclose(a, b, rtol=1e-6, atol=1e-6) for a, b in pairs)
