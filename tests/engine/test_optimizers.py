"""Keras' optimizers in the compiled engine, held to Keras' own."""

import pickle
from itertools import product

import keras
import numpy as np
import pytest
from problems import assert_same, the_problem
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import Lasso
from sklearn.preprocessing import scale

from skreg._engine import compiled
from skreg._engine.schedules import LearningRates
from skreg._training.stacking import stacking_key, train_together

K = keras.optimizers
S = keras.optimizers.schedules

# Most fits below have two epochs of four steps.
COSINE = S.CosineDecay(0.02, 7, alpha=0.05)
WARM = S.CosineDecay(1e-3, 5, warmup_target=0.02, warmup_steps=3)


def task_of(est, X, y):
    """The task that a fit would train."""
    names = ("sample_weight", "X_val", "y_val", "sample_weight_val")
    return est._prepare_task(X, y, **dict.fromkeys(names))


class Sawtooth(S.LearningRateSchedule):
    """A user's own; its configuration can't be read."""

    def __call__(self, step):
        return 0.01 / (1 + keras.ops.cast(step % 7, "float32"))


OPTIMIZERS = {
    "amsgrad": K.Adam(0.01, beta_2=0.8, amsgrad=True),
    "nadam": K.Nadam(0.01, beta_1=0.8),
    "adagrad": K.Adagrad(0.1, initial_accumulator_value=0.01),
    "adamax": K.Adamax(0.02),
    "lion": K.Lion(0.002),
    "adam with decay": K.Adam(0.01, beta_2=0.5, amsgrad=True, weight_decay=0.1),
    "sgd with decay": K.SGD(0.1, momentum=0.8, weight_decay=0.1),
    "rmsprop with decay": K.RMSprop(0.01, momentum=0.3, weight_decay=0.1),
    "clipnorm": K.Adam(0.01, clipnorm=0.02),
    "clipvalue": K.SGD(0.1, clipvalue=0.01),
    "global_clipnorm": K.SGD(0.5, momentum=0.5, global_clipnorm=0.1),
    "clipnorm and decay": K.Adagrad(0.1, clipnorm=0.05, weight_decay=0.01),
    "cosine": K.AdamW(COSINE, weight_decay=0.1),
    "warm-up": K.SGD(WARM, momentum=0.9, nesterov=True),
    "restarts": K.RMSprop(S.CosineDecayRestarts(0.01, 5), momentum=0.5),
    "exponential": K.SGD(S.ExponentialDecay(0.2, 2, 0.8), momentum=0.9),
    "staircase": K.Lion(S.InverseTimeDecay(0.01, 3, 0.5, staircase=True)),
    "polynomial": K.Nadam(S.PolynomialDecay(0.02, 7, power=2.0), clipvalue=0.1),
    "piecewise": K.Adamax(S.PiecewiseConstantDecay([2, 5], [0.02, 0.01, 0.001])),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_engines_take_the_steps_of_the_optimizer(mlp, cancer, name):
    est = mlp(optimizer=OPTIMIZERS[name], engine="compiled")
    ours = clone(est).fit(*cancer)
    theirs = clone(est).set_params(engine="keras").fit(*cancer)
    assert_same(ours, theirs, atol=1e-6)


def test_xla_does_not_change_the_steps(mlp, cancer, use_xla):
    est = mlp(optimizer=OPTIMIZERS["polynomial"], dropout=0.3)
    plain = clone(est).fit(*cancer)
    use_xla()
    assert_same(clone(est).fit(*cancer), plain)
    assert len(compiled._xla_programs) == 1


def with_rates(cls, *rates, **params):
    return [cls(rate, **params) for rate in rates]


STACKS = {
    "adam": [K.AdamW(0.01, weight_decay=0.5), K.Adam(0.01), K.Adam(COSINE)],
    "amsgrad": with_rates(K.Adam, 0.01, WARM, amsgrad=True),
    "nadam": [K.Nadam(0.01, beta_1=0.5), K.Nadam(0.02, beta_1=0.9)],
    "adagrad": [K.Adagrad(0.1, 0.01), K.Adagrad(0.1), K.Adagrad(COSINE)],
    "adamax": with_rates(K.Adamax, 0.01, 0.02, clipvalue=0.01),
    "lion": with_rates(K.Lion, 0.001, COSINE),
    "clipnorm": [K.Adam(0.01, clipnorm=c) for c in (0.01, 0.1)],
    "global_clipnorm": [K.SGD(0.5, global_clipnorm=c) for c in (0.01, 0.1)],
    "momentum": [K.SGD(COSINE, 0.5), K.SGD(COSINE, 0.9, weight_decay=0.1)],
}


def tasks_of(mlp, X, y, optimizers, **params):
    """Of unequal rows and steps: a network's steps are not those of its group."""
    est = mlp(epochs=6, batch_size=10, **params)
    return [
        task_of(clone(est).set_params(optimizer=optimizer), X[:n_rows], y[:n_rows])
        for optimizer, n_rows in zip(optimizers, [120, 81, 75], strict=False)
    ]


def assert_same_weights(ours, theirs):
    pairs = zip(ours.kernels + ours.biases, theirs.kernels + theirs.biases, strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("name", STACKS)
def test_networks_trained_together_are_as_if_alone(mlp, cancer, name):
    tasks = tasks_of(mlp, *cancer, STACKS[name])
    assert len(set(map(stacking_key, tasks))) == 1
    for task, together in zip(tasks, train_together(tasks), strict=True):
        assert_same_weights(together, *train_together([task]))


@pytest.mark.parametrize("name", ["clipnorm", "momentum"])
def test_so_are_they_with_xla_and_proximal_steps(mlp, cancer, name, use_xla):
    tasks = tasks_of(mlp, *cancer, STACKS[name], l1=2**-7, group_l1=2**-6)
    alone = [train_together([task])[0] for task in tasks]
    use_xla()
    for ours, theirs in zip(train_together(tasks), alone, strict=True):
        assert_same_weights(ours, theirs)
    assert len(compiled._xla_programs) == 1


def test_other_clipping_is_another_stack(mlp, cancer):
    optimizers = [
        K.Adam(),
        K.Adam(clipnorm=1.0),
        K.Adam(clipvalue=1.0),
        K.Adam(global_clipnorm=1.0),
        K.Nadam(),
    ]
    keys = {stacking_key(task_of(mlp(optimizer=o), *cancer)) for o in optimizers}
    assert len(keys) == len(optimizers)


# Proximal steps.

PROXIMAL = {
    "amsgrad": K.Adam(0.01, beta_2=0.8, amsgrad=True),
    "nadam": K.Nadam(0.01),
    "adamax": K.Adamax(0.02),
    "adagrad": K.Adagrad(0.5),
    "clipped": K.SGD(0.1, momentum=0.5, global_clipnorm=10.0),
    "falling": K.SGD(S.CosineDecay(0.1, 1500), momentum=0.8),
    "falling rmsprop": K.RMSprop(S.CosineDecay(0.01, 1500), momentum=0.8),
}


@pytest.mark.parametrize("name", PROXIMAL)
def test_linear_models_with_l1_and_group_l1_are_the_lasso(mlr, diabetes, name):
    X, y = diabetes[0], scale(diabetes[1])
    est = mlr((), l2=0.0, batch_size=110, epochs=1500, optimizer=PROXIMAL[name])
    # Ours is mean(error**2) + l1 * sum(|w|), theirs half of that.
    coef = Lasso(0.1, tol=1e-12, max_iter=100_000).fit(X, y).coef_
    tasks = [
        task_of(clone(est).set_params(**{penalty: 0.2}), X, y)
        for penalty in ("l1", "group_l1")
    ]
    for result in train_together(tasks):
        kernel = result.kernels[0][:, 0]
        np.testing.assert_allclose(kernel, coef, atol=1e-4)
        np.testing.assert_array_equal(kernel == 0, coef == 0)
    assert 0 < (coef == 0).sum() < 10


@pytest.mark.parametrize(
    "name", ["nadam", "adamax", "falling rmsprop", "adam with decay"]
)
def test_both_engines_take_the_same_proximal_steps(mlp, cancer, name):
    est = mlp((6, 5), l1=[2**-6, 0.0, 2**-7], group_l1=2**-5)
    est.set_params(optimizer={**OPTIMIZERS, **PROXIMAL}[name], engine="compiled")
    ours = clone(est).fit(*cancer)
    theirs = clone(est).set_params(engine="keras").fit(*cancer)
    assert_same(ours, theirs, atol=1e-6)
    np.testing.assert_array_equal(ours.coefs_[0] == 0, theirs.coefs_[0] == 0)
    assert (ours.coefs_[0] == 0).any()


def test_zeros_stay_zeros_where_the_rate_falls(mlp, cancer):
    # Momentum still moves the weights by sums of the larger rates.
    falling = S.PiecewiseConstantDecay([155], [0.05, 0.0005])
    kernels = []
    for rate in (0.05, falling):
        est = mlp((6,), l1=0.02, epochs=40, optimizer=K.SGD(rate, momentum=0.9))
        kernels.append(est.fit(*cancer).coefs_[0])
    assert (kernels[0] == 0).mean() > 0.5
    assert (kernels[1] == 0).mean() > 0.95 * (kernels[0] == 0).mean()


# Schedules.


def test_a_schedule_is_the_learning_rate_of_a_named_optimizer(mlp, cancer):
    by_name = mlp(optimizer="sgd", learning_rate=WARM).fit(*cancer)
    assert_same(by_name, mlp(optimizer=K.SGD(WARM)).fit(*cancer))


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_schedule_of_the_users_own(mlp, cancer, engine):
    est = mlp((), optimizer="sgd", learning_rate=Sawtooth(), epochs=9, l2=0.0)
    est.set_params(batch_size=120, shuffle=False, engine=engine).fit(*cancer)
    rates = [0.01, 0.005, 0.01 / 3, 0.0025, 0.002, 0.01 / 6, 0.01 / 7, 0.01, 0.005]
    X, y = cancer
    start = mlp((), optimizer="sgd", learning_rate=1e-30, l2=0.0).fit(X, y)
    w, b = start.coefs_[0][:, 0], 0.0
    for rate in rates:
        error = (expit(X @ w + b) - y) / len(y)
        w, b = w - rate * X.T @ error, b - rate * error.sum()
    np.testing.assert_allclose(est.coefs_[0][:, 0], w, atol=1e-8)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99])
