"""Bad input raises an error that names the argument, what it may be and what it was."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier
from skreg._training import compiled

ADAM, AVERAGING = keras.optimizers.Adam(0.01), keras.optimizers.SGD(use_ema=True)
COSINE = keras.optimizers.schedules.CosineDecay(0.1, 10)
LEARNING_RATE = "learning_rate must be None beside an optimizer"
NO_NUMBERS = (np.nan, np.inf, "0.1", [0.1])
PARAMETERS = [
    ({"l1": -1.0}, "l1 == -1.0, must be >= 0"),
    ({"l1": np.nan}, "l1 must be a finite number, got nan"),
    ({"l1": "strong"}, "l1 must be a number or a sequence of numbers.*'strong'"),
    ({"l2": -0.1}, "l2 == -0.1, must be >= 0"),
    ({"l2": np.inf}, "l2 must be a finite number, got inf"),
    ({"l1": 1e39}, r"l1 == 1e\+39, must be <= 3.4"),
    ({"l2": [0.1, 1e300]}, r"l2\[1\] == 1e\+300, must be <= 3.4"),
    ({"group_l1": 1e39}, r"group_l1 == 1e\+39, must be <= 3.4"),
    ({"tol": 1e39}, r"tol == 1e\+39, must be <= 3.4"),
    ({"optimizer": keras.optimizers.Muon()}, "must not be Keras' Muon where X is in"),
    ({"l2": [0.1, 0.1, 0.1]}, "l2 must have 1 or 2 entries.*got 3"),
    ({"l2": [0.1, -1]}, r"l2\[1\] == -1, must be >= 0"),
    ({"l2": []}, "l2 must have 1 or 2 entries.*got 0"),
    ({"hidden_layer_sizes": (), "l2": [1, 1]}, "l2 must have 1 entries.*got 2"),
    ({"dropout": 1.0}, "dropout == 1.0, must be < 1"),
    ({"dropout": -0.1}, "dropout == -0.1, must be >= 0"),
    ({"dropout": np.nan}, "dropout must be a finite number"),
    ({"dropout": [0.1, 0.1]}, "dropout must have 1 entries.*got 2"),
    ({"dropout": [1]}, r"dropout\[0\] == 1, must be < 1"),
    ({"hidden_layer_sizes": 0}, r"hidden_layer_sizes\[0\] == 0, must be >= 1"),
    ({"hidden_layer_sizes": (5, -1)}, r"hidden_layer_sizes\[1\] == -1, must be >= 1"),
    ({"hidden_layer_sizes": (5.0,)}, r"hidden_layer_sizes\[0\] must be an int"),
    ({"hidden_layer_sizes": "big"}, "hidden_layer_sizes must be an integer or a"),
    ({"epochs": 0}, "epochs == 0, must be >= 1"),
    ({"epochs": 1.5}, "epochs must be an integer, got 1.5"),
    ({"batch_size": 0}, "batch_size == 0, must be >= 1"),
    ({"batch_size": -1}, "batch_size == -1, must be >= 1"),
    ({"batch_size": "all"}, r"batch_size must be one of \('auto',\), got 'all'"),
    ({"activation": "nonsense"}, "activation must be a name.*got 'nonsense'"),
    ({"activation": "threshold"}, "activation must be a name.*got 'threshold'"),
    ({"activation": "glu"}, "activation must be a name.*keeps the shape.*got 'glu'"),
    ({"activation": np.tanh}, "activation must be the name of a Keras activation"),
    ({"optimizer": ADAM, "learning_rate": 0.1}, LEARNING_RATE),
    ({"optimizer": ADAM, "learning_rate": COSINE}, LEARNING_RATE),
    ({"optimizer": AVERAGING, "ema_momentum": 0.9}, "ema_momentum must be None beside"),
    *(({"ema_momentum": v}, "ema_momentum") for v in (-0.1, 1.0, 1.5, *NO_NUMBERS)),
    *(({"group_l1": v}, "group_l1") for v in (-0.1, None, *NO_NUMBERS)),
    ({"optimizer": "nonsense"}, "optimizer must be a name.*got 'nonsense'"),
    ({"optimizer": 3}, "optimizer must be a name or a keras.optimizers.Optimizer"),
    ({"learning_rate": "constant"}, "learning_rate must be None, a number or .*Sched"),
    ({"learning_rate": lambda: 0.1}, "learning_rate must be None, a number or .*Sched"),
    ({"learning_rate": 0.0}, "learning_rate == 0.0, must be > 0"),
    ({"learning_rate": np.nan}, "learning_rate must be a finite number"),
    ({"shuffle": "yes"}, "shuffle must be True or False, got 'yes'"),
    ({"early_stopping": 1}, "early_stopping must be True or False, got 1"),
    ({"validation_fraction": 1.0}, "validation_fraction == 1.0, must be < 1"),
    ({"n_iter_no_change": 0}, "n_iter_no_change == 0, must be >= 1"),
    ({"n_iter_no_change": 2.0}, "n_iter_no_change must be an integer or np.inf, got 2"),
    ({"n_iter_no_change": -np.inf}, "must be an integer or np.inf, got -inf"),
    ({"tol": -1.0}, "tol == -1.0, must be >= 0"),
    ({"tol": None}, "tol must be a number, got None"),
    ({"tol": np.inf}, "tol must be a finite number, got inf"),
    ({"class_weight": "even"}, "class_weight must be None, 'balanced' or a "),
    ({"class_weight": {0: -1}}, "class_weight must have finite factors of at least 0"),
    ({"class_weight": {0: "a"}}, "class_weight must have finite fact.* got {0: 'a'}"),
    ({"class_weight": {0: 0, 1: 0}}, "sample_weight times class_weight must not be"),
    ({"engine": "fast"}, "engine must be one of .*got 'fast'"),
    ({"callbacks": [print]}, "callbacks must be None or keras.callbacks.Callback"),
    ({"verbose": -1}, "verbose == -1, must be >= 0"),
    ({"random_state": "seed"}, "'seed' cannot be used to seed"),
]


@pytest.mark.parametrize(("params", "message"), PARAMETERS)
def test_parameters(mlp, cancer, params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        mlp(**params).fit(*cancer)


ROWS = np.linspace(-1, 1, 24).reshape(8, 3)
LABELS = np.array([0, 1] * 4)
BOTH = np.eye(2)[LABELS]
WITH_NAN, INFINITE = (np.where(ROWS > 0.9, value, ROWS) for value in (np.nan, np.inf))
VAL = {"X_val": ROWS, "y_val": LABELS}
NEGATIVE, ZERO = "must be non-negative, got -1.0", "must not be zero for all rows"
NO_INDICATOR = "y_val must be an indicator matrix, as y is, got {} entries other than 0"
DATA = [
    ({"y": np.zeros(8)}, "y must have at least two classes, got one class"),
    ({"y": np.linspace(0, 1, 8)}, "Unknown label type: continuous"),
    ({"y": LABELS[:5]}, r"inconsistent numbers of samples: \[8, 5\]"),
    ({"y": None}, "requires y to be passed"),
    ({"y": np.where(LABELS, 1, np.nan)}, "Input y contains NaN"),
    (
        {"X": WITH_NAN},
        "Input X contains NaN, .*SimpleImputer before .* use RegularizedMLP.*CV",
    ),
    ({"X": INFINITE}, "Input X contains infinity"),
    (
        {"X": np.where(ROWS > 0.9, "high", ROWS.astype(object))},
        r"X must have numbers only: .*'high'\. .*Encoder, or use RegularizedMLP.*CV",
    ),
    ({"y": np.array(["a", None] * 4, object)}, "y must have a label in each row"),
    ({"X": ROWS[:, 0]}, "Expected 2D array, got 1D array"),
    ({"sample_weight": np.zeros(8)}, f"sample_weight {ZERO}"),
    ({"sample_weight": -np.ones(8)}, f"sample_weight {NEGATIVE}"),
    ({"sample_weight": np.ones(7)}, r"sample_weight must have one weight per row, .*7"),
    ({"sample_weight": np.ones((8, 2))}, "sample_weight must have one weight per row"),
    ({"sample_weight": np.full(8, np.nan)}, "Input sample_weight contains NaN"),
    ({"sample_weight": ["a"] * 8}, "sample_weight must be numbers, got an array of"),
    ({"X_val": ROWS}, "X_val and y_val must be given together.*got y_val=None"),
    ({"y_val": LABELS}, "X_val and y_val must be given together.*got X_val=None"),
    ({"sample_weight_val": LABELS}, "must be given together, and sample_weight_val"),
    ({**VAL, "y_val": LABELS + 1}, r"y_val must have no other classes.*\[2"),
    (
        {"y": np.arange(16).reshape(8, 2) % 3},
        "y must have one column of classes.*got 2 columns.*MultiOutputClassifier",
    ),
    ({**VAL, "X_val": ROWS[:, :2]}, "X_val has 2 features, but .* 3 feat"),
    ({**VAL, "y_val": LABELS[1:]}, r"inconsistent numbers of.*\[8, 7\]"),
    (
        {**VAL, "y_val": BOTH.astype(int)},
        r"y_val must have one class per row, as y has, .* of shape \(8, 2\)",
    ),
    (
        {**VAL, "y": BOTH, "y_val": np.zeros((8, 3))},
        r"y_val must have a column for each of 2 labels, got shape \(8, 3\)",
    ),
    (
        {**VAL, "y_val": csr_array(BOTH)},
        "y_val must have one class per row, as y has, got a csr_array of shape",
    ),
    ({**VAL, "y": BOTH, "y_val": BOTH / 2 - 0.2}, NO_INDICATOR.format("float64")),
    ({**VAL, "y": BOTH, "y_val": np.full((8, 2), "a")}, NO_INDICATOR.format("<U1")),
    ({**VAL, "X_val": INFINITE}, "Input X_val contains infinity"),
    ({**VAL, "X_val": WITH_NAN}, "Input X_val contains NaN"),
    ({**VAL, "y_val": np.where(LABELS, 1, np.nan)}, "Input y_val contains NaN"),
    ({**VAL, "sample_weight_val": -LABELS}, f"sample_weight_val {NEGATIVE}"),
    ({**VAL, "sample_weight_val": np.zeros(8)}, f"sample_weight_val {ZERO}"),
]


@pytest.mark.parametrize(("data", "message"), DATA)
def test_data(mlp, data, message):
    data = {"X": ROWS, "y": LABELS, **data}
    with pytest.raises(ValueError, match=message):
        mlp().fit(**data)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_prediction(mlp, cancer, fitted, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(RegularizedMLPClassifier(), method)(cancer[0])
    with pytest.raises(ValueError, match=r"X has 3 features, but .* 30 features"):
        getattr(fitted, method)(ROWS)
    named = mlp().fit(pd.DataFrame(ROWS, columns=list("abc")), LABELS)
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(named, method)(pd.DataFrame(ROWS, columns=list("abd")))


def test_model_before_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = RegularizedMLPClassifier().model_


@pytest.mark.parametrize(
    ("bad", "data"),
    [
        ({"l2": -1}, {}),
        ({}, {"sample_weight": -np.ones(8)}),
        ({}, {"X_val": ROWS[:, :2], "y_val": LABELS}),
        ({"optimizer": "sgd", "learning_rate": 1e300}, {}),
    ],
)
def test_a_failed_fit_leaves_the_estimator_as_it_was(mlp, cancer, bad, data):
    est = mlp().fit(*cancer)
    expected = est.predict_proba(cancer[0])
    est.set_params(**bad)
    before = dict(vars(est))
    with pytest.raises(ValueError, match=r"l2|sample_weight|X_val has 2|non-finite"):
        est.fit(ROWS, LABELS, **data)
    assert vars(est).keys() == before.keys()
    assert all(vars(est)[name] is value for name, value in before.items())
    np.testing.assert_array_equal(est.predict_proba(cancer[0]), expected)


def fail(epoch, logs):
    raise OSError("no space left")


def test_a_failed_first_fit_leaves_nothing_half_fitted(mlp, cancer):
    est = mlp(callbacks=keras.callbacks.LambdaCallback(on_epoch_end=fail))
    before = dict(vars(est))
    with pytest.raises(OSError, match="no space left"):
        est.fit(*cancer)
    assert vars(est) == before
    with pytest.raises(NotFittedError):
        est.predict(cancer[0])


def test_a_failure_in_the_middle_of_a_long_epoch_is_reported(mlp, cancer, monkeypatch):
    # Epochs take many calls here; the weights are lost long before the first ends.
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)
    est = mlp((), optimizer="sgd", learning_rate=1e30, l2=[1e30], batch_size=4)
    with pytest.raises(ValueError, match=r"non-finite .* in epoch 1"):
        est.fit(*cancer)


@pytest.mark.parametrize("make", ["mlp", "mlr"])
def test_outputs_that_overflow_are_an_error(make, engine, iris, request):
    """The weights are finite: after the first step they are as large as the rate."""
    options = {"optimizer": "sgd", "learning_rate": 1e30, "epochs": 1}
    est = request.getfixturevalue(make)(
        (8, 8), **options, engine=engine, batch_size=1000, l2=0.0, random_state=1
    )
    X, y = iris
    est.fit(X.astype(np.float32), y)
    with pytest.raises(ValueError, match="outputs are non-finite"):
        est.predict(X)


def test_predictions_that_overflow_are_an_error(mlr, iris):
    X, y = iris
    est = mlr((), loss="poisson", optimizer="sgd", learning_rate=1e4, epochs=1)
    est.set_params(batch_size=1000).fit(X, y)
    with pytest.raises(ValueError, match="outputs are non-finite"):
        est.predict(1e3 * X)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "ftrl", "learning_rate": 1e300, "ema_momentum": 0.9},
        {"optimizer": "sgd", "learning_rate": 1e300, "l1": 0.1, "engine": "keras"},
        {"optimizer": keras.optimizers.SGD(1e30, clipnorm=1e300), "batch_size": 7},
    ],
    ids=["average", "proximal", "clipping"],
)
def test_no_warning_comes_before_the_error(mlp, iris, options):
    X, y = iris
    with pytest.raises(ValueError, match="weights became non-finite"):
        mlp(epochs=3, **options).fit(X.astype(np.float32), y)
