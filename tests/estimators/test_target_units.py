"""The units in which a regressor's network sees its targets, and what they are for."""

import pickle

import numpy as np
import pytest
from problems import LOSSES, STANDING_STILL, arrays, assert_same
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.preprocessing import scale


@pytest.fixture(scope="module")
def halves():
    """Rows to train on, and to score on."""
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = scale(X)[order], y[order]
    return X[:300], y[:300], X[300:], y[300:]


# Targets may be large and far from zero.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [1e6, -1e8])
def test_targets_far_from_0_are_learned_as_those_near(mlr, halves, dtype, offset):
    X, y, X_test, y_test = halves
    X, X_test, y = X.astype(dtype), X_test.astype(dtype), scale(y)
    near, far = (mlr(epochs=40).fit(X, y + shift) for shift in (0, offset))
    expected = near.predict(X_test)
    assert r2_score(y_test, expected * 77 + 152) > 0.3
    np.testing.assert_allclose(far.predict(X_test) - offset, expected, atol=1e-4)
    for est in (near, far):
        est.set_params(warm_start=True, epochs=20).fit(X, y + (est is far) * offset)
        est.partial_fit(X, y + (est is far) * offset)
    np.testing.assert_allclose(
        far.predict(X_test) - offset, near.predict(X_test), atol=1e-4
    )


@pytest.mark.parametrize(
    ("dtype", "factor"), [("f4", 1e30), ("f4", 1e-30), ("f8", 1e200), ("f8", 1e-200)]
)
@pytest.mark.parametrize("loss", LOSSES)
def test_targets_of_any_size_are_learned(mlr, diabetes, loss, dtype, factor):
    X, y = diabetes
    X = X.astype(dtype)
    est, scaled = (
        mlr(loss=loss, l1=[0.0, 0.01]).fit(X, targets).partial_fit(X, 2 * targets)
        for targets in (y, factor * y)
    )
    tolerance = 1e-4 if dtype == "f4" else 1e-9
    predicted = scaled.predict(X) / factor
    np.testing.assert_allclose(predicted, est.predict(X), rtol=tolerance)
    np.testing.assert_allclose(scaled.loss_curve_, est.loss_curve_, rtol=tolerance)
    assert all(np.isfinite(w).all() for w in arrays(scaled))


@pytest.mark.parametrize(("dtype", "size"), [("f4", 1e39), ("f8", 1e306)])
def test_targets_without_room_in_the_dtype_are_refused(mlr, diabetes, dtype, size):
    X, y = diabetes
    X, large = X.astype(dtype), np.where(y > 200, size, y)
    name = np.dtype(dtype).name
    message = rf"{{}} must be within .* of 0 for a network in {name}, got {size:.1e}"
    message = message.replace("+", r"\+")
    for fit in (mlr().fit, mlr().fit(X, y).partial_fit):
        with pytest.raises(ValueError, match=message.format("y")):
            fit(X, large)
    with pytest.raises(ValueError, match=message.format("y_val")):
        mlr().fit(X, y, X_val=X, y_val=large)


def test_the_output_layer_speaks_the_units_of_the_targets(mlr, diabetes):
    X, y = diabetes
    Y = np.column_stack([y, np.full_like(y, 7.0), 1e3 * y])
    est = mlr((8, 6)).fit(X, Y)
    h = X
    for kernel, bias in zip(est.coefs_[:-1], est.intercepts_[:-1], strict=True):
        h = np.maximum(h @ kernel + bias, 0)
    by_hand = h @ est.coefs_[-1] + est.intercepts_[-1]
    np.testing.assert_allclose(by_hand, est.predict(X), rtol=1e-12)
    np.testing.assert_allclose(est.model_(X), by_hand, rtol=1e-12)
    with pytest.raises(ValueError, match="read-only"):  # predictions use other arrays
        est.coefs_[-1][:] = 0


def test_a_pickle_holds_the_weights_once(mlr, diabetes):
    X, y = diabetes
    X = np.tile(X, 1000)
    est = mlr((), epochs=1).fit(X, np.column_stack([y] * 3))
    n_bytes = sum(w.nbytes for w in est.coefs_)
    assert n_bytes < len(pickle.dumps(est)) < 1.1 * n_bytes


# Targets may be constant.


