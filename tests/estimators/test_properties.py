"""Properties of any estimator on any rows, over settings that hypothesis draws.

A run of the tests draws the same few examples every time. `nox -s properties` draws
hundreds, and new ones every time.
"""

import pickle

import joblib
import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import assert_same_weights
from scipy import sparse
from sklearn.base import clone

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

pytestmark = pytest.mark.slow

# Each has few values, some extreme, as every kind of network is compiled anew.
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
ACTIVATIONS = sorted(
    {name for name in vars(keras.activations) if not name.startswith("_")}
    - {"get", "serialize", "deserialize", "glu", "threshold"}
)
# The constructor takes these, sensible or not.
DECAY = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
OPTIMIZERS = [
    *({"optimizer": "sgd", "learning_rate": rate} for rate in (1e30, 1e300)),
    {"optimizer": "lion", "learning_rate": DECAY},
    {"optimizer": keras.optimizers.SGD(DECAY, momentum=0.9, nesterov=True)},
    {"optimizer": keras.optimizers.Adam(0.1, amsgrad=True, clipnorm=1e-6)},
    {"optimizer": keras.optimizers.AdamW(1.0, weight_decay=10.0)},
    {"optimizer": keras.optimizers.RMSprop(1.0, centered=True, clipvalue=0.1)},
    {"optimizer": keras.optimizers.Nadam(1e10, global_clipnorm=1.0)},
    {"optimizer": keras.optimizers.Ftrl(0.1)},  # only the Keras engine has it
]
ANY_STRENGTHS = st.sampled_from([0.0, 1e-3, 1e38])
ANYTHING = {
    **NETWORK,
    "activation": st.sampled_from(ACTIVATIONS),
    **dict.fromkeys(("l1", "l2", "group_l1"), ANY_STRENGTHS),
    "validation_fraction": st.sampled_from([0.1, 0.9]),
}
# Where such settings or rows do not work out, one of these errors says so.
ERRORS = [
    "weights became non-finite",
    "outputs are non-finite",
    "early_stopping needs two rows or more",
    "must not be zero for all rows",
    "y must not be 0 in all rows of an output with loss='poisson'",
    "class_weight must be None where a row may have several labels",
]
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


@st.composite
def any_rows(draw):
    """Two rows or more, perhaps with a constant column, and weights or None."""
    X = draw(rows(n_min=2))
    weight = draw(st.sampled_from([None, 0, 1e-300, 1e300]))
    if weight is not None:
        weight = np.where(np.arange(X.shape[0]) % 3 == 0, weight, 1.0)
    if draw(st.booleans()) and not sparse.issparse(X):
        X = np.hstack([X, np.full_like(X[:, :1], draw(SCALES))])
    return X, weight


def fit_or_diverge(est, *arguments, **options):
    """Fit; hypothesis drops an example whose weights become non-finite."""
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
    before = joblib.hash((X, y, weight))
    est = estimator(**params)
    fit_or_diverge(est, X, y, sample_weight=weight)
    assert joblib.hash((X, y, weight)) == before
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


@pytest.mark.filterwarnings("ignore:(?s).*using a softmax over axis -1:UserWarning")
@pytest.mark.parametrize(
    ("estimator", "own", "make_targets"),
    [
        (
            RegularizedMLPClassifier,
            {"class_weight": st.sampled_from([None, "balanced"])},
            labels,
        ),
        (
            RegularizedMLPRegressor,
            {"loss": st.sampled_from(["absolute_error", "huber", "poisson"])},
            targets,
        ),
    ],
)
@given(
    data=st.data(),
    params=st.fixed_dictionaries(ANYTHING),
    optimizer=st.sampled_from(OPTIMIZERS),
)
def test_anything_predicts_numbers_or_says_why_not(
    estimator, own, make_targets, data, params, optimizer
):
    X, weight = data.draw(any_rows())
    y = data.draw(make_targets(X.shape[0]))
    params = {**params, "learning_rate": None, **optimizer}
    params |= data.draw(st.fixed_dictionaries(own))
    if params.get("loss") == "poisson":
        y = np.abs(y)
    est = estimator(**params)
    try:
        est.fit(X, y, sample_weight=weight)
        values = getattr(est, "predict_proba", est.predict)(X)
    except ValueError as error:
        if not any(text in str(error) for text in ERRORS):
            raise
        return
    assert np.isfinite(values).all()


@given(params=st.fixed_dictionaries(NETWORK))
def test_rows_of_weight_zero_do_not_matter(params, iris):
    X, y = iris
    weight = 1.0 + np.arange(len(y)) % 3
    weight[::4] = 0
    est = RegularizedMLPClassifier(**params)
    weighted = fit_or_diverge(clone(est), X, y, sample_weight=weight)
    kept = weight > 0
    without = clone(est).fit(X[kept], y[kept], sample_weight=weight[kept])
    assert_same_weights(weighted, without)


@given(
    params=st.fixed_dictionaries(
        {
            **NETWORK,
            "hidden_layer_sizes": st.sampled_from([(5,), (4, 3)]),
            # The state of other optimizers would have to be permuted, too.
            "optimizer": st.just("sgd"),
            "ema_momentum": st.none(),
            "early_stopping": st.just(False),
        }
    ),
    columns=st.permutations(range(4)),
)
def test_the_order_of_columns_and_their_weights_does_not_matter(params, columns, iris):
    X, y = iris
    est = RegularizedMLPClassifier(**params, warm_start=True)
    fit_or_diverge(est, X, y)
    permuted = pickle.loads(pickle.dumps(est))
    permuted.coefs_[0][...] = est.coefs_[0][columns]
    fit_or_diverge(est, X, y)
    permuted.fit(X[:, columns], y)
    np.testing.assert_allclose(
        permuted.coefs_[0], est.coefs_[0][columns], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(
        permuted.predict_proba(X[:, columns]), est.predict_proba(X), rtol=0, atol=1e-6
    )


@given(params=st.fixed_dictionaries(NETWORK), factor=st.sampled_from([1e-3, 0.5, 1e6]))
def test_the_scale_of_sample_weights_does_not_matter(params, factor, iris):
    X, y = iris
    weight = 1.0 + np.arange(len(y)) % 3
    est = RegularizedMLPClassifier(**params)
    one = fit_or_diverge(clone(est), X, y, sample_weight=weight)
    other = fit_or_diverge(clone(est), X, y, sample_weight=factor * weight)
    assert_same_weights(one, other, rtol=1e-6, atol=1e-9)


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
