"""What is trained and predicted, against NumPy, scikit-learn and Keras."""

import copy
from functools import partial
from itertools import product

import keras
import numpy as np
import pytest
from problems import STANDING_STILL, assert_same_weights
from scipy.special import erf, expit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

NUMPY_ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": expit,
    "linear": lambda z: z,
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "silu": lambda z: z * expit(z),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
}

# Strengths are powers of 2 where figures are compared closely: Keras' regularizers
# keep theirs in single precision.

COSINE = keras.optimizers.schedules.CosineDecay(
    0.01, 4, warmup_target=0.1, warmup_steps=2
)


@pytest.fixture(scope="module", params=["auto", "keras"])
def mlp(mlp, request):
    """The oracles are the same for both engines."""
    return partial(mlp, engine=request.param)


def numpy_proba(estimator, X):
    """Compute the network by hand, from coefs_ and intercepts_ only."""
    activation = NUMPY_ACTIVATIONS[estimator.activation]
    *hidden, (kernel, bias) = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    for hidden_kernel, hidden_bias in hidden:
        X = activation(X @ hidden_kernel + hidden_bias)
    logits = X @ kernel + bias
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    return softmax(logits, axis=1)


@pytest.mark.parametrize(
    ("sizes", "l1", "l2", "l1_by_kernel", "l2_by_kernel"),
    [
        ((5,), 1 / 32, 0.0, [1 / 32, 0], [0, 0]),
        ((5, 3), 1 / 32, 1 / 64, [1 / 32, 1 / 32, 0], [1 / 64, 1 / 64, 0]),
        ((5, 3), [1 / 32, 0.0], [0.0, 1 / 64], [1 / 32, 0, 0], [0, 1 / 64, 0]),
        ((5, 3), 1 / 32, [0.0, 1 / 64, 1 / 8], [1 / 32, 1 / 32, 0], [0, 1 / 64, 1 / 8]),
        (5, (1 / 32, 1 / 8), np.array([1 / 64]), [1 / 32, 1 / 8], [1 / 64, 0]),
        ((), 1 / 32, 1 / 64, [1 / 32], [1 / 64]),
        ((), [1 / 32], [1 / 64], [1 / 32], [1 / 64]),
    ],
)
def test_penalty_is_that_of_the_penalized_kernels(
    mlp, iris, sizes, l1, l2, l1_by_kernel, l2_by_kernel
):
    est = mlp(sizes, l1=l1, l2=l2, **STANDING_STILL).fit(*iris)
    expected = sum(
        a * np.abs(w).sum() + b * (w**2).sum()
        for a, b, w in zip(l1_by_kernel, l2_by_kernel, est.coefs_, strict=True)
    )
    np.testing.assert_allclose(est.history_["penalty"], expected, rtol=1e-12)


def test_training_starts_from_glorot_uniform_kernels_and_zero_biases(mlp, cancer):
    est = mlp((50, 40), **STANDING_STILL).fit(*cancer)
    for kernel, bias in zip(est.coefs_, est.intercepts_, strict=True):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        np.testing.assert_allclose(bias, 0, atol=1e-25)


def test_layers_of_one_shape_start_from_different_kernels(mlp, iris):
    first, second, _ = mlp((4, 4), **STANDING_STILL).fit(*iris).coefs_
    assert not np.isclose(first, second).any()


@pytest.mark.parametrize(
    ("activation", "data", "sizes"),
    [
        ("relu", "cancer", (7, 5)),
        ("relu", "cancer", (64, 40)),  # its products are computed in pieces
        *product(NUMPY_ACTIVATIONS, ["iris"], [(7, 5)]),
    ],
)
def test_probabilities_are_the_forward_pass_of_the_coefs(
    mlp, data, activation, sizes, request
):
    X, y = request.getfixturevalue(data)
    est = mlp(sizes, activation=activation, dropout=0.5, batch_size=200)
    est.fit(X, y)
    # TensorFlow's gelu has sqrt(2) in single precision only.
    np.testing.assert_allclose(est.predict_proba(X), numpy_proba(est, X), rtol=1e-7)
    outputs = keras.ops.convert_to_numpy(est.model_(X))
    np.testing.assert_allclose(
        outputs, est.predict_proba(X)[:, -outputs.shape[1] :], rtol=1e-6
    )


@pytest.mark.parametrize("data", ["cancer", "iris"])
def test_predictions_of_many_rows_are_those_of_few(mlp, data, request):
    X, y = request.getfixturevalue(data)
    est = mlp((64, 40), dropout=0.5, batch_size=200).fit(X, y)
    n = 1 + 5000 // len(X)
    many = np.tile(X, (n, 1))  # these are pushed forward in chunks
    expected = np.tile(est.predict_proba(X), (n, 1))
    np.testing.assert_allclose(est.predict_proba(many), expected, rtol=1e-10)
    np.testing.assert_array_equal(est.predict(many), np.tile(est.predict(X), n))


