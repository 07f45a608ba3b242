"""scikit-learn's callbacks on the estimators, where it has callbacks."""

import pickle

import numpy as np
import pytest
from problems import arrays, assert_same
from recorders import Propagated, Recorder, Unasking
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor

from skreg._training import compiled as compiled_engine


def fit_lines(n_epochs):
    """The lines that a fit of `n_epochs` epochs records."""
    epochs = [
        f"{hook} fit#0 epoch#{i}" for i in range(n_epochs) for hook in ("begin", "end")
    ]
    return ["setup fit#0", "begin fit#0", *epochs, "end fit#0", "teardown fit#0"]


@pytest.mark.parametrize("kind", [Recorder, Propagated])
def test_a_fit_has_a_task_per_epoch(any_problem, kind):
    callback = kind()
    est = any_problem.make(epochs=3).set_callbacks(callback)
    weights = np.linspace(0, 1, len(any_problem.X))
    any_problem.fit(est, sample_weight=weights)
    assert callback.lines() == fit_lines(3)
    for event in callback.events:
        assert event.estimator is est
        assert event.context.max_subtasks == (3 if len(event.path) == 1 else 0)
        if event.hook in ("begin", "end"):
            assert event.given["X"] is any_problem.X
            assert event.given["y"] is any_problem.y
            assert event.given["metadata"] == {"sample_weight": weights}


def test_at_each_epoch_there_is_the_estimator_of_a_shorter_fit(any_problem):
    callback = Recorder()
    params = {"epochs": 3, "dropout": 0.2, "l1": 0.01, "ema_momentum": 0.9}
    est = any_problem.fit(any_problem.make(**params).set_callbacks(callback))
    assert_same(est, any_problem.fit(any_problem.make(**params)), atol=0)
    for n, fitted in enumerate(callback.fitted(), start=1):
        shorter = any_problem.fit(any_problem.make(**{**params, "epochs": n}))
        assert_same(fitted, shorter, atol=0)
        X = any_problem.X
        np.testing.assert_array_equal(fitted.predict(X), shorter.predict(X))
    assert n == 3
    at_the_end = callback.events[-2].given["fitted"]
    assert_same(at_the_end, est, atol=0)


def test_epochs_may_take_several_calls_of_the_compiled_function(compiled, monkeypatch):
    monkeypatch.setattr(compiled_engine, "CALL_SECONDS", 0)
    callback = Recorder()
    est = compiled.make(epochs=2, batch_size=16).set_callbacks(callback)
    compiled.fit(est)
    assert callback.lines() == fit_lines(2)
    assert_same(est, compiled.fit(compiled.make(epochs=2, batch_size=16)), atol=0)


def test_early_stopping_hands_over_the_estimator_of_the_best_epoch_so_far(classifier):
    params = {"early_stopping": True, "n_iter_no_change": 2, "learning_rate": 0.3}
    callback = Recorder()
    est = classifier.make(epochs=30, **params).set_callbacks(callback)
    classifier.fit(est)
    n_epochs = est.n_iter_
    assert est.best_epoch_ < n_epochs < 30
    assert callback.lines() == fit_lines(n_epochs)
    for n in (est.best_epoch_ - 1, n_epochs - 1):
        shorter = classifier.fit(classifier.make(epochs=n, **params))
        assert_same(callback.fitted()[n - 1], shorter, atol=0)


def test_partial_fit_is_a_fit_of_one_epoch(problem):
    callback = Recorder()
    est = problem.partial(problem.make().set_callbacks(callback), n_calls=2)
    assert callback.lines() == 2 * fit_lines(1)
    assert [fitted.n_iter_ for fitted in callback.fitted()] == [1, 2]
    assert_same(est, problem.partial(problem.make(), n_calls=2), atol=0)


def test_a_warm_start_counts_its_own_epochs(problem):
    callback = Recorder()
    est = problem.make(warm_start=True, epochs=2).set_callbacks(callback)
    problem.fit(problem.fit(est))
    assert callback.lines() == 2 * fit_lines(2)
    assert [fitted.n_iter_ for fitted in callback.fitted()] == [1, 2, 3, 4]