def test_sums_of_rates_with_momentum(momentum):
    def schedule(steps):
        return 1 / (1 + steps)

    rates = LearningRates([schedule] * 2, np.array([momentum, 0.0]), "float64")
    done, moves = np.array([20_000, 3]), np.ones((30, 2), bool)
    moves[::3, 1] = False
    got = rates.of_steps(done, moves)
    expected, total = [], 0.0
    for rate in schedule(np.arange(20_030)):
        total = momentum * total + rate
        expected.append((rate, total))
    np.testing.assert_allclose(got[:, :, 0, 0], expected[-30:], rtol=1e-12)
    second = schedule(3 + np.cumsum(moves[:, 1]) - moves[:, 1])
    np.testing.assert_allclose(got[:, :, 1, 0], np.column_stack([second] * 2))


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        *product(["warm-up", "nadam", "adagrad", "lion", "amsgrad"], ["compiled"]),
        *product(["warm-up", "amsgrad"], ["keras"]),
    ],
)
def test_fits_of_2_and_3_epochs_are_one_of_5(request, engine, name):
    problem = the_problem(request, "classifier", engine)
    params = {"optimizer": OPTIMIZERS[name]}
    whole = problem.fit(problem.make(epochs=5, **params))
    in_pieces = problem.warm(problem.warm(problem.make(**params), 2), 3)
    assert_same(in_pieces, whole)