def sgd_by_hand(est, X, targets, sample_weight, kernel, bias):
    """The textbook loop for logistic regression; returns the history, too."""
    w = sample_weight / sample_weight.mean()
    n, b, rate = len(X), est.batch_size, est.learning_rate
    history = {"data_loss": [], "penalty": []}
    for _ in range(est.epochs):
        losses = penalties = 0
        for rows in np.split(np.arange(n), range(b, n, b)):
            z = X[rows] @ kernel + bias
            cross_entropy = np.logaddexp(0, z) - targets[rows] * z
            error = w[rows] * (expit(z) - targets[rows]) / len(rows)
            # In the running means, a batch counts as often as it has rows.
            losses += w[rows] @ cross_entropy
            penalties += len(rows) * (
                est.l1 * np.abs(kernel).sum() + est.l2 * (kernel**2).sum()
            )
            kernel = kernel - rate * (X[rows].T @ error + 2 * est.l2 * kernel)
            kernel = np.sign(kernel) * np.maximum(np.abs(kernel) - rate * est.l1, 0)
            bias = bias - rate * error.sum()
        history["data_loss"].append(losses / n)
        history["penalty"].append(penalties / n)
    return kernel, bias, history


@pytest.mark.parametrize("batch_size", [50, 120])
def test_a_linear_model_is_trained_by_the_textbook_loop(mlp, cancer, batch_size):
    X, y = cancer
    sample_weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    common = {"l1": 1 / 128, "l2": 1 / 64, "shuffle": False}
    start = mlp((), **common, **STANDING_STILL).fit(X, y)
    est = mlp((), **common, optimizer="sgd", learning_rate=0.125, batch_size=batch_size)
    est.fit(X, y, sample_weight)
    kernel, bias, history = sgd_by_hand(
        est, X, y, sample_weight, start.coefs_[0][:, 0], 0.0
    )
    np.testing.assert_allclose(est.coefs_[0][:, 0], kernel, rtol=1e-9)
    np.testing.assert_allclose(est.intercepts_[0][0], bias, rtol=1e-9)
    for name, figures in history.items():
        np.testing.assert_allclose(est.history_[name], figures, rtol=1e-9)


@pytest.mark.parametrize("data", ["cancer", "iris"])
def test_a_linear_model_with_l2_converges_to_logistic_regression(mlp, data, request):
    X, y = request.getfixturevalue(data)
    X = X[:, :4]
    l2 = 0.05
    momentum = keras.optimizers.SGD(1.0, momentum=0.5)
    est = mlp((), l2=l2, optimizer=momentum, epochs=150)
    est.set_params(batch_size=len(y)).fit(X, y)
    # We minimize         mean(ce) +    l2 * sum(w**2), over n rows,
    # scikit-learn     C * sum(ce) + 1/2 * sum(w**2). Ours times n * C is
    # C * sum(ce) + n * C * l2 * sum(w**2): the same one where n * C * l2 = 1/2.
    C = 1 / (2 * len(y) * l2)
    reference = LogisticRegression(C=C, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(est.coefs_[0].T, reference.coef_, atol=1e-6)
    np.testing.assert_allclose(
        est.predict_proba(X), reference.predict_proba(X), atol=1e-6
    )


@pytest.fixture(scope="module")
def binary_words():
    """Rows of the source document: 10,000 inputs, each 0 or 1, and a binary target."""
    rng = np.random.default_rng(0)
    X = (rng.random((40, 10_000)) < 0.02).astype(np.float32)
    return X, rng.integers(0, 2, 40)


@pytest.fixture(scope="module")
def source_start(mlp, binary_words):
    """The weights that the source document's network starts from."""
    return mlp((16, 16), **STANDING_STILL).fit(*binary_words).model_.get_weights()


# engine/test_both_engines.py has the other optimizers.
@pytest.mark.parametrize(
    ("mlp", "l1", "l2", "optimizer"),
    [
        ("auto", 0.0, 0.0, "rmsprop"),
        ("auto", 0.0, 0.001, "rmsprop"),
        ("keras", 0.0, 0.001, "rmsprop"),
        # L1 follows Keras' subgradient where there is no proximal step.
        ("auto", 0.001, 0.0, keras.optimizers.Adadelta(0.1)),
        ("auto", 0.001, 0.001, keras.optimizers.Adadelta(0.1)),
        ("auto", 0.0, 0.001, "adam"),
        ("keras", 0.0, 0.001, "adam"),
        ("auto", 0.0, 0.001, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        ("auto", 0.0, 0.001, keras.optimizers.AdamW(weight_decay=0.1)),
        ("auto", 0.0, 0.001, keras.optimizers.SGD(COSINE, weight_decay=0.1)),
        ("auto", 0.0, 0.001, keras.optimizers.Adam(amsgrad=True, global_clipnorm=0.1)),
        ("auto", 0.0, 0.001, keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)),
    ],
    indirect=["mlp"],
)
def test_the_source_network_is_trained_as_keras_trains_it(
    mlp, binary_words, source_start, l1, l2, optimizer
):
    X, y = binary_words
    ours = mlp((16, 16), l1=l1, l2=l2, optimizer=optimizer, epochs=3)
    ours.set_params(batch_size=25, shuffle=False).fit(X, y)

    regularizer = keras.regularizers.L1L2(l1, l2)
    by_hand = keras.Sequential(
        [
            keras.Input((10_000,)),
            keras.layers.Dense(16, "relu", kernel_regularizer=regularizer),
            keras.layers.Dense(16, "relu", kernel_regularizer=regularizer),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    by_hand.set_weights(source_start)
    by_hand.compile(
        copy.deepcopy(optimizer), loss="binary_crossentropy", run_eagerly=True
    )
    theirs = by_hand.fit(X, y, batch_size=25, shuffle=False, epochs=3, verbose=0)

    got, expected = (
        np.concatenate([w.ravel() for w in network.get_weights()])
        for network in (ours.model_, by_hand)
    )
    # A few of 160,000 differ: where a weight is about zero, the sign of a rounding
    # error is the direction of L1's next step.
    assert np.isclose(got, expected, rtol=0, atol=5e-6).mean() > 0.9999
    # The few that differ are in the penalty, which is in Keras' loss.
    np.testing.assert_allclose(ours.loss_curve_, theirs.history["loss"], rtol=1e-4)


@pytest.mark.parametrize("data", ["cancer", "iris"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 3}])
def test_integer_sample_weights_are_repeated_rows(mlp, data, class_weight, request):
    X, y = request.getfixturevalue(data)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    est = mlp(batch_size=1000, shuffle=False, epochs=5, class_weight=class_weight)
    weighted = clone(est).fit(X, y, sample_weight=counts)
    repeated = est.fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert_same_weights(weighted, repeated, rtol=1e-8)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.5, 2: 4}])
