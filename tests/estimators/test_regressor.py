"""RegularizedMLPRegressor against NumPy and scikit-learn, and in any units."""

import keras
import numpy as np
import pytest
from problems import LOSSES, STANDING_STILL
from scipy import sparse
from sklearn.linear_model import PoissonRegressor, QuantileRegressor, Ridge
from sklearn.metrics import mean_pinball_loss, mean_poisson_deviance, r2_score

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor


def numpy_loss(name, targets, outputs):
    """Mean loss, in the network's units."""
    error = targets - outputs
    if name == "squared_error":
        return np.mean(error**2)
    if name == "absolute_error":
        return np.mean(np.abs(error))
    if name == "huber":
        far = np.abs(error) > 1
        return np.mean(np.where(far, np.abs(error) - 0.5, error**2 / 2))
    if name == "quantile":
        return mean_pinball_loss(targets.ravel(), outputs.ravel(), alpha=0.5)
    return mean_poisson_deviance(targets.ravel(), outputs.ravel()) / 2


def in_units(loss, y):
    """The targets in the units of the network, their center and their scale."""
    center = 0.0 if loss == "poisson" else y.mean(axis=0)
    scale = y.mean(axis=0) if loss == "poisson" else y.std(axis=0)
    return (y - center) / scale, center, scale


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_that_of_standardized_targets(
    mlr, diabetes, engine, loss, n_outputs
):
    X, y = diabetes
    if n_outputs == 2:
        y = np.column_stack([y, 1e3 + y**2])
    est = mlr(engine=engine, loss=loss, **STANDING_STILL).fit(X, y)
    targets, center, scale = in_units(loss, y)
    outputs = (est.predict(X) - center) / scale
    expected = numpy_loss(loss, targets, outputs)
    np.testing.assert_allclose(est.history_["data_loss"], expected, rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_units_of_partial_fit_are_those_of_all_rows_so_far(
    mlr, diabetes, engine, loss
):
    X, y = diabetes
    Y = np.column_stack([y, 1e5 + y**2])
    est = mlr(loss=loss, engine=engine, batch_size=len(y), **STANDING_STILL)
    for rows in np.split(np.arange(len(y)), [1, 2, 30, 90]):
        est.partial_fit(X[rows], Y[rows])
    _, center, scale = in_units(loss, Y)
    targets, outputs = ((Z - center) / scale for Z in (Y[rows], est.predict(X[rows])))
    expected = numpy_loss(loss, targets, outputs)
    np.testing.assert_allclose(est.history_["data_loss"][-1], expected, rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_keras_model_speaks_the_units_of_the_user(mlr, diabetes, loss):
    X, y = diabetes
    est = mlr(loss=loss).fit(X, 1e4 * y)
    by_keras = est.model_(X).numpy()[:, 0]
    np.testing.assert_allclose(by_keras, est.predict(X), rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_without_hidden_layers_it_is_ridge_regression(mlr, diabetes, engine, n_outputs):
    X, y = diabetes
    if n_outputs == 2:
        y = np.column_stack([y, X @ np.arange(10) - 5])
    epochs = 600 if engine == "compiled" else 200
    full = {"optimizer": "sgd", "learning_rate": 0.2, "batch_size": len(y)}
    est = mlr((), l2=0.125, epochs=epochs, engine=engine, **full).fit(X, y)
    ridge = Ridge(alpha=0.125 * y.size).fit(X, y)
    tolerance = 1e-6 if engine == "compiled" else 1e-3
    np.testing.assert_allclose(est.predict(X), ridge.predict(X), rtol=tolerance)


def test_without_hidden_layers_poisson_is_poisson_regression(mlr, diabetes):
    X, y = diabetes
    full = {"learning_rate": 0.02, "batch_size": len(y), "epochs": 2500}
    est = mlr((), loss="poisson", l2=0.125, **full).fit(X, y)
    alpha = 2 * 0.125 * y.mean()  # its L2 is halved, its targets unscaled
    oracle = PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(est.predict(X), oracle.predict(X), rtol=1e-4)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_without_hidden_layers_a_quantile_is_that_of_linear_programming(quantile):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.gumbel(size=500)
    oracle = QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
    rate = keras.optimizers.schedules.CosineDecay(0.02, 4000)
    est = RegularizedMLPRegressor(
        (), loss="quantile", quantile=quantile, l2=0.0, random_state=0
    ).set_params(learning_rate=rate, batch_size=500, epochs=4000)
    est.fit(X, y)
    np.testing.assert_allclose(est.coefs_[0][:, 0], oracle.coef_, atol=1e-2)
    assert est.intercepts_[0][0] == pytest.approx(oracle.intercept_, abs=1e-2)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_share_of_the_targets_is_below_each_quantile(mlr, diabetes, engine):
    X, y = diabetes
    Y = np.column_stack([y, -y])
    weights = np.where(np.arange(len(y)) % 2, 2.0, 0.0)
    kept = weights > 0
    for quantile in (0.2, 0.7):
        est = mlr((), loss="quantile", quantile=quantile, engine=engine, l2=0.0)
        est.set_params(learning_rate=0.02, epochs=60).fit(X, Y, sample_weight=weights)
        below = (est.predict(X) > Y)[kept].mean(axis=0)
        np.testing.assert_allclose(below, quantile, atol=0.08)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.5, "half"])
def test_a_quantile_is_between_0_and_1(mlr, diabetes, quantile):
    with pytest.raises(
        (ValueError, TypeError), match=r"quantile (==|must be a number)"
    ):
        mlr(quantile=quantile).fit(*diabetes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_validation_score_is_r2_and_the_loss_is_without_the_penalty(
    mlr, diabetes, engine, loss, n_outputs
):
    X, y = diabetes
    if n_outputs == 2:
        y = np.column_stack([y, y**2])
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    X, X_val, y, y_val, w_val = X[:80], X[80:], y[:80], y[80:], weight[80:]
    est = mlr(engine=engine, loss=loss, l2=0.5)
    est.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w_val)
    score = r2_score(y_val, est.predict(X_val), sample_weight=w_val)
    assert est.validation_scores_[-1] == pytest.approx(score, abs=1e-9)
    _, center, scale = in_units(loss, y)
    predicted = (est.predict(X_val) - center) / scale
    losses = [
        numpy_loss(loss, t[np.newaxis], p[np.newaxis])
        for t, p in zip((y_val - center) / scale, predicted, strict=True)
    ]
    expected = np.average(losses, weights=w_val)
    assert est.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-9)


