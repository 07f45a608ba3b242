"""SearchDisplay: the scores of a search against one or two of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._plotting.drawing import axes_to_draw_in, legend_beside, ordered_colors
from skreg._plotting.search_table import tabulate
from skreg._plotting.values_axis import set_categories, set_value_axis, value_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind: TypeAlias = Literal["line", "heatmap"]
KINDS = get_args(Kind)
MARKERS = "os^DvPX<>*"  # of the values of hue, told apart without colour, too
SHIFT, WIDTH = 3, 18  # points between error bars of two values of hue, and of all


class SearchDisplay:
    """Scores of a search against one or two of the parameters that it varied.

    It is recommended to use `from_search` to create one. All parameters are stored as
    attributes.

    Parameters
    ----------
    x_name : str
        Full name of the parameter along the x axis.
    x_values : list of length n_x
        Its values.
    test_scores : array-like of shape (n_hues, n_x, n_folds)
        Scores on the test rows of each fold, NaN where there is no candidate. Without
        `hue_values`, ``n_hues`` is 1.
    score_name : str, default="score"
        Name of the score.
    train_scores : array-like of shape (n_hues, n_x, n_folds), default=None
        Scores on the training rows.
    hue_name : str, default=None
        Full name of the parameter that has a line for each value, or a row of the map.
    hue_values : list of length n_hues, default=None
        Its values.
    best : tuple of (int, int, float), default=None
        The candidate to be marked: its places in `hue_values` and in `x_values`, and
        its mean test score.
    best_name : str, default="best candidate"
        What that candidate is.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D or None
        Mean test scores, a line for each value of hue; None for a heatmap.
    errorbar_ : list of matplotlib.container.ErrorbarContainer or None
        These lines with their error bars, of a standard deviation over the folds to
        either side; None for a heatmap.
    train_lines_ : list of matplotlib.lines.Line2D or None
        Mean training scores; None for a heatmap or where there are none.
    im_ : matplotlib.image.AxesImage or None
        The heatmap.
    text_ : ndarray of shape (n_hues, n_x) of matplotlib.text.Text or None
        The scores in its cells; None where these are too small for them.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        Its colour bar.
    best_ : matplotlib.lines.Line2D, matplotlib.patches.Rectangle or None
        The mark of the best candidate; None where it is not among those shown.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        Their figure.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : Cross-validates along one
        parameter and draws the scores.
    LossCurveDisplay : The losses of one fitted network.

    Notes
    -----
    The x axis is logarithmic where the values spread over a factor of 10 or more and do
    so more evenly on that scale, as strengths of regularization do; a zero among them
    is on a linear part up to the smallest other value. Values that are not all numbers
    are set side by side, in their order.

    Colours are of viridis, of which the lightness rises evenly [1]_, so that they can
    be told apart, and have their order, in grey and to colour-blind eyes. Lines differ
    in their markers as well. Those of several hues are drawn beside each other, a few
    points apart, since error bars at the same place would hide each other.

    References
    ----------
    .. [1] S. van der Walt and N. Smith, "A better default colormap for matplotlib",
       SciPy 2015, https://bids.github.io/colormap/.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import BatchedGridSearchCV, RegularizedMLPClassifier, SearchDisplay
    >>> mlp = RegularizedMLPClassifier((16,), epochs=10, random_state=0)
    >>> grid = {"l2": [0.0, 1e-3, 1e-2], "dropout": [0.0, 0.5]}
    >>> search = BatchedGridSearchCV(mlp, grid).fit(*load_iris(return_X_y=True))
    >>> display = SearchDisplay.from_search(search, x="l2", hue="dropout")
    >>> display.ax_.get_ylabel()
    'accuracy'
    """

    __module__ = "skreg"

    def __init__(
        self,
        *,
        x_name: str,
        x_values: Sequence[Any],
        test_scores: ArrayLike,
        score_name: str = "score",
        train_scores: ArrayLike | None = None,
        hue_name: str | None = None,
        hue_values: Sequence[Any] | None = None,
        best: tuple[int, int, float] | None = None,
        best_name: str = "best candidate",
    ) -> None:
        self.x_name = x_name
        self.x_values = x_values
        self.test_scores = test_scores
        self.score_name = score_name
        self.train_scores = train_scores
        self.hue_name = hue_name
        self.hue_values = hue_values
        self.best = best
        self.best_name = best_name

    @classmethod
    def from_search(
        cls,
        search: BaseEstimator,
        *,
        x: str = "l2",
        hue: str | None = None,
        kind: Kind = "line",
        metric: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the scores of a fitted search.

        Candidates that failed, or that have no value of `x` or `hue`, are left out. Of
        those that differ in further parameters only, the best is shown.

        Parameters
        ----------
        search : estimator
            A fitted `BatchedGridSearchCV`, `BatchedRandomizedSearchCV`,
            `sklearn.model_selection.GridSearchCV` or
            `sklearn.model_selection.RandomizedSearchCV`, of any estimator.
        x : str, default="l2"
            The parameter along the x axis: its name, such as "l2", which stands for
            "regularizedmlpclassifier__l2" too, or its full name.
        hue : str, default=None
            The parameter that has a line for each of its values, or a row of the map.
        kind : {"line", "heatmap"}, default="line"
            "line" draws the score against `x`, with its standard deviation over the
            folds, and the training score if the search has it; "heatmap" draws the
            score as a colour, with `x` across and `hue` up.
        metric : str, default=None
            Which score, of a search that has several; None means the one that `refit`
            names.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        SearchDisplay

        Raises
        ------
        TypeError
            If `search` is not a search.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError
            If `x`, `hue`, `kind` or `metric` is none that there is, if no candidate can
            be shown, if `hue` has more than 10 values and `kind` is "line", or if it is
            None and `kind` is "heatmap".
        ImportError
            Without matplotlib.
        """
        return cls(**tabulate(search, x, hue, metric)).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: Kind = "line") -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        kind : {"line", "heatmap"}, default="line"
            See `from_search`.

        Returns
        -------
        self : SearchDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `kind` is neither, or not possible with these values of hue.
        ImportError
            Without matplotlib.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        if kind == "heatmap" and self.hue_values is None:
            raise ValueError("hue must name a parameter with kind='heatmap', got None.")
        n_hues, *_ = np.shape(self.test_scores)
        if kind == "line" and n_hues > len(MARKERS):
            raise ValueError(
                f"hue must have at most {len(MARKERS)} values with kind='line', got "
                f"{n_hues} of {self.hue_name!r}; try kind='heatmap', or no hue."
            )
        self.ax_ = axes_to_draw_in(ax, self)
        self.figure_ = self.ax_.figure
        self.lines_ = self.errorbar_ = self.train_lines_ = None
        self.im_ = self.text_ = self.colorbar_ = self.best_ = None
        if kind == "line":
            self._draw_lines()
        else:
            self._draw_map()
        return self

    def _draw_lines(self):
        positions = set_value_axis(self.ax_, self.x_values)
        n_hues, _, n_folds = np.shape(self.test_scores)
        self.lines_, self.errorbar_ = [], []
        if self.train_scores is not None:
            self.train_lines_ = []
        shift = min(SHIFT, WIDTH / n_hues)
        for i, color in enumerate(ordered_colors(n_hues)):
            before = set(self.ax_.get_children())
            self._draw_line(i, positions, color)
            drawn = set(self.ax_.get_children()) - before
            self._shift(drawn, shift * (i - (n_hues - 1) / 2))
        self.ax_.set_xmargin(0.04 + 0.01 * n_hues)  # has room for those shifted
        self.ax_.set(xlabel=self._own_name(self.x_name), ylabel=self.score_name)
        legend_beside(self.ax_, self._handles(), f"mean ± std of {_folds(n_folds)}")

    def _draw_line(self, i, positions, color):
        """Scores of one value of hue, and the best candidate's mark if it has it."""
        means = np.mean(self.test_scores[i], axis=-1)
        tried = np.isfinite(means)
        bars = self.ax_.errorbar(
            positions[tried],
            means[tried],
            np.std(self.test_scores[i], axis=-1)[tried],
            color=color,
            marker=MARKERS[i],
            capsize=2,
            elinewidth=1,
            label="test score" if self.hue_values is None else self._hue_label(i),
        )
        self.errorbar_.append(bars)
        self.lines_.append(bars.lines[0])
        if self.train_scores is not None:
            means = np.mean(self.train_scores[i], axis=-1)
            self.train_lines_ += self.ax_.plot(
                positions[tried], means[tried], color=color, linestyle="--"
            )
        if self.best is not None and self.best[0] == i:
            _, column, score = self.best
            (self.best_,) = self.ax_.plot(
                positions[column],
                score,
                marker="o",
                markersize=14,
                markerfacecolor="none",
                markeredgecolor="black",
                linestyle="none",
                label=f"{self.best_name}\n({score:.4g})",
            )

    def _shift(self, artists, points):
        """Move what was drawn to the right; only now, so that the limits fit the data.

        Data and limits are as they were.
        """
        from matplotlib.transforms import ScaledTranslation

        to_the_right = ScaledTranslation(points / 72, 0, self.figure_.dpi_scale_trans)
        moved = self.ax_.transData + to_the_right
        for artist in artists:
            artist.set_transform(moved)

    def _handles(self):
        """What the legend of lines names."""
        from matplotlib.lines import Line2D

        handles = list(self.errorbar_)
        if self.train_lines_:
            color = "black" if len(handles) > 1 else self.train_lines_[0].get_color()
            handles.append(
                Line2D([], [], color=color, linestyle="--", label="training score")
            )
        return handles if self.best_ is None else [*handles, self.best_]

    def _draw_map(self):
        from matplotlib.patches import Rectangle

        means = np.mean(self.test_scores, axis=-1)
        self.im_ = self.ax_.imshow(
            np.ma.masked_invalid(means), cmap="viridis", origin="lower", aspect="auto"
        )
        label = f"{self.score_name}, mean of {_folds(np.shape(self.test_scores)[-1])}"
        if self.best is not None:
            row, column, score = self.best
            label += f"\n(outlined: {self.best_name}, {score:.4g})"
            corner = column - 0.5, row - 0.5
            color = self._ink(means[row, column])
            self.best_ = self.ax_.add_patch(
                Rectangle(corner, 1, 1, fill=False, edgecolor=color, linewidth=3)
            )
        self.colorbar_ = self.figure_.colorbar(self.im_, ax=self.ax_, label=label)
        set_categories(self.ax_.xaxis, self.x_values)
        set_categories(self.ax_.yaxis, self.hue_values)
        self.ax_.set_xlabel(self._own_name(self.x_name))
        self.ax_.set_ylabel(self._own_name(self.hue_name))
        self._write_scores(means)

    def _write_scores(self, means):
        """The scores in the cells, where they fit."""
        size = self.ax_.get_window_extent()
        height, width = np.array([size.height, size.width]) / means.shape
        points = 72 / self.figure_.dpi
        if width * points < 40 or height * points < 14:
            return
        self.text_ = np.full(means.shape, None)
        for (row, column), mean in np.ndenumerate(means):
            if np.isfinite(mean):
                self.text_[row, column] = self.ax_.text(
                    column,
                    row,
                    f"{mean:.3g}",
                    color=self._ink(mean),
                    ha="center",
                    va="center",
                )

    def _ink(self, mean):
        """Black or white, whichever can be seen on the colour of a score."""
        color = self.im_.cmap(self.im_.norm(mean))[:3]
        luma = np.dot(color, (0.299, 0.587, 0.114))  # ITU-R BT.601
        return "black" if luma > 0.5 else "white"

    def _hue_label(self, i):
        return f"{self._own_name(self.hue_name)} = {value_labels(self.hue_values)[i]}"

    def _own_name(self, name):
        """The name without those of the steps, unless x and hue have the same one."""
        x, hue = (str(n).rpartition("__")[2] for n in (self.x_name, self.hue_name))
        return name if x == hue else name.rpartition("__")[2]


def _folds(n):
    return "1 fold" if n == 1 else f"{n} folds"