@pytest.mark.parametrize("constant", [1e-6, 0.1, 152.0, 3e12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_constant_is_predicted_exactly(mlr, diabetes, loss, dtype, constant):
    X = diabetes[0].astype(dtype)
    y = np.full(len(X), constant)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    est = mlr(loss=loss, dropout=0.3, l1=0.01, l2=[0.1, 0.1]).fit(X, y, weight)
    est.partial_fit(X[:7], y[:7])
    np.testing.assert_array_equal(est.predict(X), y)
    assert est.history_["data_loss"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("engine", "optimizer"),
    [
        *(("compiled", name) for name in ("adam", "rmsprop")),
        *(("keras", n) for n in ("adam", "adagrad", "lion", "ftrl", "adafactor")),
    ],
)
def test_every_optimizer_keeps_constants(mlr, diabetes, engine, optimizer):
    X, y = diabetes
    Y = np.column_stack([np.full_like(y, 1e-6), y, np.full_like(y, -5.0)])
    est = mlr(engine=engine, optimizer=optimizer, early_stopping=True).fit(X, Y)
    predicted = est.predict(X)
    np.testing.assert_array_equal(predicted[:, 0], 1e-6)
    np.testing.assert_array_equal(predicted[:, 2], -5.0)
    assert np.ptp(predicted[:, 1]) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_an_output_may_vary_in_the_validation_rows_alone(mlr, diabetes, loss):
    X, y = diabetes
    Y = np.column_stack([y, np.where(np.arange(len(y)) < 80, 100, y)])
    est = mlr(loss=loss).fit(X[:80], Y[:80], X_val=X[80:], y_val=Y[80:])
    score = r2_score(Y[80:], est.predict(X[80:]))
    assert est.validation_scores_[-1] == pytest.approx(score, rel=1e-9)


# Units are learned while rows arrive in chunks.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("call", ["partial_fit", "fit"])
def test_new_units_leave_the_predictions_as_they_were(mlr, diabetes, loss, call):
    X, y = diabetes
    first = np.column_stack([y, y**2])
    est = mlr(loss=loss, warm_start=True).fit(X, first)
    before = est.predict(X)
    getattr(est.set_params(**STANDING_STILL), call)(X, 1e3 + 3 * first)
    np.testing.assert_allclose(est.predict(X), before, rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_constant_has_no_unit_to_keep(mlr, diabetes, loss):
    X, y = diabetes
    est = mlr(loss=loss).partial_fit(X, np.full_like(y, 50.0))
    est.set_params(**STANDING_STILL).partial_fit(X, y)
    np.testing.assert_allclose(est.predict(X), (50 + y.mean()) / 2, rtol=1e-9)


def test_fits_that_go_on_see_the_units_of_their_own_rows(mlr, diabetes):
    X, y = diabetes
    est = mlr(warm_start=True, batch_size=len(y)).fit(X, y)
    est.set_params(epochs=1, **STANDING_STILL).fit(X, 3e3 + 5 * y)
    error = 3e3 + 5 * y - est.predict(X)
    expected = np.mean(error**2) / np.var(5 * y)
    assert est.history_["data_loss"][-1] == pytest.approx(expected, rel=1e-9)


FIRST = {
    "all 150": np.full(10, 150.0),
    "all 0": np.zeros(10),
    "nearly constant": 150 + 1e-9 * np.arange(10),
    "one row": np.full(1, 40.0),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST.keys())
def test_a_first_chunk_that_hardly_varies_does_no_harm(mlr, halves, first):
    X, y, X_test, y_test = halves
    est = mlr((32,)).partial_fit(X[: len(first)], first)
    np.testing.assert_allclose(est.predict(X), first.mean(), atol=1e-6)
    for _ in range(20):
        for rows in np.split(np.arange(300), 3):
            est.partial_fit(X[rows], y[rows])
    expected = mlr((32,), epochs=20).fit(X, y).score(X_test, y_test)
    assert expected > 0.3
    assert est.score(X_test, y_test) > expected - 0.1


def test_single_rows_are_learned_one_after_the_other(mlr, halves):
    X, y, X_test, y_test = halves
    est = mlr((8,), learning_rate=0.01)
    for row in range(150):
        est.partial_fit(X[row : row + 1], y[row : row + 1])
    assert est.score(X_test, y_test) > 0.2


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_counts_may_begin_with_equal_ones(mlr, diabetes, count):
    X, y = diabetes
    est = mlr(loss="poisson", learning_rate=0.01)
    est.partial_fit(X[:40], np.full(40, count))
    assert (est.predict(X) > 0).all()
    for _ in range(30):
        est.partial_fit(X, y)
    assert est.score(X, y) > 0.3


def test_a_fit_needs_counts_that_are_not_all_0(mlr, diabetes):
    X, y = diabetes
    est = mlr(loss="poisson").fit(X, y)
    with pytest.raises(ValueError, match="y must not be 0 in all rows of an output"):
        est.set_params(warm_start=True).fit(X, 0 * y)


def test_a_constant_fit_goes_on_from_what_it_was(mlr, diabetes):
    X, y = diabetes
    est = mlr(warm_start=True).fit(X, y)
    twin = pickle.loads(pickle.dumps(est))
    constant = np.full_like(y, 100.0)
    assert_same(est.fit(X, constant), twin.fit(X, constant), atol=0)
    # The units are those of all rows, which are no constant.
    assert np.ptp(est.predict(X)) > 0


def test_the_score_of_targets_too_small_to_vary_is_0(mlr, iris):
    X = iris[0][:12]
    est = mlr(early_stopping=True, validation_fraction=0.9).fit(X, 1e-300 * X[:, 0])
    assert est.history_["val_score"] == [0.0, 0.0]


def test_validation_targets_may_be_any_number_of_units_away(mlr, iris):
    X = iris[0].astype(np.float32)
    y = 1e-30 * X[:, 0]
    est = mlr(early_stopping=True).fit(X, y, X_val=X, y_val=1e30 + y)
    assert est.history_["val_loss"] == [np.inf, np.inf]
    assert np.isfinite(est.predict(X)).all()