def test_the_scores_of_the_epochs_are_those_of_the_history(problem):
    scoring = "neg_log_loss" if problem.classes else "neg_mean_squared_error"
    monitor = ScoringMonitor(scoring=scoring)
    est = problem.make(epochs=3).set_callbacks(monitor)
    problem.fit(est, X_val=problem.X, y_val=problem.y)
    log = monitor.get_logs().data
    scores = [row[scoring] for row in log if row["task_name"] == "epoch"]
    if problem.classes:
        expected = np.negative(est.history_["val_loss"])
    else:  # the validation score is R2
        expected = (np.array(est.history_["val_score"]) - 1) * np.var(problem.y)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_the_progress_bar_ends_at_100_percent(fitted_iris, iris, capsys):
    clone(fitted_iris).set_callbacks(ProgressBar()).fit(*iris)
    printed = capsys.readouterr().out
    assert "RegularizedMLPClassifier - fit" in printed
    assert "100%" in printed


def test_no_estimator_is_made_for_callbacks_that_do_not_ask(compiled, monkeypatch):
    est = compiled.make(epochs=3).set_callbacks(Unasking())
    original, made = type(est)._set_fitted_attributes, []

    def counted(est, *args):
        made.append(est)
        original(est, *args)

    monkeypatch.setattr(type(est), "_set_fitted_attributes", counted)
    compiled.fit(est)
    assert made == [est]


def test_a_callback_may_stop_the_training(any_problem):
    callback = Recorder(lambda event: str(event) == "end fit#0 epoch#1")
    est = any_problem.make(epochs=5).set_callbacks(callback, Unasking())
    any_problem.fit(est)
    assert callback.lines() == fit_lines(2)
    assert_same(est, any_problem.fit(any_problem.make(epochs=2)), atol=0)


LINES = [*fit_lines(2)[:4], *fit_lines(2)[-2:]]


@pytest.mark.parametrize("line", LINES)
def test_an_error_of_a_callback_is_raised_and_leaves_nothing(classifier, line):
    def fail(event):
        if str(event) == line:
            raise RuntimeError(f"at {line}")

    callbacks = Recorder(fail), Recorder()
    est = classifier.fit(classifier.make(epochs=2))
    est.set_callbacks(*callbacks)
    before = vars(est).copy()
    with pytest.raises(RuntimeError, match=f"at {line}"):
        classifier.fit(est)
    assert vars(est) == before
    for callback in callbacks:
        names = [event.hook for event in callback.events]
        assert names.count("teardown") == names.count("setup")


def test_an_error_of_the_training_is_raised_after_the_teardown(classifier):
    callback = Recorder()
    est = classifier.make(optimizer="sgd", learning_rate=1e30, epochs=5).set_callbacks(
        callback
    )
    with pytest.raises(ValueError, match="non-finite"):
        classifier.fit(est)
    assert callback.lines()[-1] == "teardown fit#0"
    assert "end fit#0" not in callback.lines()
    n_begun = sum("begin fit#0 epoch" in line for line in callback.lines())
    assert len(callback.fitted()) == n_begun - 1


def test_an_interrupt_keeps_the_epochs_before_where_they_are_kept(classifier):
    def interrupt(event):
        if str(event) == "end fit#0 epoch#1":
            raise KeyboardInterrupt

    callback = Recorder(interrupt)
    est = classifier.make(epochs=5, warm_start=True).set_callbacks(callback)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(est)
    assert callback.lines() == [*fit_lines(2)[:-2], "teardown fit#0"]
    shorter = classifier.fit(classifier.make(epochs=2, warm_start=True))
    assert_same(est, shorter, atol=0)


def test_bad_data_is_told_before_any_callback_is_set_up(mlp, iris):
    callback = Recorder()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        mlp().set_callbacks(callback).fit(iris[0], iris[1][1:])
    assert callback.events == []


def test_callbacks_are_no_parameter_and_kept_as_scikit_learn_keeps_them(mlp, iris):
    monitor = ScoringMonitor(scoring="accuracy")
    est = mlp().set_callbacks(monitor)
    plain = mlp().fit(*iris)
    assert est.get_params() == plain.get_params()
    assert est.fit(*iris) is est
    assert vars(est).keys() == vars(plain).keys() | {"_skl_callbacks"}
    assert clone(est)._skl_callbacks == [monitor]
    restored = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(arrays(restored)[0], arrays(est)[0])
    restored.fit(*iris)
    (copied_monitor,) = restored._skl_callbacks
    assert len(copied_monitor.get_logs(select="all")) == 2
    assert len(monitor.get_logs(select="all")) == 1
    est.set_callbacks()
    assert vars(est).keys() == vars(plain).keys()
