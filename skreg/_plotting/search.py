"""SearchDisplay: the scores of a search against one or two of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._plotting.base import Display, sequential_colors
from skreg._plotting.parameter_axis import (
    set_categories,
    set_parameter_axis,
    value_labels,
)
from skreg._plotting.search_results import scores_by_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind: TypeAlias = Literal["line", "heatmap"]
MARKERS = "os^DvPX<>*"  # color alone is not enough
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

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D or None
        Mean test scores, with error bars of one standard deviation over the folds to
        either side, one line per value of hue; None for a heatmap.
    train_lines_ : list of matplotlib.lines.Line2D or None
        Mean training scores; None for a heatmap or without `train_scores`.
    im_ : matplotlib.image.AxesImage or None
        The heatmap; None for lines.
    best_ : matplotlib.lines.Line2D, matplotlib.patches.Rectangle or None
        The mark of the candidate in `best`.
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

    Colors keep their order in grayscale and for color-blind readers; lines differ in
    their markers as well. Lines of several hues are drawn a few points apart, so that
    their error bars do not hide each other.

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
    ) -> None:
        self.x_name = x_name
        self.x_values = x_values
        self.test_scores = test_scores
        self.score_name = score_name
        self.train_scores = train_scores
        self.hue_name = hue_name
        self.hue_values = hue_values
        self.best = best

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
            score as a color, with `x` in columns and `hue` in rows.
        metric : str, default=None
            Which score to draw if the search has several; None means the one that
            `refit` names. The candidate that the search chose is marked in any case.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.

        Returns
        -------
        display : object
            The display.

        Raises
        ------
        TypeError, ValueError
            If `search` is no search, or has no scores by these parameters.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        scores = scores_by_parameters(search, x, hue, metric)
        return cls(**scores).plot(ax, kind=kind)

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
            If the display has no scores for this `kind`.
        ImportError
            If matplotlib is not installed.
        """
        if kind not in ("line", "heatmap"):
            raise ValueError(f"kind must be 'line' or 'heatmap', got {kind!r}.")
        if kind == "heatmap" and self.hue_values is None:
            raise ValueError("hue must name a parameter with kind='heatmap', got None.")
        self._set_axes(ax)
        self.lines_ = self.train_lines_ = self.im_ = self.best_ = None
        n_folds = np.shape(self.test_scores)[2]
        folds = f"{n_folds} fold{'s' if n_folds > 1 else ''}"
        if kind == "line":
            self._draw_lines(f"mean ± std of {folds}")
        else:
            self._draw_heatmap(f"{self.score_name}, mean of {folds}")
        return self

    def _draw_lines(self, title):
        from matplotlib.lines import Line2D
        from matplotlib.transforms import ScaledTranslation

        positions = set_parameter_axis(self.ax_, self.x_values)
        n_hues = len(self.test_scores)
        labels = ["test score"]
        if self.hue_values is not None:
            name = self._short_name(self.hue_name)
            labels = [f"{name} = {label}" for label in value_labels(self.hue_values)]
        spacing = min(3, 18 / n_hues)  # in points
        handles, self.lines_ = [], []
        self.train_lines_ = None if self.train_scores is None else []
        for i, color in enumerate(sequential_colors(n_hues)):
            means = np.mean(self.test_scores[i], axis=-1)
            tried = np.isfinite(means)
            bars = self.ax_.errorbar(
                positions[tried],
                means[tried],
                np.std(self.test_scores[i], axis=-1)[tried],
                color=color,
                marker=MARKERS[i % len(MARKERS)],
                capsize=2,
                elinewidth=1,
                label=labels[i],
            )
            handles.append(bars)
            self.lines_.append(bars.lines[0])
            artists = bars.get_children()
            if self.train_scores is not None:
                train_means = np.mean(self.train_scores[i], axis=-1)[tried]
                artists += self.ax_.plot(positions[tried], train_means, "--", c=color)
                self.train_lines_.append(artists[-1])
            if self.best is not None and self.best[0] == i:
                _, column, score = self.best
                label = f"chosen candidate\n({score:.4g})"
                (self.best_,) = self.ax_.plot(
                    positions[column], score, "ok", ms=14, mfc="none", label=label
                )
                artists.append(self.best_)
            # The lines move on the page alone: the axes' limits are those of the data.
            offset = spacing * (i - (n_hues - 1) / 2) / 72
            shift = ScaledTranslation(offset, 0, self.figure_.dpi_scale_trans)
            shifted = self.ax_.transData + shift
            for artist in artists:
                artist.set_transform(shifted)
        self.ax_.set_xmargin(0.04 + 0.01 * n_hues)  # room for the shifted lines
        self.ax_.set(xlabel=self._short_name(self.x_name), ylabel=self.score_name)
        if self.train_lines_:
            handles.append(Line2D([], [], color="k", ls="--", label="training score"))
        if self.best_ is not None:
            handles.append(self.best_)
        # Beside the axes, if a layout engine makes room for the legend there.
        outside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
        place = outside if self.figure_.get_layout_engine() else {}
        self.ax_.legend(handles=handles, title=title, **place)

    def _draw_heatmap(self, label):
        from matplotlib.patches import Rectangle

        means = np.mean(self.test_scores, axis=-1)
        self.im_ = self.ax_.imshow(
            np.ma.masked_invalid(means), cmap="viridis", origin="lower", aspect="auto"
        )
        colors = np.where(self.im_.norm(means) < 0.5, "white", "black")
        if self.best is not None:
            row, column, score = self.best
            corner, color = (column - 0.5, row - 0.5), colors[row, column]
            self.best_ = self.ax_.add_patch(
                Rectangle(corner, 1, 1, fill=False, edgecolor=color, linewidth=3)
            )
            label += f"\n(outlined: chosen candidate, {score:.4g})"
        self.figure_.colorbar(self.im_, ax=self.ax_, label=label)
        set_categories(self.ax_.xaxis, self.x_values)
        set_categories(self.ax_.yaxis, self.hue_values)
        self.ax_.set_xlabel(self._short_name(self.x_name))
        self.ax_.set_ylabel(self._short_name(self.hue_name))
        size = self.ax_.get_window_extent().size * 72 / self.figure_.dpi
        if (size / means.shape[::-1] >= MIN_CELL_SIZE).all():
            for row, column in np.argwhere(np.isfinite(means)):
                text, color = f"{means[row, column]:.3g}", colors[row, column]
                self.ax_.text(column, row, text, color=color, ha="center", va="center")

    def _short_name(self, name):
        """The last part of a full name, unless x and hue have the same one."""
        x, hue = (str(n).rpartition("__")[2] for n in (self.x_name, self.hue_name))
        return name if x == hue else name.rpartition("__")[2]
