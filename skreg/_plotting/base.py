"""What the displays share: axes, colors, and the networks that they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._cv.ensemble import MLPEnsemble
from skreg._estimators.base import RegularizedMLP

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Display:
    """Base class of all displays."""

    def _set_axes(self, ax):
        """Set `ax_` and `figure_` to the given axes, or to those of a new figure."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} needs matplotlib: pip install matplotlib."
            ) from error
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure


class NetworkDisplay(Display, ABC):
    """Base class of the displays of fitted networks."""

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | None = None
    ) -> Self:
        """Create the display of a fitted estimator and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, an
            ensemble of them, an estimator that chooses its own regularization, a fitted
            `sklearn.pipeline.Pipeline` that ends in one of these, or a fitted search,
            whose ``best_estimator_`` is shown.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.

        Returns
        -------
        display : object
            The display.

        Raises
        ------
        TypeError
            If `estimator` does not end in networks of skreg.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        return cls._from_networks(_final_networks(estimator)).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self._set_axes(ax)
        self._draw()
        return self

    @classmethod
    @abstractmethod
    def _from_networks(cls, networks: list[RegularizedMLP]) -> Self:
        """The display of fitted networks, not drawn yet."""

    @abstractmethod
    def _draw(self) -> None:
        """Draw in `ax_`."""


def _final_networks(estimator):
    """The fitted network in which an estimator ends, or those of an ensemble."""
    if isinstance(estimator, Pipeline):
        return _final_networks(estimator.steps[-1][1])
    if hasattr(estimator, "best_estimator_"):  # a search or a CV estimator
        return _final_networks(estimator.best_estimator_)
    check_is_fitted(estimator)
    if isinstance(estimator, TransformedTargetRegressor):
        return _final_networks(estimator.regressor_)
    if isinstance(estimator, MLPEnsemble):
        return [n for member in estimator.estimators_ for n in _final_networks(member)]
    if not isinstance(estimator, RegularizedMLP):
        raise TypeError(
            "estimator must be a skreg estimator, or a Pipeline or a search with refit "
            f"that ends in one, got {estimator!r}."
        )
    return [estimator]


def sequential_colors(n):
    """Colors for n items that have an order, from dark to light."""
    import matplotlib as mpl

    # The lightness of viridis rises evenly. Its lightest part is faint on white.
    return [mpl.colormaps["viridis"](0.85 * i / max(1, n - 1)) for i in range(n)]
