"""How SearchDisplay lays out the values of a parameter on an axis."""

import keras
import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from toy_search import tick_texts

from skreg import SearchDisplay

SGD_1, SGD_2 = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2)


def display_of(values, ax, **params):
    """A display of as many scores as there are values."""
    scores = np.linspace(0, 1, 2 * len(values)).reshape(1, -1, 2)
    display = SearchDisplay(
        x_name="a", x_values=values, test_scores=scores, **params
    ).plot(ax)
    ax.figure.draw_without_rendering()
    return display


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1e-4, 1e-3, 1e-2], "log"),
        ([1e-5, 1e-4], "linear"),
        ([8, 16, 32, 64, 128], "log"),
        (np.logspace(-6, 3, 20), "log"),
        (loguniform(1e-5, 1e-1).rvs(12, random_state=1), "log"),
        (uniform(0, 0.6).rvs(12, random_state=0), "linear"),
        ([0.0, 1e-3, 1e-2], "symlog"),
        ([0.0, 0.2, 0.5], "linear"),
        (np.linspace(0.01, 0.6, 11), "linear"),
        ([10, 50, 100], "linear"),
        ([-1.0, 1.0, 100.0, 1000.0], "linear"),
        ([0.0], "linear"),
        ([np.float32(0.5)], "linear"),
    ],
)
def test_the_scale_is_that_of_the_values(ax, values, scale):
    display = display_of(list(values), ax)
    assert ax.get_xscale() == scale
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), values)
    low, high = ax.get_xlim()
    assert low < min(values)
    assert high > max(values)
    if scale == "symlog":  # linear up to the smallest strength
        assert ax.xaxis.get_transform().linthresh == values[1]


@pytest.mark.parametrize(
    ("values", "ordered", "texts"),
    [
        ([(32,), (8, 8), (8,)], [(8,), (8, 8), (32,)], ["(8,)", "(8, 8)", "(32,)"]),
        (["tanh", "relu"], ["relu", "tanh"], ["relu", "tanh"]),
        ([None, 0.5, (0.1,)], [None, 0.5, (0.1,)], ["None", "0.5", "(0.1,)"]),
        ([np.inf, 2, 1], [1, 2, np.inf], ["1", "2", "inf"]),
        ([True, False], [False, True], ["False", "True"]),
        ([[0.1, 0.0], [0.01, 0.0]], [[0.01, 0.0], [0.1, 0.0]], None),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}], ["{'a': 1}", "{'a': 2}"]),
        ([SGD_1, "sgd", SGD_2], [SGD_1, "sgd", SGD_2], ["SGD (1)", "sgd", "SGD (2)"]),
        ([np.mean, len], [np.mean, len], ["mean", "<built-in function len>"]),
        (["a" * 30, "b"], ["a" * 30, "b"], ["a" * 24 + "…", "b"]),
    ],
)
def test_other_values_stand_side_by_side(run_search, ax, values, ordered, texts):
    found = run_search({"sizes": values})
    display = SearchDisplay.from_search(found, x="sizes", ax=ax)
    assert display.x_values == ordered
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), np.arange(len(values)))
    means = [found.cv_results_["mean_test_score"][values.index(v)] for v in ordered]
    np.testing.assert_allclose(line.get_ydata(), means)
    np.testing.assert_array_equal(ax.get_xticks(), np.arange(len(values)))
    if texts is not None:
        assert tick_texts(ax.xaxis) == texts


def test_equal_values_are_shown_once(run_search, ax):
    kinds = [np.array([1.0, 2.0]), np.array([1.0, 3.0])]
    grids = [{"sizes": [True, "a", *kinds]}, {"sizes": [np.str_("a"), 1, kinds[0] + 0]}]
    display = SearchDisplay.from_search(run_search(grids), x="sizes", ax=ax)
    expected = [True, "a", *kinds, 1]
    assert list(map(repr, display.x_values)) == list(map(repr, expected))
