"""SearchDisplay of a halving search: its rungs are told apart."""

from functools import partial

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from toy_search import RATES, legend_texts

from skreg import SearchDisplay

STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.fixture
def halve(run_search):
    options = {"factor": 2, "resource": "epochs", "max_resources": 4}
    return partial(run_search, search=HalvingGridSearchCV, **options)


def test_each_rung_has_a_line(halve, ax):
    search = halve({"l2": STRENGTHS})
    display = SearchDisplay.from_search(search, ax=ax)
    assert len(display.lines_) == search.n_iterations_ == 3
    results = search.cv_results_
    for number, line in enumerate(display.lines_):
        same = results["iter"] == number
        x, y = results["param_l2"][same], results["mean_test_score"][same]
        order = np.argsort(x)
        np.testing.assert_array_equal(line.get_xdata(), x[order].astype(float))
        np.testing.assert_allclose(line.get_ydata(), y[order])
    labels = ["epochs = 1", "epochs = 2", "epochs = 4"]
    assert legend_texts(display)[:3] == labels
    # The best candidate is in the last rung, even if others scored higher before.
    assert display.best_.get_xdata() == [search.best_params_["l2"]]
    assert display.best_.get_ydata() == [search.best_score_]


def test_each_rung_has_a_row_of_a_heatmap(halve, ax):
    search = halve({"l2": STRENGTHS})
    display = SearchDisplay.from_search(search, kind="heatmap", ax=ax)
    shown = np.isfinite(np.mean(display.test_scores, axis=-1)).sum(axis=1)
    assert shown.tolist() == search.n_candidates_
    assert ax.get_ylabel() == "epochs"


def test_the_last_rung_of_two_parameters_is_shown(halve, ax):
    search = halve({"l2": STRENGTHS[:2], "dropout": RATES})
    display = SearchDisplay.from_search(search, hue="dropout", ax=ax)
    results = search.cv_results_
    for rate, line in zip(RATES, display.lines_, strict=True):
        for l2, score in zip(*line.get_data(), strict=True):
            same = (results["param_l2"] == l2) & (results["param_dropout"] == rate)
            last = np.flatnonzero(same)[-1]
            assert results["iter"][last] == results["iter"][same].max()
            assert score == pytest.approx(results["mean_test_score"][last])


def test_the_resource_may_be_the_x_axis(halve, ax):
    display = SearchDisplay.from_search(halve({"l2": STRENGTHS}), x="epochs", ax=ax)
    (line,) = display.lines_
    assert line.get_xdata().tolist() == [1, 2, 4]


def test_rungs_of_equal_resources_are_numbered(halve, ax):
    options = {"aggressive_elimination": True, "max_resources": 2}
    display = SearchDisplay.from_search(halve({"l2": STRENGTHS}, **options), ax=ax)
    labels = ["epochs = 1 (1)", "epochs = 1 (2)", "epochs = 2"]
    assert legend_texts(display)[:3] == labels


def test_rungs_may_differ_in_their_rows(halve, ax):
    options = {"resource": "n_samples", "max_resources": 30, "min_resources": 15}
    search = halve({"l2": STRENGTHS}, random_state=0, **options)
    display = SearchDisplay.from_search(search, ax=ax)
    assert legend_texts(display)[:2] == ["n_samples = 15", "n_samples = 30"]
