"""The compiled engine takes Keras' steps: in float64 both end at the same weights."""

import keras
import numpy as np
import pytest
from problems import LOSSES, assert_same
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.preprocessing import scale

K = keras.optimizers
S = keras.optimizers.schedules

# Most fits below take 40 steps.
COSINE = S.CosineDecay(0.02, 30, alpha=0.05)
WARM_UP = S.CosineDecay(1e-3, 25, warmup_target=0.02, warmup_steps=3)

OPTIMIZERS = {
    "adam": K.Adam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-5),
    "amsgrad": K.Adam(0.01, beta_2=0.8, amsgrad=True),
    "adamw": K.AdamW(0.01, weight_decay=0.1),
    "nadam": K.Nadam(0.01, beta_1=0.8),
    "adamax": K.Adamax(0.02),
    "adagrad": K.Adagrad(0.1, initial_accumulator_value=0.01),
    "lion": K.Lion(0.002),
    "sgd": K.SGD(0.1),
    "momentum": K.SGD(0.05, momentum=0.8),
    "nesterov": K.SGD(0.05, momentum=0.8, nesterov=True),
    "rmsprop": K.RMSprop(0.002),
    "rmsprop with momentum": K.RMSprop(0.001, momentum=0.5),
    "centered rmsprop": K.RMSprop(0.002, centered=True),
}
OPTIONS = {
    "amsgrad with decay": K.Adam(0.01, beta_2=0.5, amsgrad=True, weight_decay=0.1),
    "sgd with decay": K.SGD(0.1, momentum=0.8, weight_decay=0.1),
    "rmsprop with decay": K.RMSprop(0.01, momentum=0.3, weight_decay=0.1),
    "clipnorm": K.Adam(0.01, clipnorm=0.02),
    "clipvalue": K.SGD(0.1, clipvalue=0.01),
    "global_clipnorm": K.SGD(0.5, momentum=0.5, global_clipnorm=0.1),
    "clipnorm and decay": K.Adagrad(0.1, clipnorm=0.05, weight_decay=0.01),
    "cosine": K.AdamW(COSINE, weight_decay=0.1),
    "warm-up": K.SGD(WARM_UP, momentum=0.9, nesterov=True),
    "restarts": K.RMSprop(S.CosineDecayRestarts(0.01, 5), momentum=0.5),
    "exponential": K.SGD(S.ExponentialDecay(0.2, 2, 0.8), momentum=0.9),
    "staircase": K.Lion(S.InverseTimeDecay(0.01, 3, 0.5, staircase=True)),
    "polynomial": K.Nadam(S.PolynomialDecay(0.02, 30, power=2.0), clipvalue=0.1),
    # Where TensorFlow traces a division by 7, it multiplies by 1 / 7, and rounds up.
    "cycle": K.Adam(S.PolynomialDecay(0.02, 8, cycle=True)),
    "piecewise": K.Adamax(S.PiecewiseConstantDecay([9, 25], [0.02, 0.01, 0.001])),
}
PENALTIES = {"l1": [2**-6, 0.0, 2**-7], "group_l1": 2**-5, "ema_momentum": 0.9}


ACTIVATIONS = "elu", "gelu", "leaky_relu", "mish", "selu", "softsign", "tanh"
SETTINGS = {
    **{name: {"optimizer": o} for name, o in {**OPTIMIZERS, **OPTIONS}.items()},
    **{
        name: {"hidden_layer_sizes": (6, 5), "activation": name, "learning_rate": 0.01}
        for name in ACTIVATIONS
    },
    "linear": {"hidden_layer_sizes": (), "l1": 2**-6},
    "class weights": {"class_weight": "balanced", "batch_size": 19},
    "one batch": {"shuffle": False, "batch_size": 1000},
    "one row a batch": {"batch_size": 1, "epochs": 1},
}


@pytest.fixture
def both(cancer):
    """Fit an estimator with both engines, to 60 rows if no others are given."""

    def fit(est, X=cancer[0][:60], y=cancer[1][:60]):
        return [
            clone(est).set_params(engine=engine).fit(X, y)
            for engine in ("compiled", "keras")
        ]

    return fit


