"""The displays of ensembles and of estimators that choose their regularization."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from toy_search import legend_texts

from skreg import (
    LossCurveDisplay,
    MLPEnsembleClassifier,
    RegularizedMLPClassifierCV,
    SearchDisplay,
    WeightDisplay,
)

CV = RegularizedMLPClassifierCV(
    (6,), n_candidates=9, epochs=18, cv=2, ensemble_size=3, random_state=0
)


@pytest.fixture(scope="module")
def chosen(iris):
    """Fitted; not to be changed."""
    return clone(CV).fit(*iris)


@pytest.fixture(scope="module")
def around(chosen, iris):
    """Estimators that hold the same networks, and those networks."""
    search = GridSearchCV(clone(CV), {"cv": [2]}, cv=2).fit(*iris)
    return [
        chosen,
        chosen.best_estimator_,
        make_pipeline("passthrough", chosen),
        search,
        make_pipeline("passthrough", search),
    ], chosen.best_estimator_.estimators_


def test_there_is_a_loss_curve_per_member(around):
    estimators, members = around
    for est in estimators:
        display = LossCurveDisplay.from_estimator(est, ax=Figure().subplots())
        assert list(display.lines_) == ["loss", "data_loss"]
        for name, lines in display.lines_.items():
            for line, member in zip(lines, members, strict=True):
                np.testing.assert_array_equal(line.get_ydata(), member.history_[name])
        assert legend_texts(display) == ["training loss + penalty", "training loss"]
        assert display.best_ is None


def test_members_may_differ_in_their_epochs(mlp, iris, ax):
    ensemble = MLPEnsembleClassifier(mlp(), [{"epochs": 2}, {"epochs": 3}]).fit(*iris)
    lines = LossCurveDisplay.from_estimator(ensemble, ax=ax).lines_["data_loss"]
    assert [len(line.get_ydata()) for line in lines] == [2, 3]


def test_the_weights_of_the_first_member_are_shown(around):
    estimators, members = around
    expected = WeightDisplay.from_estimator(members[0], ax=Figure().subplots())
    for est in estimators:
        got = WeightDisplay.from_estimator(est, ax=Figure().subplots())
        np.testing.assert_array_equal(got.shares, expected.shares)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_search_display_shows_the_rungs_of_a_cv_estimator(chosen, ax, in_pipeline):
    search = make_pipeline("passthrough", chosen) if in_pipeline else chosen
    display = SearchDisplay.from_search(search, x="l2", ax=ax)
    assert display.hue_name == "epochs"
    assert display.hue_values == chosen.n_resources_ == [6, 18]
    assert display.ax_.get_ylabel() == "neg_log_loss"
    assert display.best_.get_ydata() == [chosen.best_score_]
    assert [len(line.get_xdata()) for line in display.lines_] == [9, 3]


def test_a_search_display_needs_candidates(iris):
    est = clone(CV).set_params(time_limit=1e-9)
    with pytest.warns(UserWarning, match="too few"):
        est.fit(*iris)
    with pytest.raises(ValueError, match="search must be a search or a CV est"):
        SearchDisplay.from_search(est)
