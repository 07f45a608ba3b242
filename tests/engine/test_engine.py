"""The compiled engine computes what Keras computes, for each network separately."""

import threading
from collections import OrderedDict
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skreg._xla import (
    batches,
    compiled,
    engine,
    inputs,
    layers,
    planning,
    sums,
)
from skreg._xla.noise import hashed, noise_of_networks, random_bits
from skreg._xla.program import Program
from skreg._xla.stacked import Data
from skreg._training.stacking import compile_ahead, train_together


def weights(est):
    return np.concatenate([w.ravel() for w in est.coefs_ + est.intercepts_])


def arrays(trained):
    return trained.kernels + trained.biases


def prepared(est, X, y, **fit_params):
    """The task that a fit would train."""
    args = {"sample_weight": None, "X_val": None, "y_val": None}
    return est._prepare_task(X, y, **{**args, "sample_weight_val": None, **fit_params})


SGD, ADAM, RMSPROP = (
    keras.optimizers.SGD,
    keras.optimizers.Adam,
    keras.optimizers.RMSprop,
)


SETTINGS = {
    "defaults": {},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "momentum": {"optimizer": SGD(0.01, momentum=0.9)},
    "nesterov": {"optimizer": SGD(0.01, momentum=0.9, nesterov=True)},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop, momentum": {"optimizer": RMSPROP(0.001, momentum=0.5)},
    "rmsprop, centered": {"optimizer": RMSPROP(0.001, centered=True)},
    "adam": {"optimizer": ADAM(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-5)},
    "tanh": {"activation": "tanh"},
    "gelu": {"activation": "gelu"},
    "softmax": {"activation": "softmax"},
    "linear": {"hidden_layer_sizes": (), "l1": 0.01},
    "deep": {"hidden_layer_sizes": (6, 4, 4), "l1": [0.01, 0, 0.1], "l2": 0.01},
    "class weights": {"class_weight": "balanced", "batch_size": 19},
    "one batch": {"shuffle": False, "batch_size": 1000},
    "stopping": {
        "early_stopping": True,
        "n_iter_no_change": 2,
        "optimizer": SGD(1.0),
        "epochs": 9,
    },
}


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        *(("cancer", setting) for setting in SETTINGS),
        *(("iris", setting) for setting in ("defaults", "deep", "linear", "stopping")),
    ],
)
def test_both_engines_train_the_same_network(mlp, data, setting, request):
    X, y = request.getfixturevalue(data)
    sample_weight = np.random.default_rng(0).integers(0, 3, len(y))
    params = {"hidden_layer_sizes": (8, 6), **SETTINGS[setting]}
    compiled = mlp(**params, engine="compiled").fit(X, y, sample_weight)
    by_keras = mlp(**params, engine="keras").fit(X, y, sample_weight)
    np.testing.assert_allclose(weights(compiled), weights(by_keras), atol=1e-6, rtol=0)
    assert compiled.best_epoch_ == by_keras.best_epoch_
    assert compiled.n_iter_ == by_keras.n_iter_ < 9
    assert compiled.history_.keys() == by_keras.history_.keys()
    for name, figures in compiled.history_.items():
        np.testing.assert_allclose(figures, by_keras.history_[name], atol=1e-6)


@pytest.mark.parametrize(
    ("units", "batch_size", "n_steps", "pays"),
    [
        (64, 32, 1_500, False),
        (64, 32, 15_000, True),
        (256, 512, 20, False),
        (256, 512, 200, True),
    ],
)
def test_xla_compiles_for_long_trainings_of_a_network_alone(
    units, batch_size, n_steps, pays
):
    layers = [(30, units), (units, units), (units, 1)]
    arguments = layers, batch_size, n_steps, 1, n_steps
    assert planning.xla_pays(np.ones((2, 30)), np.ones((2, 1)), *arguments) == pays


def test_xla_does_not_change_the_results(mlp, cancer, use_xla):
    est = mlp((8, 6), dropout=0.3, l1=0.001, early_stopping=True, epochs=4)
    plain = weights(est.fit(*cancer))
    use_xla()
    np.testing.assert_allclose(weights(est.fit(*cancer)), plain, atol=1e-9)