@pytest.mark.parametrize("setting", SETTINGS)
def test_steps(mlp, both, setting):
    est = mlp(epochs=20).set_params(**SETTINGS[setting])
    assert_same(*both(est), atol=1e-6)


# Lion has no proximal steps.
PROXIMAL = [*(OPTIMIZERS.keys() - {"lion"}), "global_clipnorm", "cosine", "restarts"]


@pytest.mark.parametrize("name", sorted(PROXIMAL))
def test_proximal_steps_and_averages_of_an_optimizer(mlp, both, name):
    optimizer = {**OPTIMIZERS, **OPTIONS}[name]
    ours, theirs = both(mlp((6, 5), epochs=20, optimizer=optimizer, **PENALTIES))
    assert_same(ours, theirs, atol=1e-6)
    for kernel, by_keras in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_array_equal(kernel == 0, by_keras == 0)
    assert (ours.coefs_[0] == 0).any()


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_rates_may_fall_to_zero(mlp, both, name):
    falling = S.CosineDecay(0.02, 20)
    est = mlp((6,), optimizer=name, learning_rate=falling, epochs=20)
    ours, theirs = both(est.set_params(l1=2**-6, group_l1=2**-5))
    assert_same(ours, theirs, atol=1e-6)
    np.testing.assert_array_equal(ours.coefs_[0] == 0, theirs.coefs_[0] == 0)


@pytest.fixture(scope="module")
def problems():
    """Rows, targets of every kind and the loss of a regressor, by name.

    Rows of zeros have logits of zero in the first step, where losses have kinks.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)) * (rng.random((60, 8)) < 0.6)
    X[::9] = 0
    numbers = scale(np.column_stack([X[:, 0] - X[:, 1], X[:, 2] * X[:, 3]]))
    counts = rng.poisson(np.exp(X[:, :2]))
    targets = {
        "two classes": (X[:, 0] > X[:, 1], None),
        "three classes": (np.digitize(X[:, 0] - X[:, 1], [-0.5, 0.5]), None),
        "labels": ((X[:, :3] > 0).astype(int), None),
        "squared_error": (numbers[:, 0], "squared_error"),
        "two outputs": (numbers, "squared_error"),
        "absolute_error": (numbers, "absolute_error"),
        "huber": (3 * numbers[:, 0], "huber"),
        "poisson": (counts, "poisson"),
        "quantile": (numbers[:, 0], "quantile"),
    }
    return {name: (X, y, loss) for name, (y, loss) in targets.items()}


@pytest.mark.parametrize(
    "name", ["two classes", "three classes", "labels", "two outputs", *LOSSES]
)
def test_losses_and_sample_weights_dense_and_sparse(mlp, mlr, problems, name):
    X, y, loss = problems[name]
    params = {"epochs": 20, "learning_rate": 0.01, "batch_size": 25, "l2": [0.1, 0.2]}
    est = mlp(**params) if loss is None else mlr(loss=loss, quantile=0.3, **params)
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    by_keras = clone(est).set_params(engine="keras").fit(X, y, weight)
    est.set_params(engine="compiled")
    for rows in (X, csr_array(X)):
        assert_same(clone(est).fit(rows, y, weight), by_keras, atol=1e-6)


@pytest.mark.parametrize("data", ["cancer", "iris"])
def test_early_stopping(mlp, both, data, request):
    stopping = {"early_stopping": True, "n_iter_no_change": 2}
    est = mlp((8, 6), optimizer=K.SGD(1.0), epochs=20, **stopping)
    ours, theirs = both(est, *request.getfixturevalue(data))
    assert_same(ours, theirs, atol=1e-6)
    assert ours.best_epoch_ < ours.n_iter_ < 20


def test_weights_that_become_non_finite_are_found_in_the_same_epoch(mlp, cancer):
    messages = []
    for engine in ("keras", "compiled"):
        # The weights of this linear model grow by the same factor in every step.
        est = mlp((), engine=engine, optimizer="sgd", learning_rate=1e8, l2=[1e8])
        message = r"non-finite .* in epoch \d+\. Scale .*lower learning_rate"
        with pytest.raises(ValueError, match=message) as caught:
            est.set_params(epochs=30).fit(*cancer)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "in epoch 1." not in messages[0]
