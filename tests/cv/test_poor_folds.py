"""Folds, scorers and candidates that give nothing: what remains is used."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer
from sklearn.model_selection import PredefinedSplit, ShuffleSplit

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

OPTIONS = {"n_candidates": 4, "epochs": 3, "ensemble_size": 2, "cv": 3}
OPTIONS |= {"preprocessing": None, "random_state": 0}


def classifier(**options):
    return RegularizedMLPClassifierCV((4,), **{**OPTIONS, **options})


def regressor(**options):
    return RegularizedMLPRegressorCV((4,), **{**OPTIONS, **options})


def assert_works(est, X):
    assert len(est.best_estimator_.estimators_) == 2
    assert np.isfinite(est.best_score_)
    assert np.isfinite(est.predict_members(X)).all()


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_class_of_one_row(iris):
    X, y = iris
    rare = np.where(np.arange(len(y)) == 5, 3, y)
    est = classifier().fit(X, rare)
    assert_works(est, X)
    assert est.classes_.tolist() == [0, 1, 2, 3]


def test_a_fold_that_lacks_a_class(iris):
    X, y = iris
    rows = np.arange(len(y))
    cv = [(rows[y > 0], rows[y == 0]), (rows[1::2], rows[::2])]
    est = classifier(cv=cv).fit(X, y)
    assert_works(est, X)
    assert est.cv_results_["split0_test_score"][0] < -10  # a class without probability


@pytest.mark.parametrize("where", ["train", "test"])
def test_a_fold_whose_rows_all_weigh_nothing(iris, where):
    X, y = iris
    rows = np.arange(len(y))
    weights = np.where(rows < 20, 0.0, 1.0)
    light, others = rows[:20], rows[20:]
    poor = (light, others) if where == "train" else (others, light)
    cv = [(others[::2], others[1::2]), poor, (others[1::2], others[::2])]
    with pytest.warns(UserWarning, match=r"Folds \[1\] of 3 are left out: no candid"):
        est = classifier(cv=cv).fit(X, y, sample_weight=weights)
    assert_works(est, X)
    assert np.isnan(est.cv_results_["split1_test_score"]).all()
    scores = [est.cv_results_[f"split{fold}_test_score"] for fold in (0, 2)]
    np.testing.assert_allclose(
        est.cv_results_["mean_test_score"], np.mean(scores, axis=0)
    )


def test_a_scorer_that_gives_nan_on_a_fold(iris):
    def scorer(est, X, y):
        return np.nan if len(y) == 10 else -abs(est.predict_proba(X)).max()

    rows = np.arange(90)
    cv = [(rows[10:], rows[:10]), (rows[:60], rows[60:]), (rows[:40], rows[40:])]
    with pytest.warns(UserWarning, match=r"Folds \[0\] of 3 .* the score is nan"):
        est = classifier(scoring=scorer, cv=cv).fit(*iris)
    assert_works(est, iris[0])


def test_a_scorer_that_gives_nan_for_some_candidates(iris):
    neg_log_loss = get_scorer("neg_log_loss")

    def scorer(est, X, y):
        return np.nan if getattr(est, "dropout", 0) > 0.3 else neg_log_loss(est, X, y)

    rates = {"dropout": [0.1, 0.2, 0.4, 0.45]}
    est = classifier(scoring=scorer, param_distributions=rates)
    with pytest.warns(UserWarning, match="2 of 4 candidates lack a score on some fold"):
        est.fit(*iris)
    assert_works(est, iris[0])
    assert est.best_params_["dropout"] in (0.1, 0.2)
    assert {p["dropout"] for p in est.ensemble_params_} <= {0.1, 0.2}
    ranks = est.cv_results_["rank_test_score"]
    assert ranks.max() == ranks[np.isnan(est.cv_results_["mean_test_score"])].min()


def test_a_scorer_that_gives_nan_for_all(iris, monkeypatch):
    est = classifier(scoring=lambda est, X, y: np.nan)
    with pytest.raises(ValueError, match=r"No candidate could be .* the score is nan"):
        est.fit(*iris)
    assert not hasattr(est, "best_estimator_")


def test_scores_that_are_infinite_are_not_compared(iris):
    def scorer(est, X, y):
        return -np.inf if est.l2 > 0.1 else est.score(X, y)

    space = {"l2": [1e-2, 1e-3, 0.2, 0.3]}
    est = classifier(param_distributions=space, scoring=scorer, ensemble_size=None)
    with pytest.warns(UserWarning, match="2 of 4 candidates lack .*the score is -inf"):
        est.fit(*iris)
    assert est.l2_ < 0.1
    est.set_params(scoring=lambda est, X, y: -np.inf)
    with pytest.raises(ValueError, match=r"No candidate could be .*the score is -inf"):
        est.fit(*iris)


def test_a_scorer_that_raises_for_all(iris):
    def scorer(est, X, y):
        raise RuntimeError("no score today")

    with pytest.raises(ValueError, match=r"No candidate could be .*no score today"):
        classifier(scoring=scorer).fit(*iris)


def test_candidates_that_diverge(iris):
    est = classifier(param_distributions={"learning_rate": [1e-2, 1e-3, 1e200, 1e190]})
    with pytest.warns(UserWarning, match="2 of 4 candidates lack .*non-finite"):
        est.fit(*iris)
    assert_works(est, iris[0])
    assert est.learning_rate_ < 1


def test_candidates_that_are_invalid(iris):
    est = classifier(param_distributions={"l2": [1e-2, 1e-3, -1.0, -2.0]})
    with pytest.warns(UserWarning, match="2 of 4 candidates lack .*l2"):
        est.fit(*iris)
    assert_works(est, iris[0])
    assert est.l2_ > 0


def test_no_candidate_that_is_valid(iris):
    est = classifier(param_distributions={"l2": [-1.0, -2.0, -3.0, -4.0]})
    with pytest.raises(ValueError, match=r"No candidate could be fitted .*l2"):
        est.fit(*iris)


def test_a_final_network_that_can_not_be_fitted(iris, monkeypatch):
    from skreg._cv import members

    fit_member = members._fit_member

    def fails_once(member, *data):
        if failures:
            return failures.pop()
        return fit_member(member, *data)

    monkeypatch.setattr(members, "_fit_member", fails_once)
    failures = [ValueError("bad luck")]
    with pytest.warns(UserWarning, match="1 of 2 final networks could not .*bad luck"):
        est = classifier(n_jobs=1).fit(*iris)
    assert est.predict(iris[0]).shape == iris[1].shape
    # The attributes are those of the network that is left.
    (member,), (params,) = est.best_estimator_.estimators_, est.ensemble_params_
    assert member.get_params() == member.get_params() | params
    assert est.ensemble_weights_.tolist() == [1]
    assert np.isnan(est.ensemble_score_)
    failures = [ValueError("bad luck"), ValueError("again")]
    with pytest.raises(ValueError, match=r"No final network could be fitted .*again"):
        classifier(n_jobs=1).fit(*iris)


def test_a_poisson_fold_of_zeros(diabetes):
    X, y = diabetes
    rows = np.arange(len(y))
    y = np.where(rows < 30, 0, y)
    cv = [(rows[:30], rows[30:]), (rows[::2], rows[1::2]), (rows[1::2], rows[::2])]
    with pytest.warns(UserWarning, match=r"Folds \[0\] of 3 are left out"):
        est = regressor(loss="poisson", cv=cv).fit(X, y)
    assert_works(est, X)


@pytest.mark.parametrize(
    "cv",
    [
        ShuffleSplit(1, random_state=0),
        PredefinedSplit([-1] * 60 + [0] * 30),
        [(np.arange(60), np.arange(60, 90))],
    ],
    ids=["ShuffleSplit", "PredefinedSplit", "one pair"],
)
@pytest.mark.parametrize("time_limit", [None, 1e3])
def test_one_fold_only(iris, cv, time_limit):
    est = classifier(cv=cv, time_limit=time_limit).fit(*iris)
    assert_works(est, iris[0])
    assert est.n_splits_ == 1
    assert (est.cv_results_["std_test_score"] == 0).all()


def test_folds_of_unequal_size(iris):
    rows = np.arange(90)
    cv = [(rows[:5], rows[5:]), (rows[10:], rows[:10])]
    est = classifier(cv=cv, time_limit=1e3).fit(*iris)
    assert_works(est, iris[0])


def test_a_last_rung_without_a_score(iris):
    def scorer(est, X, y):
        return np.nan if est.n_iter_ == 18 else est.predict_proba(X).max()

    with pytest.warns(UserWarning, match="lack a score on some fold|could not be com"):
        est = classifier(scoring=scorer, epochs=18).fit(*iris)
    assert_works(est, iris[0])
    assert est.n_candidates_ == [4, 2]
    assert est.best_params_["epochs"] == 6
    assert est.ensemble_params_ == [est.best_params_]
    assert {member.n_iter_ for member in est.best_estimator_.estimators_} == {6}
