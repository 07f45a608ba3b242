"""Which candidates SearchDisplay shows, which one it marks, and what it refuses."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from toy_search import (
    RATES,
    STRENGTHS,
    Toy,
    assert_lines_show,
    column,
    legend_texts,
    other_score,
)

from skreg import SearchDisplay


def test_a_search_without_refit_has_its_best_candidate_marked(run_search, ax):
    grid = {"alpha": [0.1, 1e3, 1.0]}
    found = run_search(grid, estimator=Ridge(), refit=False)
    display = SearchDisplay.from_search(found, x="alpha", ax=ax)
    means = found.cv_results_["mean_test_score"]
    assert display.best_.get_xdata() == [grid["alpha"][means.argmax()]]
    assert display.best_.get_ydata() == [means.max()]
    assert ax.get_ylabel() == "R2"


@pytest.fixture(scope="module")
def two_scores(run_search):
    """A search with two scores, the first of which ranks the candidates."""
    scoring = {"accuracy": Toy.score, "other": other_score}
    grid = {"l2": STRENGTHS, "dropout": RATES}
    return run_search(grid, scoring=scoring, refit="accuracy")


@pytest.mark.parametrize(("metric", "shown"), [(None, "accuracy"), ("other", "other")])
def test_one_of_several_scores_is_shown(two_scores, ax, metric, shown):
    display = SearchDisplay.from_search(two_scores, hue="dropout", metric=metric, ax=ax)
    assert_lines_show(display, two_scores, "dropout", RATES, shown)
    assert ax.get_ylabel() == shown
    # The candidate that refit chose is marked in both.
    score = two_scores.cv_results_[f"mean_test_{shown}"][two_scores.best_index_]
    assert display.best_.get_xdata() == [two_scores.best_params_["l2"]]
    assert display.best_.get_ydata() == [score]
    assert legend_texts(display)[-1].startswith("chosen candidate\n")


@pytest.mark.parametrize("refit", [False, lambda results: 2])
def test_several_scores_need_a_metric(run_search, ax, refit):
    scoring = {"accuracy": Toy.score, "other": other_score}
    found = run_search({"l2": STRENGTHS}, scoring=scoring, refit=refit)
    with pytest.raises(
        ValueError, match=r"metric must be one of \['accuracy', 'other'\]"
    ):
        SearchDisplay.from_search(found, ax=ax)
    display = SearchDisplay.from_search(found, metric="accuracy", ax=ax)
    assert (display.best_ is None) == (refit is False)  # none was chosen
    assert not refit or display.best_.get_xdata() == [STRENGTHS[2]]


def test_the_choice_of_refit_is_marked_where_it_is(run_search, ax):
    grid = {"l2": STRENGTHS, "dropout": RATES}
    found = run_search(grid, refit=lambda results: results["mean_test_score"].argmin())
    display = SearchDisplay.from_search(found, ax=ax)
    score = found.cv_results_["mean_test_score"].min()
    assert display.best_.get_ydata() == [score]
    assert score not in display.lines_[0].get_ydata()
    assert legend_texts(display)[-1].startswith("chosen candidate\n")


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_failed_candidates_are_left_out(run_search, ax):
    grid = {"l2": STRENGTHS, "dropout": [0.2, 1.0]}
    with pytest.warns(FitFailedWarning, match="nothing is left"):
        found = run_search(grid)
    display = SearchDisplay.from_search(found, hue="dropout", ax=ax)
    assert display.hue_values == [0.2]
    assert_lines_show(display, found, "dropout", [0.2])
    display = SearchDisplay.from_search(found, ax=Figure().subplots())
    means = column(found, "mean_test_score", dropout=0.2)
    np.testing.assert_allclose(display.lines_[0].get_ydata(), means)


def test_candidates_without_the_parameter_are_left_out(two_grids, ax):
    assert "l2" not in two_grids.best_params_
    display = SearchDisplay.from_search(two_grids, hue="dropout", ax=ax)
    drawn = [line.get_xdata().tolist() for line in display.lines_]
    assert drawn == [[0.0, 1e-2], [1e-3], [1e-3]]
    assert display.best_ is None
    assert legend_texts(display) == ["dropout = 0.2", "dropout = 0.5", "dropout = 0.6"]
    message = "with a finite 'score' and values of x='l2' and hue='l1', got none among"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(two_grids, x="l2", hue="l1", ax=ax)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "l3"}, r"x must name one of .* \['dropout', 'l2'\], got 'l3'"),
        ({"hue": "2"}, "hue must name one .* got '2'"),
        ({"kind": "bars"}, "kind must be 'line' or 'heatmap', got 'bars'"),
        ({"kind": "heatmap"}, "hue must name a parameter with kind='heatmap'"),
        ({"metric": "f1"}, r"metric must be one of \['score'\], got 'f1'"),
    ],
)
def test_bad_arguments_are_refused(searched, ax, arguments, message):
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(searched, ax=ax, **arguments)


def test_a_short_name_must_be_that_of_one_parameter():
    search = GridSearchCV(make_pipeline(Ridge(), Ridge()), {})
    names = ["ridge-1__alpha", "ridge-2__alpha"]
    search.cv_results_ = {
        "params": [dict.fromkeys(names, 1.0)],
        "mean_test_score": np.array([0.5]),
    }
    with pytest.raises(ValueError, match=r"x must name one .*ridge-2.* 'alpha'"):
        SearchDisplay.from_search(search, x="alpha")


def test_only_a_fitted_search_is_shown(searched):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        SearchDisplay.from_search(GridSearchCV(Toy(), {"l2": [1]}))
    with pytest.raises(ValueError, match="search must be a search or a CV estimator"):
        SearchDisplay.from_search(searched.best_estimator_)