def test_each_call_of_partial_fit_goes_on_with_the_schedule(regressor):
    params = {"optimizer": "sgd", "learning_rate": COSINE, "l1": 2**-7}
    whole = regressor.fit(regressor.make(epochs=4, **params))
    assert_same(regressor.partial(regressor.make(**params), 4), whole)


def test_other_schedules_compile_nothing_anew(mlp, cancer, monkeypatch):
    monkeypatch.setattr(compiled, "_functions", type(compiled._functions)())
    for schedule in (COSINE, WARM, Sawtooth()):
        mlp(learning_rate=schedule).fit(*cancer)
    assert len(compiled._functions) == 1


def test_a_schedule_is_kept_as_other_parameters_are(mlp, cancer):
    est = mlp(learning_rate=COSINE).fit(*cancer)
    assert est.get_params()["learning_rate"] is COSINE
    assert "CosineDecay" in repr(est)
    assert clone(est).learning_rate.get_config() == COSINE.get_config()
    again = pickle.loads(pickle.dumps(est))
    assert_same(again.fit(*cancer), est)
    assert est.set_params(learning_rate=0.01).learning_rate == 0.01


# What the compiled engine leaves to Keras.


def test_lion_with_l1_follows_the_subgradient(mlp, cancer):
    # Its steps are as large as the learning rate, which has no proximal operator.
    est = mlp(l1=0.05, epochs=50, optimizer=K.Lion(0.002))
    kernel = est.fit(*cancer).coefs_[0]
    assert (np.abs(kernel) < 0.01).mean() > 0.5
    assert (kernel != 0).all()
    with pytest.raises(ValueError, match=r"'compiled' cannot.*l1 or group_l1.*Lion"):
        est.set_params(engine="compiled").fit(*cancer)


def test_group_l1_has_a_gradient_where_steps_are_not_proximal(mlp, cancer):
    params = {"optimizer": K.Lion(0.002), "l2": 0.0, "epochs": 30}
    plain, grouped = (mlp(group_l1=s, **params).fit(*cancer) for s in (0.0, 1.0))
    norms = [np.linalg.norm(e.coefs_[0], axis=1).mean() for e in (plain, grouped)]
    assert norms[1] < 0.25 * norms[0]
    assert grouped.history_["penalty"][-1] < 0.3 * grouped.history_["penalty"][0]


@pytest.mark.parametrize(
    "optimizer",
    [
        K.Adadelta(0.1),
        K.Lamb(0.01),
        K.Adam(gradient_accumulation_steps=2),
        K.Adam(use_ema=True),
        K.Adam(loss_scale_factor=2.0),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_what_remains_for_the_keras_engine(mlp, cancer, optimizer):
    reason = f"this optimizer or its settings: {type(optimizer).__name__}"
    est = mlp(optimizer=optimizer, engine="compiled")
    with pytest.raises(ValueError, match=reason):
        est.fit(*cancer)
    assert est.set_params(engine="auto").fit(*cancer).n_iter_ == 2
