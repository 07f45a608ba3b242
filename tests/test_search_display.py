"""What SearchDisplay draws, and of which candidates."""

import inspect

import keras
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV, SearchDisplay

STRENGTHS = [0.0, 1e-3, 1e-2]
SGD_1, SGD_2 = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2)
RATES = [0.0, 0.5]


class Toy(ClassifierMixin, BaseEstimator):
    """Scores itself by its parameters and the rows: quick, and no two alike."""

    def __init__(self, l1=0.0, l2=0.0, dropout=0.0, sizes=(8,)):
        self.l1 = l1
        self.l2 = l2
        self.dropout = dropout
        self.sizes = sizes

    def fit(self, X, y):
        if self.dropout == 1:
            raise ValueError("nothing is left")
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y):
        bent = -((np.log10(self.l2 + 1e-4) + 2.5) ** 2) - (self.dropout - 0.2) ** 2
        return bent / 10 - 100 * self.l1 + X.mean() / 20 + np.size(self.sizes)


def other_score(est, X, y):
    """Prefers what `score` does not."""
    return -est.score(X, y)


@pytest.fixture(scope="module")
def search():
    """Fit a search over Toy, on rows that make the folds differ."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.arange(30) % 2

    def fit(grid, search=GridSearchCV, estimator=None, *, cv=3, **params):
        return search(estimator or Toy(), grid, cv=cv, **params).fit(X, y)

    return fit


@pytest.fixture(scope="module")
def two(search):
    """Over two parameters."""
    grid = {"l2": STRENGTHS, "dropout": RATES}
    return search(grid, return_train_score=True)


@pytest.fixture
def ax():
    return Figure().subplots()


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def column(search, name, **params):
    """A column of the results, of the candidates with these parameters."""
    chosen = [
        all(candidate.get(key) == value for key, value in params.items())
        for candidate in search.cv_results_["params"]
    ]
    return search.cv_results_[name][chosen]


def bars(container):
    """x, low and high of the error bars."""
    segments = np.array(container.lines[2][0].get_segments())
    return segments[:, 0, 0], segments[:, 0, 1], segments[:, 1, 1]


def check_lines(display, search, hue, values, metric="score"):
    for i, value in enumerate(values):
        mean, std = (
            column(search, f"{part}_test_{metric}", **{hue: value})
            for part in ("mean", "std")
        )
        line = display.lines_[i]
        np.testing.assert_array_equal(line.get_xdata(), STRENGTHS)
        np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-12)
        x, low, high = bars(display.errorbar_[i])
        np.testing.assert_array_equal(x, STRENGTHS)
        np.testing.assert_allclose((low + high) / 2, mean)
        np.testing.assert_allclose((high - low) / 2, std)


def test_lines_are_those_of_the_results(two, ax):
    display = SearchDisplay.from_search(two, hue="dropout", ax=ax)
    check_lines(display, two, "dropout", RATES)
    for line, value in zip(display.train_lines_, RATES, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), STRENGTHS)
        train = column(two, "mean_train_score", dropout=value)
        np.testing.assert_allclose(line.get_ydata(), train)
        assert line.get_linestyle() == "--"
    pairs = zip(display.lines_, display.train_lines_, strict=True)
    assert all(test.get_color() == train.get_color() for test, train in pairs)
    assert len({line.get_color() for line in display.lines_}) == 2
    assert len({line.get_marker() for line in display.lines_}) == 2
    assert ax.get_xscale() == "symlog"
    assert tick_texts(ax.xaxis) == ["0.0", "0.001", "0.01"]
    assert ax.get_xlabel() == "l2"
    assert ax.get_ylabel() == "accuracy"
    assert ax.get_legend().get_title().get_text() == "mean ± std of 3 folds"
    assert legend_texts(display) == [
        "dropout = 0.0",
        "dropout = 0.5",
        "training score",
        f"best candidate\n({two.best_score_:.4g})",
    ]
    assert display.best_.get_xdata() == [two.best_params_["l2"]]
    assert display.best_.get_ydata() == [two.best_score_]
    assert display.im_ is display.text_ is display.colorbar_ is None
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_batched_search_of_a_pipeline(mlp, cancer, ax):
    model = make_pipeline(StandardScaler(), mlp())
    step = "regularizedmlpclassifier"
    grid = {f"{step}__l2": STRENGTHS, f"{step}__dropout": RATES}
    search = BatchedGridSearchCV(model, grid, cv=2, scoring="neg_log_loss")
    display = SearchDisplay.from_search(search.fit(*cancer), hue="dropout", ax=ax)
    check_lines(display, search, f"{step}__dropout", RATES)
    assert display.train_lines_ is None
    assert ax.get_xlabel() == "l2"
    assert ax.get_ylabel() == "neg_log_loss"
    assert legend_texts(display)[:2] == ["dropout = 0.0", "dropout = 0.5"]
    full = f"{step}__l2"
    same = SearchDisplay.from_search(search, x=full, ax=Figure().subplots())
    assert same.x_name == display.x_name == full


def test_without_hue_the_best_of_each_x_is_shown(two, ax):
    display = SearchDisplay.from_search(two, ax=ax)
    (line,) = display.lines_
    best = [column(two, "mean_test_score", l2=value).max() for value in STRENGTHS]
    np.testing.assert_allclose(line.get_ydata(), best)
    assert legend_texts(display)[:2] == ["test score", "training score"]


def test_of_equal_candidates_the_first_is_shown(ax):
    # Equal on average, but not in each fold.
    candidates = GridSearchCV(Toy(), {"l2": [0.0], "sizes": [1, 2, 3]})
    candidates.cv_results_ = {
        "params": [{"l2": 0.0, "sizes": size} for size in (1, 2, 3)],
        "mean_test_score": np.array([0.1, 0.5, 0.5]),
        "split0_test_score": np.array([0.1, 0.4, 0.3]),
        "split1_test_score": np.array([0.1, 0.6, 0.7]),
    }
    candidates.n_splits_ = 2
    display = SearchDisplay.from_search(candidates, ax=ax)
    np.testing.assert_array_equal(display.test_scores, [[[0.4, 0.6]]])


def test_randomized_search(search, ax):
    grid = {"l2": loguniform(1e-6, 1e-1), "dropout": uniform(0, 0.6)}
    found = search(grid, RandomizedSearchCV, n_iter=30, random_state=0)
    display = SearchDisplay.from_search(found, ax=ax)
    tried = found.cv_results_["param_l2"].astype(float)
    order = np.argsort(tried)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), tried[order])
    means = found.cv_results_["mean_test_score"][order]
    np.testing.assert_allclose(line.get_ydata(), means)
    assert ax.get_xscale() == "log"
    SearchDisplay.from_search(found, x="dropout", ax=(other := Figure().subplots()))
    assert other.get_xscale() == "linear"


def drawn(values, ax, **params):
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
        ([3e-4, 1e-3, 3e-3], "log"),
        ([8, 16, 32, 64, 128], "log"),
        (np.logspace(-6, 3, 20), "log"),
        ([0.0, 1e-3, 1e-2], "symlog"),
        ([0, *np.logspace(-6, 3, 20)], "symlog"),
        ([0.0, 0.2, 0.5], "linear"),
        (np.linspace(0, 0.5, 11), "linear"),
        (np.linspace(0.01, 0.6, 11), "linear"),
        ([10, 50, 100], "linear"),
        ([-1.0, 1.0, 100.0, 1000.0], "linear"),
        ([0.0], "linear"),
        ([np.float32(0.5)], "linear"),
    ],
)
def test_the_scale_is_that_of_the_values(ax, values, scale):
    display = drawn(list(values), ax)
    assert ax.get_xscale() == scale
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), values)
    low, high = ax.get_xlim()
    assert low < min(values)
    assert high > max(values)


def test_between_zero_and_the_smallest_strength_the_scale_is_linear(ax):
    drawn([0.0, 1e-3, 1e-1], ax)
    where = ax.transData.transform([(x, 0.5) for x in (0, 5e-4, 1e-3, 1e-2, 1e-1)])
    first, second, decade, next_decade = np.diff(where[:, 0])
    assert first == pytest.approx(second)
    assert decade == pytest.approx(next_decade)


def test_zero_has_a_tick_among_many_strengths(ax):
    drawn([0.0, *np.logspace(-6, 3, 10)], ax)
    assert 0 in ax.get_xticks()


@pytest.mark.parametrize(
    ("values", "ordered", "texts"),
    [
        ([(32,), (8, 8), (8,)], [(8,), (8, 8), (32,)], ["(8,)", "(8, 8)", "(32,)"]),
        (["tanh", "relu"], ["relu", "tanh"], ["relu", "tanh"]),
        ([None, 0.5, (0.1,), 0.1], [0.1, 0.5, None, (0.1,)], None),
        ([np.inf, 2, 1], [1, 2, np.inf], ["1", "2", "inf"]),
        ([True, False], [False, True], ["False", "True"]),
        ([[0.1, 0.0], [0.01, 0.0]], [[0.01, 0.0], [0.1, 0.0]], None),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}], ["{'a': 1}", "{'a': 2}"]),
        ([SGD_1, "sgd", SGD_2], [SGD_1, "sgd", SGD_2], ["SGD (1)", "sgd", "SGD (2)"]),
        ([np.mean, len], [np.mean, len], ["mean", "<built-in function len>"]),
        (["a" * 30, "b"], ["a" * 30, "b"], ["a" * 24 + "…", "b"]),
    ],
)
def test_other_values_stand_side_by_side(search, ax, values, ordered, texts):
    found = search({"sizes": values})
    display = SearchDisplay.from_search(found, x="sizes", ax=ax)
    assert display.x_values == ordered
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), np.arange(len(values)))
    means = [found.cv_results_["mean_test_score"][values.index(v)] for v in ordered]
    np.testing.assert_allclose(line.get_ydata(), means)
    np.testing.assert_array_equal(ax.get_xticks(), np.arange(len(values)))
    if texts is not None:
        assert tick_texts(ax.xaxis) == texts


def test_equal_values_are_one(search, ax):
    kinds = [np.array([1.0, 2.0]), np.array([1.0, 3.0])]
    grids = [
        {"sizes": [True, "a", *kinds]},
        {"sizes": np.array([True, False])},
        {"sizes": [np.str_("a"), 1, kinds[0].copy()]},
    ]
    display = SearchDisplay.from_search(search(grids), x="sizes", ax=ax)
    values = [v.tolist() if isinstance(v, np.ndarray) else v for v in display.x_values]
    expected = [1, True, "a", [1.0, 2.0], [1.0, 3.0], False]
    assert list(map(repr, values)) == list(map(repr, expected))


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
    search = GridSearchCV(Toy(), {"l2": [0.1]}, scoring=scoring)
    (key,) = scoring if isinstance(scoring, list) else ["score"]
    search.cv_results_ = {
        "params": [{"l2": 0.1}],
        f"mean_test_{key}": np.array([-0.25]),
        f"split0_test_{key}": np.array([-0.25]),
    }
    search.n_splits_ = 1
    display = SearchDisplay.from_search(search, ax=ax)
    assert ax.get_ylabel() == name
    assert display.lines_[0].get_ydata() == [-0.25]  # as it is
    assert ax.get_legend().get_title().get_text() == "mean ± std of 1 fold"
    named = SearchDisplay.from_search(search, metric=name, ax=Figure().subplots())
    assert named.lines_[0].get_ydata() == [-0.25]


def test_a_regressor_and_no_refit(search, ax):
    grid = {"alpha": [0.1, 1e3, 1.0]}
    found = search(grid, estimator=Ridge(), refit=False)
    display = SearchDisplay.from_search(found, x="alpha", ax=ax)
    means = found.cv_results_["mean_test_score"]
    assert display.best_.get_xdata() == [grid["alpha"][means.argmax()]]
    assert display.best_.get_ydata() == [means.max()]
    assert ax.get_ylabel() == "R2"


def accuracy(est, X, y):
    return est.score(X, y)


@pytest.fixture(scope="module")
def both(search):
    """With two scores, of which the first chooses."""
    scoring = {"accuracy": accuracy, "other": other_score}
    grid = {"l2": STRENGTHS, "dropout": RATES}
    return search(grid, scoring=scoring, refit="accuracy")


def test_of_several_scores_the_one_of_refit_is_shown(both, ax):
    display = SearchDisplay.from_search(both, hue="dropout", ax=ax)
    check_lines(display, both, "dropout", RATES, "accuracy")
    assert ax.get_ylabel() == "accuracy"
    assert legend_texts(display)[-1].startswith("best candidate\n")


def test_another_score_has_the_same_candidate_marked(both, ax):
    display = SearchDisplay.from_search(both, hue="dropout", metric="other", ax=ax)
    check_lines(display, both, "dropout", RATES, "other")
    assert ax.get_ylabel() == "other"
    score = both.cv_results_["mean_test_other"][both.best_index_]
    assert display.best_.get_xdata() == [both.best_params_["l2"]]
    assert display.best_.get_ydata() == [score]
    assert legend_texts(display)[-1].startswith("best candidate by accuracy\n")


@pytest.mark.parametrize("refit", [False, lambda results: 2])
def test_several_scores_need_a_metric(search, ax, refit):
    scoring = {"accuracy": accuracy, "other": other_score}
    found = search({"l2": STRENGTHS}, scoring=scoring, refit=refit)
    with pytest.raises(ValueError, match=r"one of \['accuracy', 'other'\], got None"):
        SearchDisplay.from_search(found, ax=ax)
    display = SearchDisplay.from_search(found, metric="accuracy", ax=ax)
    best = found.cv_results_["mean_test_accuracy"].argmax() if refit is False else 2
    assert best > 0
    assert display.best_.get_xdata() == [STRENGTHS[best]]


def test_what_refit_chose_is_marked_where_it_is(search, ax):
    grid = {"l2": STRENGTHS, "dropout": RATES}
    found = search(grid, refit=lambda results: results["mean_test_score"].argmin())
    display = SearchDisplay.from_search(found, ax=ax)
    score = found.cv_results_["mean_test_score"].min()
    assert display.best_.get_ydata() == [score]
    assert score not in display.lines_[0].get_ydata()
    assert legend_texts(display)[-1].startswith("candidate chosen by refit\n")


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_failed_candidates_are_left_out(search, ax):
    grid = {"l2": STRENGTHS, "dropout": [0.2, 1.0]}
    with pytest.warns(FitFailedWarning, match="nothing is left"):
        found = search(grid)
    display = SearchDisplay.from_search(found, hue="dropout", ax=ax)
    assert display.hue_values == [0.2]
    check_lines(display, found, "dropout", [0.2])
    display = SearchDisplay.from_search(found, ax=Figure().subplots())
    means = column(found, "mean_test_score", dropout=0.2)
    np.testing.assert_allclose(display.lines_[0].get_ydata(), means)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_there_must_be_a_score(search, ax):
    def never(est, X, y):
        return np.nan

    found = search({"l2": STRENGTHS}, scoring=never, refit=False)
    with pytest.raises(ValueError, match=r"with l2 and a finite 'score', got none amo"):
        SearchDisplay.from_search(found, ax=ax)


@pytest.fixture(scope="module")
def partial(search):
    """Over grids that do not have all parameters."""
    return search(
        [
            {"l2": [0.0, 1e-2], "dropout": [0.2]},
            {"l2": [1e-3], "dropout": [0.5, 0.6]},
            {"l1": [-1.0], "dropout": [0.2]},  # the best one
        ]
    )


def test_candidates_without_the_parameter_are_left_out(partial, ax):
    assert "l2" not in partial.best_params_
    display = SearchDisplay.from_search(partial, hue="dropout", ax=ax)
    drawn = [line.get_xdata().tolist() for line in display.lines_]
    assert drawn == [[0.0, 1e-2], [1e-3], [1e-3]]
    assert display.best_ is None
    assert legend_texts(display) == ["dropout = 0.2", "dropout = 0.5", "dropout = 0.6"]
    message = "must have a candidate with l1 and l2 and a finite 'score', got none"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(partial, x="l2", hue="l1", ax=ax)


def test_map_is_that_of_the_results(two, ax):
    display = SearchDisplay.from_search(two, hue="dropout", kind="heatmap", ax=ax)
    image = display.im_.get_array()
    expected = [column(two, "mean_test_score", dropout=rate) for rate in RATES]
    assert not np.ma.is_masked(image)
    np.testing.assert_allclose(image, expected)
    assert display.im_.origin == "lower"
    assert tick_texts(ax.xaxis) == ["0.0", "0.001", "0.01"]
    assert tick_texts(ax.yaxis) == ["0.0", "0.5"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("l2", "dropout")
    for (row, column_), text in np.ndenumerate(display.text_):
        assert text.get_text() == f"{expected[row][column_]:.3g}"
        assert text.get_position() == (column_, row)
    x, y = display.best_.get_xy()
    assert STRENGTHS[int(x + 0.5)] == two.best_params_["l2"]
    assert RATES[int(y + 0.5)] == two.best_params_["dropout"]
    label = display.colorbar_.ax.get_ylabel()
    best = f"(outlined: best candidate, {two.best_score_:.4g})"
    assert label == f"accuracy, mean of 3 folds\n{best}"
    assert display.lines_ is display.errorbar_ is display.train_lines_ is None


def luminance(color):
    """Relative luminance, of WCAG 2.1."""
    channels = np.array(to_rgb(color))
    linear = np.where(
        channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


def test_scores_and_outline_can_be_read_on_their_cells(ax):
    scores = np.linspace(0, 1, 25).reshape(5, 5, 1)
    for best in [(0, 0, 0.0), (4, 4, 1.0)]:
        display = SearchDisplay(
            x_name="a",
            x_values=list(range(5)),
            test_scores=scores,
            hue_name="b",
            hue_values=list(range(5)),
            best=best,
        ).plot(ax, kind="heatmap")
        marks = {best[:2]: display.best_.get_edgecolor()}
        texts = {cell: t.get_color() for cell, t in np.ndenumerate(display.text_)}
        for ink in (marks, texts):
            for cell, color in ink.items():
                paper = display.im_.cmap(display.im_.norm(scores[cell][0]))
                light, dark = sorted(map(luminance, (paper, color)), reverse=True)
                # WCAG asks for 3 of large text; the best of black and white is 4.58.
                assert (light + 0.05) / (dark + 0.05) > 3


def test_cells_that_were_not_tried_are_blank(partial, ax):
    display = SearchDisplay.from_search(partial, hue="dropout", kind="heatmap", ax=ax)
    blank = [[False, True, False], [True, False, True], [True, False, True]]
    np.testing.assert_array_equal(display.im_.get_array().mask, blank)
    np.testing.assert_array_equal(display.text_ == None, blank)  # noqa: E711
    assert display.best_ is None
    assert display.colorbar_.ax.get_ylabel() == "accuracy, mean of 3 folds"


def test_no_scores_are_written_in_small_cells(two):
    ax = Figure(figsize=(2, 2)).subplots()
    display = SearchDisplay.from_search(two, hue="dropout", kind="heatmap", ax=ax)
    assert display.text_ is None
    assert display.im_ is not None


def test_of_many_values_some_have_a_tick(search, ax):
    grid = {"l2": loguniform(1e-6, 1e-1), "dropout": uniform(0, 0.6)}
    found = search(grid, RandomizedSearchCV, n_iter=50, random_state=0)
    display = SearchDisplay.from_search(found, hue="dropout", kind="heatmap", ax=ax)
    assert display.im_.get_array().count() == 50
    assert 10 < len(ax.get_xticks()) <= 20
    assert 10 < len(ax.get_yticks()) <= 20
    value = display.x_values[int(ax.get_xticks()[-1])]
    assert tick_texts(ax.xaxis)[-1] == f"{value:.4g}"


@pytest.mark.parametrize("hue", [None, "dropout", "l1"])
@pytest.mark.parametrize("x", ["l2", "l1", "sizes"])
def test_all_that_is_drawn_is_inside_and_beside_the_legend(search, x, hue):
    grid = {"l2": STRENGTHS, "l1": np.arange(10) / 1e4, "dropout": RATES}
    found = search({**grid, "sizes": [(8,), (8, 8)]}, return_train_score=True)
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


def test_error_bars_of_several_lines_do_not_hide_each_other(two, ax):
    display = SearchDisplay.from_search(two, hue="dropout", ax=ax)
    ax.figure.draw_without_rendering()
    left, right = (
        line.get_transform().transform(line.get_xydata())[:, 0]
        for line in display.lines_
    )
    np.testing.assert_allclose(right - left, 3 / 72 * ax.figure.dpi)
    bars = display.errorbar_[0].lines[2][0]
    assert bars.get_transform() is display.lines_[0].get_transform()


def test_where_no_layout_makes_room_the_legend_is_inside(two, ax):
    display = SearchDisplay.from_search(two, hue="dropout", ax=ax)
    ax.figure.draw_without_rendering()
    axes, legend = ax.get_window_extent(), display.ax_.get_legend().get_window_extent()
    assert axes.x0 < legend.x0 < legend.x1 < axes.x1


def test_equal_names_are_shown_in_full(ax):
    display = SearchDisplay(
        x_name="a__l2",
        x_values=[1],
        test_scores=[[[0.5]]],
        hue_name="b__l2",
        hue_values=[2],
    ).plot(ax)
    assert ax.get_xlabel() == "a__l2"
    assert legend_texts(display) == ["b__l2 = 2"]


def test_names_must_be_those_of_one_parameter(two, ax):
    message = r"x must name one .* got 'l3', which is none of \['dropout', 'l2'\]"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(two, x="l3", ax=ax)
    with pytest.raises(ValueError, match=r"hue must name one .* got '2', which is no"):
        SearchDisplay.from_search(two, hue="2", ax=ax)
    with pytest.raises(ValueError, match="hue must be another parameter than x, got "):
        SearchDisplay.from_search(two, hue="l2", ax=ax)
    model = make_pipeline(Ridge(), Ridge())
    unclear = GridSearchCV(model, {})
    names = ["ridge-1__alpha", "ridge-2__alpha"]
    unclear.cv_results_ = {
        "params": [dict.fromkeys(names, 1.0)],
        "mean_test_score": np.array([0.5]),
    }
    message = r"got 'alpha', which could be any of \['ridge-1__alpha', 'ridge-2__alph"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(unclear, x="alpha", ax=ax)


def test_other_bad_arguments(search, two, ax):
    with pytest.raises(ValueError, match=r"kind must be one of \('line', 'heatmap'\)"):
        SearchDisplay.from_search(two, kind="bars", ax=ax)
    with pytest.raises(ValueError, match="hue must name a parameter with kind='heatma"):
        SearchDisplay.from_search(two, kind="heatmap", ax=ax)
    with pytest.raises(
        ValueError, match=r"metric must be one of \['score'\], got 'f1'"
    ):
        SearchDisplay.from_search(two, metric="f1", ax=ax)
    with pytest.raises(NotFittedError, match="search must be fitted, got GridSearchCV"):
        SearchDisplay.from_search(GridSearchCV(Toy(), {"l2": [1]}), ax=ax)
    with pytest.raises(TypeError, match="search must be a search of scikit-learn's or"):
        SearchDisplay.from_search(Toy(), ax=ax)
    other = GridSearchCV(Toy(), {"l2": [1]})
    other.cv_results_ = {"mean_test_score": np.zeros(1)}  # as Optuna's search has it
    with pytest.raises(TypeError, match="with its cv_results_, got GridSearchCV"):
        SearchDisplay.from_search(other, ax=ax)
    many = search({"l2": STRENGTHS, "dropout": np.linspace(0, 0.5, 11)})
    message = "most 10 values with kind='line', got 11 of 'dropout'; try kind='heatmap'"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(many, hue="dropout", ax=ax)


def test_a_display_can_be_drawn_again_in_the_other_way(two):
    display = SearchDisplay.from_search(two, hue="dropout", ax=Figure().subplots())
    first = display.ax_
    assert display.plot(Figure().subplots(), kind="heatmap") is display
    assert display.lines_ is None
    assert display.im_.axes is display.ax_ is not first
    display.plot(Figure().subplots())
    assert display.im_ is display.text_ is None
    assert len(display.lines_) == 2


def test_parameters_are_stored_as_given():
    given = {name: object() for name in inspect.signature(SearchDisplay).parameters}
    assert vars(SearchDisplay(**given)) == given