def test_constant_validation_targets_score_0(mlr, diabetes):
    X, y = diabetes
    est = mlr().fit(X, y, X_val=X[:5], y_val=np.full(5, 7.0))
    assert est.validation_scores_ == [0.0, 0.0]


def test_validation_targets_may_be_a_column(mlr, diabetes):
    X, y = diabetes
    flat = mlr().fit(X, y, X_val=X, y_val=y)
    column = mlr().fit(X, y, X_val=X, y_val=y[:, np.newaxis])
    assert column.history_ == flat.history_


def test_early_stopping_keeps_the_best_epoch(mlr, diabetes):
    X, y = diabetes
    est = mlr((50,), epochs=100, learning_rate=0.05, early_stopping=True).fit(X, y)
    losses = est.history_["val_loss"]
    assert est.best_epoch_ == 1 + np.argmin(losses)
    assert est.n_iter_ == est.best_epoch_ + 10 < 100


def test_shapes_of_targets_and_predictions(mlr, diabetes):
    X, y = diabetes
    assert mlr().fit(X, y).predict(X).shape == (len(y),)
    two = mlr().fit(X, np.column_stack([y, -y]))
    assert two.predict(X[:1]).shape == (1, 2)
    with pytest.warns(Warning, match="column-vector y was passed"):
        column = mlr().fit(X, y[:, np.newaxis])
    np.testing.assert_array_equal(column.predict(X), mlr().fit(X, y).predict(X))
    # A network in single precision predicts in the units of its targets.
    assert mlr().fit(X.astype(np.float32), y).predict(X).dtype == np.float64


@pytest.mark.parametrize(
    ("params", "change", "error", "message"),
    [
        ({"loss": "mse"}, None, ValueError, "loss must be one of .*, got 'mse'"),
        ({"loss": None}, None, ValueError, "loss must be one of .*, got None"),
        ({"loss": "poisson"}, lambda y: -y, ValueError, "y must not be negative"),
        ({"loss": "poisson"}, lambda y: 0 * y, ValueError, "y must not be 0 in all"),
        ({}, sparse.csr_array, TypeError, "y must be dense, got a sparse csr_array"),
        ({}, lambda y: np.where(y > 0, np.nan, y), ValueError, "y contains NaN"),
        ({}, lambda y: y[:-1], ValueError, "inconsistent numbers of samples"),
        ({}, lambda y: np.full(len(y), "much"), ValueError, "could not convert string"),
    ],
)
def test_bad_losses_and_targets(mlr, diabetes, params, change, error, message):
    X, y = diabetes
    if change is sparse.csr_array:
        y = np.column_stack([y, y])
    with pytest.raises(error, match=message):
        mlr(**params).fit(X, y if change is None else change(y))


def test_validation_targets_have_the_outputs_of_the_training(mlr, diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match=r"y_val must have 1 output\(s\), got 2"):
        mlr().fit(X, y, X_val=X, y_val=np.column_stack([y, y]))


def test_it_has_the_parameters_of_the_classifier_and_a_loss():
    ours = RegularizedMLPRegressor().get_params()
    theirs = RegularizedMLPClassifier().get_params()
    assert set(ours) - set(theirs) == {"loss", "quantile"}
    assert set(theirs) - set(ours) == {"class_weight"}