@pytest.mark.parametrize("xla", [False, True])
def test_what_is_prepared_ahead_is_what_a_fit_uses(
    mlp, cancer, monkeypatch, use_xla, xla
):
    if xla:
        use_xla()
    monkeypatch.setattr(compiled, "_functions", functions := OrderedDict())
    est = mlp((8, 6))
    compile_ahead([clone(est)._prepare_task(*cancer)], len(cancer[1]))
    (prepared,) = functions
    assert prepared[0].xla == xla
    est.fit(*cancer)
    assert list(functions) == [prepared]


def test_how_epochs_are_cut_into_calls_does_not_matter(mlp, cancer, monkeypatch):
    est = mlp((8, 6), dropout=0.3, early_stopping=True, epochs=6, batch_size=10)
    whole = est.fit(*cancer)
    expected, history = weights(whole), whole.history_
    for steps in (1, 4, 30):
        monkeypatch.setattr(planning, "MAX_STEPS_PER_CALL", steps)
        np.testing.assert_array_equal(weights(est.fit(*cancer)), expected)
        for name, figures in history.items():
            np.testing.assert_allclose(est.history_[name], figures, rtol=1e-12)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", SGD(0.1, momentum=0.9), "rmsprop"])
def test_networks_trained_together_are_as_if_alone(
    mlp, cancer, optimizer, early_stopping
):
    X, y = cancer
    est = mlp((8, 6), epochs=12, optimizer=optimizer, early_stopping=early_stopping)
    est.set_params(n_iter_no_change=1, batch_size=10)
    tasks = []
    # Folds of unequal rows and steps: padded rows, and padded steps, in every epoch.
    for n_rows, strengths in [
        (120, {"l1": 0.03, "dropout": 0.0}),
        (81, {"l2": 0.1, "dropout": 0.5}),
        (75, {"l2": 0.0, "dropout": [0.2, 0.6]}),
    ]:
        est.set_params(l1=0.0, l2=1e-4).set_params(**strengths)
        tasks.append(prepared(est, X[:n_rows], y[:n_rows]))
    together = train_together(tasks)
    for task, ours in zip(tasks, together, strict=True):
        (alone,) = train_together([task])
        assert ours.best_epoch == alone.best_epoch
        assert ours.history.keys() == alone.history.keys()
        assert len(ours.history["loss"]) == len(alone.history["loss"])
        for a, b in zip(arrays(ours), arrays(alone), strict=True):
            # L1 amplifies rounding where a weight's sign flips.
            atol = 1e-6 if any(task.regularization.l1) else 1e-7
            np.testing.assert_allclose(a, b, atol=atol)


def test_a_diverging_network_does_not_affect_its_neighbours(mlp, cancer):
    est = mlp((8,), epochs=10, optimizer="sgd")
    good = prepared(est.set_params(learning_rate=0.1), *cancer)
    harmless = prepared(est.set_params(learning_rate=0.01), *cancer)
    diverging = prepared(est.set_params(learning_rate=1e30), *cancer)
    beside_diverging, failed = train_together([good, diverging])
    beside_harmless, _ = train_together([good, harmless])
    assert isinstance(failed, ValueError)
    for a, b in zip(arrays(beside_diverging), arrays(beside_harmless), strict=True):
        np.testing.assert_array_equal(a, b)


DENSE = Data(
    X=np.zeros((1, 1)),
    numbers=np.zeros(1, np.int32),
    targets=np.zeros((1, 1)),
    weight=np.ones(1),
    score_weight=np.ones((1, 1)),
    order=lambda epoch: [np.zeros(1, int)],
    validation=None,
)


def an_empty_program(layers):
    return Program(
        layers,
        activation=None,
        row_losses=None,
        loss_gradient=None,
        score=None,
        rule=None,
        dtype="float64",
        dropout=True,
        l1=False,
        group_l1=False,
        averaging=False,
        early_stopping=False,
    )


