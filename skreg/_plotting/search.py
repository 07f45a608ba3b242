"""SearchDisplay: the scores of a search against one or two of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._plotting.base import Display
from skreg._plotting.colors import sequential_colors, text_color
from skreg._plotting.parameter_axis import (
    set_categories,
    set_parameter_axis,
    value_labels,
)
from skreg._plotting.search_results import scores_by_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind: TypeAlias = Literal["line", "heatmap"]
KINDS = get_args(Kind)
MARKERS = "os^DvPX<>*"  # one per value of hue: colour alone is not enough
# Error bars at the same x are drawn this far apart, and all within this width, in
# points.
SPACING, MAX_WIDTH = 3, 18
MIN_CELL_SIZE = 40, 14  # width and height, in points, of a cell with its score


class SearchDisplay(Display):
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
        Scores on the test rows of each fold; NaN where no candidate was tried. Without
        `hue_values`, ``n_hues`` is 1.
    score_name : str, default="score"
        Name of the score.
    train_scores : array-like of shape (n_hues, n_x, n_folds), default=None
        Scores on the training rows.
    hue_name : str, default=None
        Full name of the parameter with one line per value, or one row of the heatmap.
    hue_values : list of length n_hues, default=None
        Its values.
    best : tuple of (int, int, float), default=None
        The candidate to mark: its indices in `hue_values` and in `x_values`, and its
        mean test score.
    best_name : str, default="best candidate"
        What to call the candidate in `best`.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D or None
        Mean test scores, one line per value of hue; None for a heatmap.
    errorbar_ : list of matplotlib.container.ErrorbarContainer or None
        The same lines with their error bars, of one standard deviation over the folds
        to either side; None for a heatmap.
    train_lines_ : list of matplotlib.lines.Line2D or None
        Mean training scores; None for a heatmap or without `train_scores`.
    im_ : matplotlib.image.AxesImage or None
        The heatmap; None for lines.
    text_ : ndarray of shape (n_hues, n_x) of matplotlib.text.Text or None
        The scores in the cells of the heatmap; None for lines, and where the cells are
        too small.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        The colour bar of the heatmap; None for lines.
    best_ : matplotlib.lines.Line2D, matplotlib.patches.Rectangle or None
        The mark of the best candidate; None if that is not among those shown.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : Cross-validates along one
        parameter and draws the scores.
    LossCurveDisplay : The losses of one fitted network.

    Notes
    -----
    The x axis is logarithmic if the values span a factor of 10 or more and are spaced
    more evenly on a log scale, as strengths of regularization are; it is linear from
    zero, if that is among them, to the smallest other value. Values that are not all
    numbers are spaced equally, in their order.

    Colours are from viridis, whose lightness rises evenly [1]_, so that they can be
    told apart, in their order, in greyscale and by colour-blind readers. Lines differ
    in their markers as well. Lines of several hues are drawn a few points apart, so
    that their error bars do not hide each other.

    References
    ----------
    .. [1] S. van der Walt and N. Smith, "A better default colormap for matplotlib",
       SciPy 2015, https://bids.github.io/colormap/.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skreg import RegularizedMLPClassifier, SearchDisplay
    >>> mlp = RegularizedMLPClassifier((16,), epochs=10, random_state=0)
    >>> grid = {"l2": [0.0, 1e-3, 1e-2], "dropout": [0.0, 0.5]}
    >>> search = GridSearchCV(mlp, grid).fit(*load_iris(return_X_y=True))
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
        """Create the display of a fitted search and draw it.

        Candidates that failed, or that have no value of `x` or `hue`, are left out. Of
        those that differ only in other parameters, the best is shown; in a halving
        search, the best of those that reached the last rung among them.

        Parameters
        ----------
        search : estimator
            A fitted search of scikit-learn's, such as
            `sklearn.model_selection.GridSearchCV`,
            `sklearn.model_selection.RandomizedSearchCV` or a halving search, of any
            estimator; a fitted `RegularizedMLPClassifierCV` or
            `RegularizedMLPRegressorCV`; or a `sklearn.pipeline.Pipeline` that ends in
            one of these.
        x : str, default="l2"
            The parameter along the x axis: its full name, such as
            "regularizedmlpclassifier__l2", or the last part of it, such as "l2".
        hue : str, default=None
            The parameter with one line per value, or one row of the heatmap; named as
            `x` is. In a halving search, None stands for the resource: one line, or row,
            per rung, unless the resource is `x`.
        kind : {"line", "heatmap"}, default="line"
            "line" draws the score against `x`, with its standard deviation over the
            folds, and the training score if the search has it; "heatmap" draws the
            score as a colour, with `x` in columns and `hue` in rows.
        metric : str, default=None
            Which score to draw if the search has several; None means the one that
            `refit` names.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.

        Returns
        -------
        display : object
            The display.

        Raises
        ------
        TypeError
            If `search` is not a search.
        sklearn.exceptions.NotFittedError
            If `search` is not fitted.
        ValueError
            If the search has no such `x`, `hue` or `metric`, if none of its candidates
            can be shown, or if `plot` cannot draw them as `kind`.
        ImportError
            If matplotlib is not installed.
        """
        parameters = scores_by_parameters(search, x, hue, metric)
        return cls(**parameters).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: Kind = "line") -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.
        kind : {"line", "heatmap"}, default="line"
            See `from_search`.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If `kind` is neither, is "line" with more than 10 values of hue, or is
            "heatmap" without hue.
        ImportError
            If matplotlib is not installed.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        if kind == "heatmap" and self.hue_values is None:
            raise ValueError("hue must name a parameter with kind='heatmap', got None.")
        n_hues, _, n_folds = np.shape(self.test_scores)
        if kind == "line" and n_hues > len(MARKERS):
            raise ValueError(
                f"hue must have at most {len(MARKERS)} values with kind='line', got "
                f"{n_hues} of {self.hue_name!r}; try kind='heatmap', or no hue."
            )
        self._set_axes(ax)
        self.lines_ = self.errorbar_ = self.train_lines_ = None
        self.im_ = self.text_ = self.colorbar_ = self.best_ = None
        folds = "1 fold" if n_folds == 1 else f"{n_folds} folds"
        if kind == "line":
            self._draw_lines()
            self._draw_legend(f"mean ± std of {folds}")
        else:
            self._draw_heatmap(f"{self.score_name}, mean of {folds}")
        return self

    def _draw_lines(self):
        positions = set_parameter_axis(self.ax_, self.x_values)
        n_hues = len(self.test_scores)
        self.lines_, self.errorbar_ = [], []
        self.train_lines_ = None if self.train_scores is None else []
        spacing = min(SPACING, MAX_WIDTH / n_hues)
        for i, color in enumerate(sequential_colors(n_hues)):
            artists = self._draw_line(i, positions, color)
            self._shift_right(artists, spacing * (i - (n_hues - 1) / 2))
        self.ax_.set_xmargin(0.04 + 0.01 * n_hues)  # room for the shifted lines
        self.ax_.set(xlabel=self._short_name(self.x_name), ylabel=self.score_name)

    def _draw_line(self, i, positions, color):
        """Draw what one value of hue has; returns all that was drawn."""
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
        artists = bars.get_children()
        if self.train_scores is not None:
            means = np.mean(self.train_scores[i], axis=-1)
            artists += self.ax_.plot(
                positions[tried], means[tried], color=color, linestyle="--"
            )
            self.train_lines_.append(artists[-1])
        if self.best is not None and self.best[0] == i:
            self._mark_best(positions)
            artists.append(self.best_)
        return artists

    def _mark_best(self, positions):
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

    def _shift_right(self, artists, points):
        """Move artists on the page; their data, and the axes' limits, stay.

        To be called once they are drawn, since the limits are then computed from the
        data alone.
        """
        from matplotlib.transforms import ScaledTranslation

        shift = ScaledTranslation(points / 72, 0, self.figure_.dpi_scale_trans)
        shifted = self.ax_.transData + shift
        for artist in artists:
            artist.set_transform(shifted)

    def _draw_legend(self, title):
        """Right of the axes if a layout engine makes room for it there, else inside."""
        from matplotlib.lines import Line2D

        handles = list(self.errorbar_)
        if self.train_lines_:
            color = "black" if len(handles) > 1 else self.train_lines_[0].get_color()
            handles.append(
                Line2D([], [], color=color, linestyle="--", label="training score")
            )
        if self.best_ is not None:
            handles.append(self.best_)
        outside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
        has_room = self.figure_.get_layout_engine() is not None
        self.ax_.legend(handles=handles, title=title, **(outside if has_room else {}))

    def _draw_heatmap(self, label):
        means = np.mean(self.test_scores, axis=-1)
        self.im_ = self.ax_.imshow(
            np.ma.masked_invalid(means), cmap="viridis", origin="lower", aspect="auto"
        )
        if self.best is not None:
            self._outline_best(means)
            label += f"\n(outlined: {self.best_name}, {self.best[2]:.4g})"
        self.colorbar_ = self.figure_.colorbar(self.im_, ax=self.ax_, label=label)
        set_categories(self.ax_.xaxis, self.x_values)
        set_categories(self.ax_.yaxis, self.hue_values)
        self.ax_.set_xlabel(self._short_name(self.x_name))
        self.ax_.set_ylabel(self._short_name(self.hue_name))
        self._write_scores(means)

    def _outline_best(self, means):
        from matplotlib.patches import Rectangle

        row, column, _ = self.best
        corner = column - 0.5, row - 0.5
        color = self._text_color(means[row, column])
        self.best_ = self.ax_.add_patch(
            Rectangle(corner, 1, 1, fill=False, edgecolor=color, linewidth=3)
        )

    def _write_scores(self, means):
        """Write the scores in the cells if they fit."""
        size = self.ax_.get_window_extent().size * 72 / self.figure_.dpi
        if (size / means.shape[::-1] < MIN_CELL_SIZE).any():
            return
        self.text_ = np.full(means.shape, None)
        for (row, column), mean in np.ndenumerate(means):
            if np.isfinite(mean):
                self.text_[row, column] = self.ax_.text(
                    column,
                    row,
                    f"{mean:.3g}",
                    color=self._text_color(mean),
                    ha="center",
                    va="center",
                )

    def _text_color(self, mean):
        return text_color(self.im_.cmap(self.im_.norm(mean)))

    def _hue_label(self, i):
        return f"{self._short_name(self.hue_name)} = {value_labels(self.hue_values)[i]}"

    def _short_name(self, name):
        """The last part of a full name, unless x and hue have the same one."""
        x, hue = (str(n).rpartition("__")[2] for n in (self.x_name, self.hue_name))
        return name if x == hue else name.rpartition("__")[2]
