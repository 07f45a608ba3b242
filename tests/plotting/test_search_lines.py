"""What SearchDisplay draws as lines, and where."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import loguniform, uniform
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toy_search import (
    RATES,
    STRENGTHS,
    Toy,
    assert_lines_show,
    column,
    legend_texts,
    other_score,
    tick_texts,
)

from skreg import SearchDisplay


def test_the_lines_show_the_results(searched, ax):
    display = SearchDisplay.from_search(searched, hue="dropout", ax=ax)
    assert_lines_show(display, searched, "dropout", RATES)
    for line, value in zip(display.train_lines_, RATES, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), STRENGTHS)
        train = column(searched, "mean_train_score", dropout=value)
        np.testing.assert_allclose(line.get_ydata(), train)
        assert line.get_linestyle() == "--"
    pairs = zip(display.lines_, display.train_lines_, strict=True)
    assert all(test.get_color() == train.get_color() for test, train in pairs)
    assert len({line.get_color() for line in display.lines_}) == 2
    assert len({line.get_marker() for line in display.lines_}) == 2
    assert ax.get_xscale() == "symlog"
    assert tick_texts(ax.xaxis) == ["0", "0.001", "0.01"]
    assert ax.get_xlabel() == "l2"
    assert ax.get_ylabel() == "accuracy"
    assert ax.get_legend().get_title().get_text() == "mean ± std of 3 folds"
    assert legend_texts(display) == [
        "dropout = 0",
        "dropout = 0.5",
        "training score",
        f"chosen candidate\n({searched.best_score_:.4g})",
    ]
    assert display.best_.get_xdata() == [searched.best_params_["l2"]]
    assert display.best_.get_ydata() == [searched.best_score_]
    assert display.im_ is None
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_a_search_of_a_pipeline_is_shown(mlp, cancer, ax):
    model = make_pipeline(StandardScaler(), mlp())
    step = "regularizedmlpclassifier"
    grid = {f"{step}__l2": STRENGTHS, f"{step}__dropout": RATES}
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss")
    display = SearchDisplay.from_search(search.fit(*cancer), hue="dropout", ax=ax)
    assert_lines_show(display, search, f"{step}__dropout", RATES)
    assert display.train_lines_ is None
    assert ax.get_xlabel() == "l2"
    assert ax.get_ylabel() == "neg_log_loss"
    assert legend_texts(display)[:2] == ["dropout = 0", "dropout = 0.5"]
    full = f"{step}__l2"
    same = SearchDisplay.from_search(search, x=full, ax=Figure().subplots())
    assert same.x_name == display.x_name == full


def test_without_hue_the_best_of_each_x_is_shown(searched, ax):
    display = SearchDisplay.from_search(searched, ax=ax)
    (line,) = display.lines_
    best = [column(searched, "mean_test_score", l2=value).max() for value in STRENGTHS]
    np.testing.assert_allclose(line.get_ydata(), best)
    assert legend_texts(display)[:2] == ["test score", "training score"]


def search_with(params, scores, scoring=None, key="score"):
    """A search over candidates that have these scores, one row for each fold."""
    search = GridSearchCV(Toy(), {"l2": [0.0]}, scoring=scoring)
    search.cv_results_ = {
        "params": params,
        f"mean_test_{key}": np.mean(scores, axis=0),
        **{f"split{i}_test_{key}": np.array(row) for i, row in enumerate(scores)},
    }
    search.n_splits_ = len(scores)
    return search


def test_the_first_of_equal_candidates_is_shown(ax):
    # They are equal on average, but not in each fold.
    params = [{"l2": 0.0, "sizes": size} for size in (1, 2, 3)]
    search = search_with(params, [[0.1, 0.25, 0.125], [0.1, 0.5, 0.625]])
    display = SearchDisplay.from_search(search, ax=ax)
    np.testing.assert_array_equal(display.test_scores, [[[0.25, 0.5]]])


def test_a_randomized_search_is_shown(run_search, ax):
    grid = {"l2": loguniform(1e-6, 1e-1), "dropout": uniform(0, 0.6)}
    found = run_search(grid, RandomizedSearchCV, n_iter=30, random_state=0)
    display = SearchDisplay.from_search(found, ax=ax)
    tried = found.cv_results_["param_l2"].astype(float)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), np.sort(tried))
    assert ax.get_xscale() == "log"
    SearchDisplay.from_search(found, x="dropout", ax=(other := Figure().subplots()))
    assert other.get_xscale() == "linear"


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        (None, "accuracy"),
        ("neg_log_loss", "neg_log_loss"),
        (other_score, "other_score"),
        (["accuracy"], "accuracy"),
    ],
)
def test_the_score_has_its_name(ax, scoring, name):
    (key,) = scoring if isinstance(scoring, list) else ["score"]
    search = search_with([{"l2": 0.1}], [[-0.25]], scoring, key)
    display = SearchDisplay.from_search(search, ax=ax)
    assert ax.get_ylabel() == name
    assert display.lines_[0].get_ydata() == [-0.25]  # the sign is kept
    assert ax.get_legend().get_title().get_text() == "mean ± std of 1 fold"


@pytest.mark.parametrize("hue", [None, "dropout", "l1"])
@pytest.mark.parametrize("x", ["l2", "l1", "sizes"])
def test_everything_is_drawn_inside_the_axes_and_beside_the_legend(run_search, x, hue):
    grid = {"l2": STRENGTHS, "l1": np.arange(10) / 1e4, "dropout": RATES}
    found = run_search({**grid, "sizes": [(8,), (8, 8)]}, return_train_score=True)
    if x == hue:
        hue = "l2"
    figure = Figure(layout="constrained")
    display = SearchDisplay.from_search(found, x=x, hue=hue, ax=figure.subplots())
    figure.draw_without_rendering()
    axes = display.ax_.get_window_extent()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.x0 >= axes.x1
    assert legend.x1 <= figure.bbox.x1
    ring = display.best_.get_markersize() / 2 * figure.dpi / 72
    for line in [*display.lines_, *display.train_lines_, display.best_]:
        x_, y_ = line.get_transform().transform(line.get_xydata()).T
        assert ((axes.x0 + ring < x_) & (x_ < axes.x1 - ring)).all()
        assert ((axes.y0 < y_) & (y_ < axes.y1)).all()


def test_error_bars_of_several_lines_do_not_hide_each_other(searched, ax):
    display = SearchDisplay.from_search(searched, hue="dropout", ax=ax)
    ax.figure.draw_without_rendering()
    left, right = (
        line.get_transform().transform(line.get_xydata())[:, 0]
        for line in display.lines_
    )
    np.testing.assert_allclose(right - left, 3 / 72 * ax.figure.dpi)
    bars = ax.containers[0].lines[2][0]
    assert bars.get_transform() is display.lines_[0].get_transform()


def test_where_no_layout_makes_room_the_legend_is_inside(searched, ax):
    display = SearchDisplay.from_search(searched, hue="dropout", ax=ax)
    ax.figure.draw_without_rendering()
    axes, legend = ax.get_window_extent(), display.ax_.get_legend().get_window_extent()
    assert axes.x0 < legend.x0 < legend.x1 < axes.x1


def test_equal_names_are_shown_in_full(ax):
    x, hue = {"x_name": "a__l2", "x_values": [1]}, {"hue_name": "b__l2"}
    scores = {"test_scores": [[[0.5]]], "hue_values": [2]}
    display = SearchDisplay(**x, **hue, **scores).plot(ax)
    assert ax.get_xlabel() == "a__l2"
    assert legend_texts(display) == ["b__l2 = 2"]