def dropout_factors(rate=0.3, n_steps=4, n_rows=500, width=200, key=5):
    """What the engine's dropout multiplies units by: (step, layer, row, unit)."""
    steps = [(0, 0, n_steps // 2), (1, 0, n_steps // 2)]  # of two epochs
    bits = random_bits(steps, (n_rows, 2 * width), n_slots=n_steps)
    noise = noise_of_networks(bits, np.array([key], np.uint32))
    rates = inputs.dropout_inputs(np.full((1, 2), rate), an_empty_program(()))
    ones = tf.ones((1, n_rows, width), tf.float64)
    return np.array(
        [
            [
                dropout(ones)[0]
                for dropout in layers.make_dropouts(of_step, [width] * 2, rates)
            ]
            for of_step in noise
        ]
    )


def test_dropout_drops_at_its_rate_and_scales_what_is_kept():
    factors = dropout_factors(rate=0.3)
    kept = factors != 0
    np.testing.assert_allclose(factors[kept], 1 / 0.7)
    # 800,000 draws: the standard deviation of the share is 0.0005.
    assert abs(kept.mean() - 0.7) < 0.0026


def test_dropout_is_independent_between_steps_layers_rows_and_units():
    kept = (dropout_factors(rate=0.5) != 0) - 0.5
    for axis, size in enumerate(kept.shape):
        for lag in range(1, min(size, 4)):
            a = np.take(kept, range(size - lag), axis)
            b = np.take(kept, range(lag, size), axis)
            # Each product is +-1/4, with mean 0 where the two are independent.
            assert abs((a * b).mean()) < 5 * 0.25 / np.sqrt(a.size)


def test_dropout_is_independent_between_keys():
    a, b = ((dropout_factors(rate=0.5, key=key) != 0) - 0.5 for key in (5, 6))
    assert abs((a * b).mean()) < 5 * 0.25 / np.sqrt(a.size)


def test_hashing_is_one_to_one_and_the_same_in_tensorflow():
    bits = np.arange(1 << 16, dtype=np.uint32) * np.uint32(65537)
    key = np.uint32(12345)
    ours = hashed(bits, key)
    assert len(np.unique(ours)) == len(bits)
    assert ours.dtype == np.uint32
    functions = tf.bitwise.bitwise_xor, tf.bitwise.right_shift
    theirs = hashed(tf.constant(bits), tf.constant(key), *functions)
    np.testing.assert_array_equal(ours, theirs.numpy())
    # Of the finalizer of MurmurHash3, computed with Python's integers.
    assert hashed(np.array([1], np.uint32), np.uint32(0)).tolist() == [0x514E28B7]


def test_strengths_rates_and_seeds_do_not_trace_again(mlp, cancer, monkeypatch):
    traced, original = [], compiled._run_segments

    def counting(*args):
        traced.append(args)
        return original(*args)

    monkeypatch.setattr(compiled, "_run_segments", counting)
    monkeypatch.setattr(compiled, "_functions", type(compiled._functions)())
    rng = np.random.default_rng(0)
    for seed in range(6):
        l1, l2, dropout, learning_rate = rng.uniform(1e-4, 0.1, 4)
        mlp(
            l1=l1,
            l2=[l2],
            dropout=dropout,
            learning_rate=learning_rate,
            random_state=seed,
        ).fit(*cancer)
    assert len(traced) == 1


def test_without_xla_one_program_serves_all_sizes(mlp, cancer, iris, monkeypatch):
    monkeypatch.setattr(compiled, "_functions", type(compiled._functions)())
    X, y = cancer
    mlp((8,)).fit(X, y)
    mlp((5,), batch_size=7).fit(X[:50, :9], y[:50])
    assert len(compiled._functions) == 1


def test_programs_kept_are_bounded(mlp, cancer, monkeypatch):
    monkeypatch.setattr(compiled, "_functions", type(compiled._functions)())
    monkeypatch.setattr(compiled, "MAX_FUNCTIONS", 2)
    for activation in ("relu", "tanh", "relu", "elu"):
        mlp(activation=activation).fit(*cancer)
    kept = [key[0].activation for key in compiled._functions]
    assert kept == [keras.activations.relu, keras.activations.elu]


def test_many_threads_fit_at_once(mlp, cancer, iris):
    tasks = [(mlp((n,), dropout=0.2), data) for n in (3, 4) for data in (cancer, iris)]
    expected = [weights(est.fit(*data)) for est, data in tasks]
    threads = [threading.Thread(target=est.fit, args=data) for est, data in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (est, _), before in zip(tasks, expected, strict=True):
        np.testing.assert_array_equal(weights(est), before)


def test_a_grid_search_in_threads_is_that_of_one_thread(mlp, cancer):
    grid = {"l2": [1e-4, 1e-2], "dropout": [0.0, 0.5]}
    search = GridSearchCV(mlp(), grid, cv=3, scoring="neg_log_loss")
    alone = search.fit(*cancer).cv_results_["mean_test_score"]
    with parallel_config("threading", n_jobs=2):
        threaded = search.fit(*cancer).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(threaded, alone)


def test_an_interrupt_takes_effect_between_calls(mlp, cancer, monkeypatch):
    est = mlp().fit(*cancer)
    before = dict(vars(est))
    original = engine.compiled_function
    calls = []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(engine, "compiled_function", interrupted)
    monkeypatch.setattr(planning, "MAX_STEPS_PER_CALL", 2)
    with pytest.raises(KeyboardInterrupt):
        est.fit(*cancer)
    assert dict(vars(est)) == before


def test_a_call_lasts_a_second_at_most_by_its_own_estimate():
    program = an_empty_program(((100, 256), (256, 256), (256, 1)))
    flops = 6 * 512 * sum(a * b for a, b in program.layers)
    per_call, _ = planning.plan_calls(program, DENSE, 512, 200, 100, 1)
    assert per_call * flops / planning.FLOPS_PER_SECOND < 1


def test_calls_are_paced_by_how_long_the_last_one_took():
    pace = planning.Pace(planning.Calling(n_steps=100, n_slots=1000))
    for seconds, expected in [
        (9.0, 100),  # with compiling, which is no measure
        (2 * planning.CALL_SECONDS, 50),
        (planning.CALL_SECONDS / 4, 200),
        (1e9, 1),
        (0.0, 1000),
    ]:
        pace.timed(pace.n_steps, seconds)
        assert pace.n_steps == expected


@pytest.mark.parametrize("n_steps", [1, 7, 40])
def test_calls_take_every_step_once_whatever_their_pace(n_steps):
    pace = np.random.default_rng(0)
    taken, sizes = [], []

    def per_call():
        sizes.append(int(pace.integers(1, 20)))
        return sizes[-1]

    for segments in batches.calls(9, n_steps, per_call):
        steps = [(e, t) for e, first, last in segments for t in range(first, last)]
        assert 0 < len(steps) <= sizes[-1]
        taken += steps
    assert taken == [(epoch, t) for epoch in range(9) for t in range(n_steps)]


def test_what_a_check_raises_ends_a_training_within_an_epoch(mlp, cancer, monkeypatch):
    monkeypatch.setattr(planning, "MAX_STEPS_PER_CALL", 1)
    task = prepared(mlp(batch_size=10), *cancer)
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train_together([task], check=check)


def test_a_training_may_end_at_the_first_failure(mlp, cancer):
    sound = prepared(mlp(optimizer="sgd", epochs=10**6), *cancer)
    hyper = {**sound.optimizer.hyper, "learning_rate": 1e200}
    failing = replace(sound, optimizer=replace(sound.optimizer, hyper=hyper))
    _, failed = train_together([sound, failing], stop_at_failure=True)
    assert "became non-finite" in str(failed)


@pytest.mark.parametrize("width", [1, 100, 10_000])
@pytest.mark.parametrize("n_steps", [1, 300, 100_000])
def test_the_noise_of_a_call_is_bounded(width, n_steps):
    program = an_empty_program(((1, width), (width, 1)))
    per_call, n_slots = planning.plan_calls(program, DENSE, 400, n_steps, 10, 1)
    assert 1 <= per_call <= n_slots
    assert n_slots * 400 * width * 4 < 2 * planning.CALL_BYTES


def test_a_padded_row_changes_nothing(mlp, cancer):
    X, y = cancer
    task = prepared(mlp(batch_size=120, epochs=5), X, y)
    short = replace(task, batch_size=200)  # 80 padded rows
    (alone,), (padded,) = train_together([task]), train_together([short])
    for a, b in zip(arrays(alone), arrays(padded), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sums_are_those_of_numpy(jit_compile):
    x = np.random.default_rng(0).normal(size=(3, 70, 5))
    compiled_function = tf.function(jit_compile=jit_compile)
    for function, of_array, expected in (
        (sums.totals, x, x.sum(axis=(1, 2), keepdims=True)),
        (sums.totals, x[..., 0], x[..., 0].sum(axis=1, keepdims=True)),
        (sums.row_sums, x, x.sum(axis=2, keepdims=True)),
        (sums.row_norms, x, np.linalg.norm(x, axis=2, keepdims=True)),
    ):
        result = compiled_function(function)(tf.constant(of_array))
        np.testing.assert_allclose(result, expected, rtol=1e-12)
