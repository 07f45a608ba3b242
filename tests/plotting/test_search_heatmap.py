"""What SearchDisplay draws as a heatmap."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import loguniform, uniform
from sklearn.model_selection import RandomizedSearchCV
from toy_search import RATES, STRENGTHS, column, tick_texts

from skreg import SearchDisplay


def test_the_heatmap_shows_the_results(searched, ax):
    display = SearchDisplay.from_search(searched, hue="dropout", kind="heatmap", ax=ax)
    image = display.im_.get_array()
    expected = [column(searched, "mean_test_score", dropout=rate) for rate in RATES]
    assert not np.ma.is_masked(image)
    np.testing.assert_allclose(image, expected)
    assert display.im_.origin == "lower"
    assert tick_texts(ax.xaxis) == ["0", "0.001", "0.01"]
    assert tick_texts(ax.yaxis) == ["0", "0.5"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("l2", "dropout")
    assert len(ax.texts) == 6
    for text in ax.texts:
        column_, row = text.get_position()
        assert text.get_text() == f"{expected[row][column_]:.3g}"
    x, y = display.best_.get_xy()
    assert STRENGTHS[int(x + 0.5)] == searched.best_params_["l2"]
    assert RATES[int(y + 0.5)] == searched.best_params_["dropout"]
    label = display.im_.colorbar.ax.get_ylabel()
    best = f"(outlined: chosen candidate, {searched.best_score_:.4g})"
    assert label == f"accuracy, mean of 3 folds\n{best}"
    assert display.lines_ is display.train_lines_ is None


def luminance(color):
    """Relative luminance, about as WCAG 2.1 defines it."""
    return np.array(to_rgb(color)) ** 2.2 @ [0.2126, 0.7152, 0.0722]


def test_scores_and_outline_can_be_read_on_their_cells():
    scores = np.linspace(0, 1, 25).reshape(5, 5, 1)
    x = {"x_name": "a", "x_values": range(5)}
    hue = {"hue_name": "b", "hue_values": range(5), "test_scores": scores}
    for best in [(0, 0, 0.0), (4, 4, 1.0)]:
        display = SearchDisplay(**x, **hue, best=best)
        display.plot(Figure().subplots(), kind="heatmap")
        marks = {best[:2]: display.best_.get_edgecolor()}
        texts = {t.get_position()[::-1]: t.get_color() for t in display.ax_.texts}
        for cell, color in [*marks.items(), *texts.items()]:
            paper = display.im_.cmap(display.im_.norm(scores[cell][0]))
            light, dark = sorted(map(luminance, (paper, color)), reverse=True)
            # WCAG asks for a contrast of 3 where text is large.
            assert (light + 0.05) / (dark + 0.05) > 3


def test_cells_that_were_not_tried_are_blank(two_grids, ax):
    display = SearchDisplay.from_search(two_grids, hue="dropout", kind="heatmap", ax=ax)
    blank = [[False, True, False], [True, False, True], [True, False, True]]
    np.testing.assert_array_equal(display.im_.get_array().mask, blank)
    assert len(ax.texts) == np.sum(np.logical_not(blank))
    assert display.best_ is None
    assert display.im_.colorbar.ax.get_ylabel() == "accuracy, mean of 3 folds"


def test_no_scores_are_written_in_small_cells(searched):
    ax = Figure(figsize=(2, 2)).subplots()
    display = SearchDisplay.from_search(searched, hue="dropout", kind="heatmap", ax=ax)
    assert len(ax.texts) == 0
    assert display.im_ is not None


def test_not_each_of_many_values_has_a_tick(run_search, ax):
    grid = {"l2": loguniform(1e-6, 1e-1), "dropout": uniform(0, 0.6)}
    found = run_search(grid, RandomizedSearchCV, n_iter=50, random_state=0)
    display = SearchDisplay.from_search(found, hue="dropout", kind="heatmap", ax=ax)
    assert display.im_.get_array().count() == 50
    assert 10 < len(ax.get_xticks()) <= 20
    assert 10 < len(ax.get_yticks()) <= 20
    value = display.x_values[int(ax.get_xticks()[-1])]
    assert tick_texts(ax.xaxis)[-1] == f"{value:.4g}"


def test_a_display_can_be_plotted_again_as_the_other_kind(searched):
    display = SearchDisplay.from_search(searched, hue="dropout", ax=Figure().subplots())
    first = display.ax_
    assert display.plot(Figure().subplots(), kind="heatmap") is display
    assert display.lines_ is None
    assert display.im_.axes is display.ax_ is not first
    display.plot(Figure().subplots())
    assert display.im_ is None
    assert len(display.lines_) == 2
