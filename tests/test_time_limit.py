"""Halving searches and CV estimators that have a limited time."""

import numpy as np
import pytest

from skreg import (
    BatchedHalvingGridSearchCV,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
)
from skreg._cv import time_limit as cv_time_limit
from skreg._search import progress, time_limit
from skreg._search.progress import OutOfTime

GRID = {"l2": [0.0, 0.1], "dropout": [0.0, 0.5]}
SMALL = {"n_candidates": 4, "ensemble_size": 2, "cv": 2, "epochs": 3, "random_state": 0}


class Clock:
    """A time that moves on when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time_limit, "time", clock)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(cv_time_limit, "perf_counter", clock)
    return clock


# The budget of a halving search.


def test_a_rung_begins_if_it_and_the_refit_fit_by_the_pace_so_far(clock):
    budget = time_limit.TimeBudget(100)
    budget.begin_rung(cost=10, refit_cost=1)
    assert budget.deadline == 70
    clock.now = 20  # 2 seconds per unit
    budget.begin_rung(cost=30, refit_cost=10)  # until 100
    assert budget.deadline == 98  # then the refit of the first rung still fits
    clock.now = 50  # 1 second per unit
    with pytest.raises(OutOfTime):
        budget.begin_rung(cost=41, refit_cost=10)


def halving(mlp, X, y, **options):
    search = BatchedHalvingGridSearchCV(
        mlp(epochs=4), GRID, factor=2, cv=2, min_resources=1, **options
    )
    return search.fit(X, y)


def test_enough_time_changes_nothing(mlp, iris):
    limited, free = halving(mlp, *iris, time_limit=1e6), halving(mlp, *iris)
    assert limited.n_resources_ == free.n_resources_ == [1, 2, 4]
    np.testing.assert_array_equal(
        limited.cv_results_["mean_test_score"], free.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("ensemble_size", [None, 2])
def test_a_rung_that_would_take_too_long_is_left_out(
    mlp, iris, clock, monkeypatch, ensemble_size
):
    begin = time_limit.TimeBudget.begin_rung

    def slow(budget, cost, refit_cost):
        begin(budget, cost, refit_cost)
        clock.now += 30  # every rung

    monkeypatch.setattr(time_limit.TimeBudget, "begin_rung", slow)
    free = halving(mlp, *iris)
    search = halving(mlp, *iris, time_limit=60, ensemble_size=ensemble_size)
    assert search.n_resources_ == [1]
    assert search.n_candidates_ == [4]
    assert search.n_iterations_ == 1
    assert search.n_remaining_candidates_ == 2
    for name in ("n_required_iterations_", "n_possible_iterations_"):
        assert getattr(search, name) == getattr(free, name)
    assert search.best_params_["epochs"] == 1
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], free.cv_results_["mean_test_score"][:4]
    )
    assert search.predict(iris[0]).shape == iris[1].shape


def test_a_rung_that_takes_too_long_is_abandoned(mlp, iris, clock, monkeypatch):
    begin = time_limit.TimeBudget.begin_rung

    def stop_the_second(budget, cost, refit_cost):
        begin(budget, cost, refit_cost)
        clock.now += 1e3 if clock.now else 1

    monkeypatch.setattr(time_limit.TimeBudget, "begin_rung", stop_the_second)
    search = halving(mlp, *iris, time_limit=100)
    assert search.n_resources_ == [1]
    assert search.best_params_["epochs"] == 1


def test_no_time_for_the_first_rung_is_an_error(mlp, iris):
    search = BatchedHalvingGridSearchCV(mlp(), GRID, cv=2, time_limit=1e-9)
    with pytest.raises(TimeoutError, match="time_limit must leave time for the first"):
        search.fit(*iris)
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1.0, ValueError), ("1", TypeError)]
)
def test_the_limit_must_be_a_positive_number(mlp, iris, limit, error):
    with pytest.raises(error, match="time_limit"):
        halving(mlp, *iris, time_limit=limit)


# The CV estimators.


def test_enough_time_changes_nothing_of_a_cv_estimator(iris):
    free = RegularizedMLPClassifierCV((8,), **SMALL).fit(*iris)
    limited = RegularizedMLPClassifierCV((8,), time_limit=1e6, **SMALL).fit(*iris)
    np.testing.assert_array_equal(
        limited.predict_proba(iris[0]), free.predict_proba(iris[0])
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_too_little_time_leaves_one_network_and_a_warning(iris, diabetes, weighted):
    for est, (X, y) in (
        (RegularizedMLPClassifierCV((8,), time_limit=1e-9, **SMALL), iris),
        (RegularizedMLPRegressorCV((8,), time_limit=1e-9, **SMALL), diabetes),
    ):
        weights = np.ones(len(y)) if weighted else None
        with pytest.warns(UserWarning, match="too few to compare candidates"):
            est.fit(X, y, sample_weight=weights)
        assert est.best_estimator_.n_iter_ == est.best_estimator_.epochs
        assert est.predict_members(X).shape[:2] == (1, len(y))
        assert est.l2_ == 1e-3
        assert not hasattr(est, "search_")


def test_a_fit_with_time_after_one_without_has_a_search(iris):
    est = RegularizedMLPClassifierCV((8,), time_limit=1e-9, **SMALL)
    with pytest.warns(UserWarning, match="too few"):
        est.fit(*iris)
    est.set_params(time_limit=None).fit(*iris)
    assert est.search_.n_candidates_[0] == 4
    est.set_params(time_limit=1e-9)
    with pytest.warns(UserWarning, match="too few"):
        est.fit(*iris)
    assert not hasattr(est, "search_")


@pytest.fixture
def probe(mlp, iris):
    probe = cv_time_limit.Probe(mlp(epochs=5, random_state=0), *iris)
    probe.seconds = 0.5
    return probe


def test_there_are_as_many_candidates_as_the_first_rung_has_time_for(probe):
    # Of 45 seconds 20 are for training, and each candidate takes 0.5 * 8 / 2.
    assert probe.n_candidates(27, network_epochs=8, seconds=45) == 10
    assert probe.n_candidates(9, network_epochs=8, seconds=45) == 9
    assert probe.n_candidates(9, network_epochs=8, seconds=5) == 0


def test_the_network_trains_as_long_as_there_is_time(probe, mlp, iris, clock):
    countdown = cv_time_limit.Countdown(1.2)
    run = probe._run_epoch

    def timed():
        clock.now += 0.5
        return run()

    probe._run_epoch = timed
    network = probe.train_on(countdown)
    assert network.n_iter_ == network.epochs == 4  # two before, two in 1.2 seconds
    expected = mlp(epochs=4, random_state=0).fit(*iris)
    np.testing.assert_allclose(network.coefs_[0], expected.coefs_[0])


def test_a_search_that_finds_no_time_gives_way_to_the_network(probe):
    seen = []

    def search(n_candidates, seconds):
        seen.append(n_candidates)
        raise TimeoutError

    countdown = cv_time_limit.Countdown(45)
    with pytest.warns(UserWarning, match="time_limit=45 seconds are too few"):
        network = cv_time_limit.fit_in_time(search, probe, 9, 8, countdown, 45)
    assert seen == [9]
    assert isinstance(network, RegularizedMLPClassifier)
    assert network.n_iter_ == 5