def test_class_weights_are_sample_weights(mlp, iris, class_weight):
    X, y = iris
    by_class = mlp(class_weight=class_weight).fit(X, y)
    by_row = mlp().fit(X, y, compute_sample_weight(class_weight, y))
    assert_same_weights(by_class, by_row, rtol=1e-9)


def test_kept_units_are_scaled_up_in_training_and_none_is_dropped_after(mlp, cancer):
    X, _ = cancer
    est = mlp((200,), activation="tanh", dropout=0.2).fit(*cancer)
    hidden, dropout, _ = est.model_.layers
    before = hidden(X)
    factors = np.asarray(dropout(before, training=True) / before)
    kept = factors != 0
    np.testing.assert_allclose(factors[kept], 1 / (1 - 0.2))
    # With 24,000 draws, the standard deviation of the share is 0.0026.
    assert abs(kept.mean() - 0.8) < 0.013
    np.testing.assert_array_equal(dropout(before, training=False), before)


def test_training_loss_under_dropout_is_its_expectation(mlp, cancer):
    X, y = cancer
    est = mlp(1, activation="linear", dropout=0.25, epochs=100, batch_size=120)
    est.set_params(**STANDING_STILL)
    drawn = est.fit(X, y).history_["data_loss"]
    # The one hidden unit is dropped, which leaves a logit of 0, or scaled up.
    logits = est.decision_function(X) / 0.75
    kept = np.logaddexp(0, logits) - y * logits
    expected = 0.75 * kept + 0.25 * np.log(2)
    variance = 0.75 * 0.25 * (kept - np.log(2)) ** 2
    error = np.sqrt(variance.sum() / 100) / len(y)
    assert abs(np.mean(drawn) - expected.mean()) < 4 * error
    assert len(set(drawn)) == 100


@pytest.mark.parametrize("data", ["cancer", "iris"])
@pytest.mark.parametrize("weighting", [None, "rows", "classes"])
def test_validation_figures_are_those_of_the_fitted_network(
    mlp, data, weighting, request
):
    X, y = request.getfixturevalue(data)
    X, y, X_val, y_val = X[:60], y[:60], X[60:], y[60:]
    rows = classes = None
    if weighting == "rows":
        rows = np.random.default_rng(0).integers(0, 3, len(y_val))
    elif weighting == "classes":
        classes = {0: 1, 1: 2, 2: 3}
    est = mlp(l1=0.1, l2=0.1, dropout=0.2, class_weight=classes)
    est.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=rows)
    loss = log_loss(
        y_val,
        est.predict_proba(X_val),
        sample_weight=y_val + 1 if classes else rows,
    )
    np.testing.assert_allclose(est.history_["val_loss"][-1], loss, rtol=1e-9)
    score = est.score(X_val, y_val, sample_weight=rows)
    np.testing.assert_allclose(est.history_["val_score"][-1], score, rtol=1e-9)


def test_validation_rows_do_not_change_the_training(mlp, cancer):
    alone = mlp(dropout=0.2).fit(*cancer)
    watched = mlp(dropout=0.2).fit(*cancer, X_val=cancer[0][:9], y_val=cancer[1][:9])
    assert_same_weights(alone, watched)


def test_loss_is_data_loss_plus_penalty(mlp, iris):
    history = mlp(l1=0.01, dropout=0.2, epochs=3).fit(*iris).history_
    parts = np.add(history["data_loss"], history["penalty"])
    np.testing.assert_allclose(history["loss"], parts, rtol=1e-12)
