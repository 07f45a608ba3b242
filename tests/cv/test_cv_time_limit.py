"""`time_limit`: what is measured, what there is time for, and what a fit ends with."""

import numpy as np
import pytest
from sklearn.base import clone

from skreg import (
    MLPEnsembleClassifier,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
)
from skreg._cv import final, halving, rungs, time_limit
from skreg._cv.time_limit import Stopwatch


class Clock:
    """A clock that stands still unless it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (time_limit, halving, rungs, final):
        monkeypatch.setattr(module, "perf_counter", clock)
    return clock


def stopwatch(limit, *, n_workers=2, n_final=4, n_rows=10):
    """One on which 2 networks took 1 second for a work of 10 each."""
    stopwatch = Stopwatch(limit, n_workers, n_final, n_rows)
    stopwatch.measure(1.0, 2, 20.0)
    return stopwatch


def test_seconds_are_those_of_the_worker_that_is_done_last(clock):
    measured = stopwatch(100)
    assert measured.seconds(1, 10.0) == 1
    assert measured.seconds(2, 20.0) == 1
    assert measured.seconds(3, 30.0) == 2
    assert measured.seconds(4, 80.0) == 4
    measured.measure(1.0, 4, 40.0)  # the last rung counts
    assert measured.seconds(1, 10.0) == 0.5


def test_there_is_time_for_a_rung_if_the_final_networks_are_done_too(clock):
    assert stopwatch(100).allows([(2, 940.0), (2, 1020.0)], 1)
    assert not stopwatch(100).allows([(2, 1000.0), (2, 970.0)], 1)


def test_the_final_networks_get_half_of_the_limit_at_most_and_one_at_least(clock):
    assert stopwatch(10).allows([(2, 100.0)], 4)  # 5 s, of 8 s all
    assert not stopwatch(10).allows([(2, 102.0)], 4)
    assert stopwatch(10).allows([(2, 20.0)], 9)  # one takes 9 s
    assert not stopwatch(10).allows([(2, 22.0)], 9)


def test_without_a_limit_there_is_time_for_everything():
    unlimited = Stopwatch(None, 2, 4, 10)
    unlimited.measure(1e9, 1, 1.0)
    assert unlimited.allows([(1, 1e9)], 100)


# Fits, in which an epoch of a network takes so many seconds by the clock.

SECONDS_PER_EPOCH = 0.125
CV = RegularizedMLPClassifierCV(
    (4,),
    n_candidates=12,
    epochs=54,
    cv=2,
    ensemble_size=4,
    preprocessing=None,
    n_jobs=1,
    random_state=0,
)


@pytest.fixture
def timed(clock, monkeypatch):
    fit = RegularizedMLPClassifier.fit

    def slow(network, X, y, *args, **kwargs):
        clock.now += SECONDS_PER_EPOCH * network.epochs * len(X) / 90
        return fit(network, X, y, *args, **kwargs)

    monkeypatch.setattr(RegularizedMLPClassifier, "fit", slow)
    return clock


@pytest.mark.parametrize("limit", [11, 15, 22, 30, 38, 45, 52, 60])
def test_the_limit_is_kept_and_used(timed, iris, limit):
    clone(CV).set_params(time_limit=limit).fit(*iris)
    assert 0.7 * limit <= timed.now <= 1.01 * limit


def test_with_more_time_there_are_more_candidates_and_networks(timed, iris):
    n_candidates, n_networks = [], []
    for limit in (22, 34, 45, 56, 1000):
        est = clone(CV).set_params(time_limit=limit).fit(*iris)
        n_candidates.append(est.n_candidates_[0])
        n_networks.append(len(est.best_estimator_.estimators_))
    assert n_candidates == sorted(n_candidates)
    assert n_candidates[0] >= 3
    assert n_candidates[-1] == 12
    assert n_networks == sorted(n_networks)
    assert n_networks[-1] == 4


def test_candidates_are_those_without_a_limit_in_their_order(timed, iris):
    limited = clone(CV).set_params(time_limit=45).fit(*iris).cv_results_
    free = clone(CV).fit(*iris).cv_results_
    first = [
        p for p, i in zip(limited["params"], limited["iter"], strict=True) if not i
    ]
    n = len(first)
    assert 3 <= n < 12
    assert first == free["params"][:n]
    scores = limited["mean_test_score"][limited["iter"] == 0]
    np.testing.assert_allclose(scores, free["mean_test_score"][:n])


@pytest.mark.parametrize(
    ("limit", "n_networks", "epochs"), [(1e-9, 1, 1), (2, 1, 16), (5, 1, 40)]
)
def test_too_little_time_leaves_default_networks_and_a_warning(
    timed, iris, limit, n_networks, epochs
):
    est = clone(CV).set_params(time_limit=limit)
    with pytest.warns(UserWarning, match=f"time_limit={limit:g} seconds are too few"):
        est.fit(*iris)
    assert timed.now <= max(limit, 1)
    assert type(est.best_estimator_) is MLPEnsembleClassifier
    assert len(est.best_estimator_.estimators_) == n_networks
    for member in est.best_estimator_.estimators_:
        assert member.n_iter_ == member.epochs == epochs
        assert not member.warm_start
        expected = clone(member).fit(*iris)
        np.testing.assert_allclose(member.coefs_[0], expected.coefs_[0])
    assert est.l2_ == 1e-3
    assert est.best_params_ == {}
    assert est.n_candidates_ == est.n_resources_ == []
    assert not hasattr(est, "cv_results_")


def test_without_an_ensemble_it_is_one_network(diabetes):
    est = RegularizedMLPRegressorCV((4,), ensemble_size=None, time_limit=1e-9, epochs=3)
    weights = np.ones(len(diabetes[1]))
    with pytest.warns(UserWarning, match="1 networks after 1 epochs"):
        est.fit(*diabetes, sample_weight=weights)
    assert est.best_estimator_.n_iter_ == 1
    assert est.predict_members(diabetes[0]).shape == (1, len(weights))


def test_nothing_is_left_of_an_earlier_fit(iris):
    est = clone(CV).set_params(n_candidates=3).fit(*iris)
    assert est.ensemble_params_
    est.set_params(time_limit=1e-9)
    with pytest.warns(UserWarning, match="too few"):
        est.fit(*iris)
    for name in ("cv_results_", "best_index_", "best_score_", "ensemble_params_"):
        assert not hasattr(est, name)


def test_a_slow_scorer_takes_no_time_from_the_final_networks(timed, iris):
    """Of the choice of the ensemble, which would score 90 means on two folds."""

    def slow(est, X, y):
        timed.now += 0.5
        return est.score(X, y)

    est = clone(CV).set_params(scoring=slow, time_limit=60).fit(*iris)
    assert timed.now <= 1.05 * 60
    assert len(est.best_estimator_.estimators_) > 1
    for member, params in zip(
        est.best_estimator_.estimators_, est.best_estimator_.params, strict=True
    ):
        assert member.n_iter_ == member.epochs == params["epochs"]


def test_networks_that_are_cut_short_are_told_of(timed, iris):
    def slow(est, X, y):
        timed.now += 40 * isinstance(est, RegularizedMLPClassifier)
        return est.score(X, y)

    est = clone(CV).set_params(scoring=slow, time_limit=60)
    with pytest.warns(UserWarning, match="left time for 1 of the 6 epochs"):
        est.fit(*iris)
    assert est.ensemble_params_[0]["epochs"] == 1
    (member,) = est.best_estimator_.estimators_
    assert member.n_iter_ == est.best_estimator_.params[0]["epochs"] == 1
    assert est.epochs_ == 6


def test_attributes_are_those_of_the_fit(timed, iris):
    est = clone(CV).set_params(time_limit=2)
    with pytest.warns(UserWarning, match="are too few"):
        est.fit(*iris)
    assert est.epochs_ == est.best_estimator_.estimators_[0].n_iter_ == 16
    fitted = clone(CV).set_params(param_distributions={"l2": [0.1]}).fit(*iris)
    for model, l2 in ((est, 1e-3), (fitted, 0.1)):
        before = model.epochs_
        model.set_params(epochs=999)
        assert (model.epochs_, model.l1_, model.l2_) == (before, 0.0, l2)


def test_an_infinite_limit_is_none(iris):
    X, y = iris
    limited = clone(CV).set_params(time_limit=np.inf).fit(X, y)
    np.testing.assert_array_equal(
        limited.predict_proba(X), clone(CV).fit(X, y).predict_proba(X)
    )


def test_the_time_of_the_scorer_is_not_that_of_the_final_networks(timed, iris):
    """There is no time for a mean, and there is time for all networks."""

    def slow(est, X, y):
        timed.now += 2
        return est.score(X, y)

    est = clone(CV).set_params(scoring=slow, n_candidates=3, epochs=6, time_limit=20)
    est.fit(*iris)
    assert timed.now <= 20
    assert [member.n_iter_ for member in est.best_estimator_.estimators_] == [6] * 4
    assert est.ensemble_weights_.tolist() == [1]


def test_an_ensemble_without_a_search_is_the_same_when_fitted_again(timed, iris):
    est = clone(CV).set_params(time_limit=2)
    with pytest.warns(UserWarning, match="are too few"):
        est.fit(*iris)
    again = clone(est.best_estimator_).fit(*iris)
    assert again.estimators_[0].n_iter_ == est.epochs_ == 16
