"""Properties of any estimator on any rows, over settings that hypothesis draws.

A run of the tests draws the same few examples every time. `nox -s properties` draws
hundreds, and new ones every time.
"""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

from skreg import (
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    RegularizedMLPClassifier,
    RegularizedMLPRegressor,
)

# Few values each, as every kind of network is traced anew; extreme ones among them.
STRENGTHS = st.sampled_from([0.0, 1e-3, 10.0])
RATES = st.sampled_from([0.0, 0.4, 0.99])
NETWORK = {
    "hidden_layer_sizes": st.sampled_from([(), (1,), (5,), (4, 3)]),
    "activation": st.sampled_from(["relu", "tanh", "selu"]),
    "l1": STRENGTHS,
    "l2": STRENGTHS,
    "group_l1": STRENGTHS,
    "dropout": RATES,
    "ema_momentum": st.sampled_from([None, 0.9]),
    "optimizer": st.sampled_from(["adam", "sgd", "rmsprop"]),
    "learning_rate": st.sampled_from([None, 1e-30, 0.1]),
    "batch_size": st.sampled_from([1, 7, 1000]),
    "epochs": st.integers(1, 3),
    "early_stopping": st.booleans(),
    "shuffle": st.booleans(),
    "random_state": st.integers(0, 2**32 - 1),
}
SCALES = st.sampled_from([0.0, 1e-8, 1.0, 1e4])


@st.composite
def rows(draw, n_min=12):
    """Rows, dense or sparse, in single or double precision; read-only."""
    n, n_columns = draw(st.integers(n_min, 30)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    X = rng.normal(size=(n, n_columns)) * draw(SCALES)
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    if draw(st.booleans()):
        return sparse.csr_array(X * (rng.random(X.shape) < 0.5))
    X.setflags(write=False)
    return X


@st.composite
def labels(draw, n):
    """Two classes, three, or several labels; at least three rows of each class."""
    kind = draw(st.sampled_from(["two", "three", "labels"]))
    if kind == "labels":
        return np.stack([np.arange(n) % 2, np.arange(n) // 3 % 2], axis=1)
    return np.array(["a", "b", "c"])[np.arange(n) % {"two": 2, "three": 3}[kind]]


@st.composite
def targets(draw, n):
    rng = np.random.default_rng(n)
    shape = draw(st.sampled_from([(n,), (n, 3)]))
    return rng.normal(size=shape) * draw(SCALES) + draw(st.sampled_from([0.0, 1e6]))


def bytes_of(rows):
    return b"".join(
        part.tobytes()
        for part in (
            (rows.data, rows.indices, rows.indptr) if sparse.issparse(rows) else (rows,)
        )
    )


def fit_or_diverge(est, *arguments, **options):
    """Fit; examples whose weights become non-finite end here, with a clear error."""
    try:
        return est.fit(*arguments, **options)
    except ValueError as error:
        if "non-finite" not in str(error):
            raise
        assume(False)


@pytest.mark.parametrize(
    ("estimator", "make_targets"),
    [(RegularizedMLPClassifier, labels), (RegularizedMLPRegressor, targets)],
)
@given(data=st.data(), params=st.fixed_dictionaries(NETWORK))
def test_any_network_fits_any_rows_and_changes_none(
    estimator, make_targets, data, params
):
    X = data.draw(rows())
    y = data.draw(make_targets(X.shape[0]))
    weight = data.draw(st.sampled_from([None, 1 + np.arange(X.shape[0]) % 3]))
    before = bytes_of(X), y.tobytes(), weight is None or weight.tobytes()
    est = estimator(**params)
    fit_or_diverge(est, X, y, sample_weight=weight)
    assert before == (bytes_of(X), y.tobytes(), weight is None or weight.tobytes())
    assert est.get_params() == estimator(**params).get_params()
    predicted = est.predict(X)
    assert predicted.shape == y.shape
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict(X), predicted)
    if estimator is RegularizedMLPClassifier:
        proba = est.predict_proba(X)
        assert np.isfinite(proba).all()
        assert (proba >= 0).all()
        if y.ndim == 1:
            np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    else:
        assert np.isfinite(predicted).all()


@given(params=st.fixed_dictionaries(NETWORK), factor=st.sampled_from([1e-3, 0.5, 1e6]))
def test_the_scale_of_sample_weights_does_not_matter(params, factor, iris):
    X, y = iris
    weight = 1.0 + np.arange(len(y)) % 3
    est = RegularizedMLPClassifier(**params)
    one = fit_or_diverge(clone(est), X, y, sample_weight=weight)
    other = fit_or_diverge(clone(est), X, y, sample_weight=factor * weight)
    for a, b in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@given(params=st.fixed_dictionaries(NETWORK))
def test_names_of_classes_do_not_matter(params, iris):
    X, y = iris
    est = RegularizedMLPClassifier(**params)
    numbers = fit_or_diverge(clone(est), X, y)
    names = clone(est).fit(X, np.array(["ant", "bee", "cat"])[y])
    np.testing.assert_array_equal(names.predict_proba(X), numbers.predict_proba(X))


@given(
    params=st.fixed_dictionaries({**NETWORK, "dropout": st.just(0.0)}),
    n_copies=st.integers(2, 3),
)
def test_rows_repeated_in_full_batches_do_not_matter(params, n_copies, iris):
    X, y = iris
    est = RegularizedMLPClassifier(**params).set_params(
        batch_size=1000, early_stopping=False, shuffle=False
    )
    one = fit_or_diverge(clone(est), X, y)
    many = clone(est).fit(np.tile(X, (n_copies, 1)), np.tile(y, n_copies))
    np.testing.assert_allclose(
        many.predict_proba(X), one.predict_proba(X), rtol=0, atol=1e-6
    )


SEARCHED = {
    **NETWORK,
    "learning_rate": st.just(0.01),
    "random_state": st.just(0),
    "l2": st.just(1e-3),
}
VALUES = {
    "l1": [0.0, 1e-2],
    "group_l1": [1e-3, 0.0],
    "dropout": [0.3, 0.0],
    "learning_rate": [1e-3, 0.1],
    "hidden_layer_sizes": [(3,), (4, 2)],
    "ema_momentum": [None, 0.5],
}
# Two parameters at most, as scikit-learn's search fits every candidate alone.
GRID = st.lists(st.sampled_from(list(VALUES)), max_size=2, unique=True).map(
    lambda names: {name: VALUES[name] for name in names}
)
OPTIONS = {"scoring": "neg_log_loss", "cv": 3, "error_score": "raise"}


@given(params=st.fixed_dictionaries(SEARCHED), grid=GRID)
def test_any_grid_gives_the_results_of_grid_search(
    params, grid, iris, assert_same_results
):
    est = RegularizedMLPClassifier(**params)
    grid = grid or {"l2": [0.0, 0.1]}
    assert_same_results(
        BatchedGridSearchCV(est, grid, **OPTIONS).fit(*iris),
        GridSearchCV(est, grid, **OPTIONS).fit(*iris),
    )


@given(
    params=st.fixed_dictionaries(SEARCHED),
    grid=GRID,
    factor=st.integers(2, 3),
    epochs=st.integers(2, 6),
)
def test_any_halving_gives_the_results_of_scikit_learn(
    params, grid, factor, epochs, iris, assert_same_results
):
    est = RegularizedMLPClassifier(**params).set_params(epochs=epochs)
    grid = {**grid, "l2": [0.0, 0.1]}
    assert_same_results(
        BatchedHalvingGridSearchCV(est, grid, factor=factor, **OPTIONS).fit(*iris),
        HalvingGridSearchCV(
            est,
            grid,
            factor=factor,
            resource="epochs",
            max_resources=epochs,
            **OPTIONS,
        ).fit(*iris),
    )
