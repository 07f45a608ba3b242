"""What the displays share: the axes they draw in, and the networks they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._cv.base import RegularizedMLPCV
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
                f"{type(self).__name__} needs matplotlib: pip install 'skreg[plot]'."
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
            If `estimator` is none of these.
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted, or is a search without ``best_estimator_``.
        ImportError
            If matplotlib is not installed.
        """
        return cls._from_networks(final_networks(estimator)).plot(ax)

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


def final_networks(estimator: BaseEstimator) -> list[RegularizedMLP]:
    """The fitted network in which an estimator ends, or those of an ensemble."""
    part = estimator
    while not isinstance(part, RegularizedMLP | RegularizedMLPCV | MLPEnsemble):
        if isinstance(part, Pipeline):
            part = part.steps[-1][1]
        elif hasattr(part, "best_estimator_"):
            part = part.best_estimator_
        elif hasattr(part, "refit"):
            raise NotFittedError(
                "estimator must, if a search, be fitted with refit enabled, which sets "
                f"best_estimator_, got {part!r}."
            )
        else:
            raise TypeError(
                "estimator must be a skreg estimator, or a Pipeline or a search that "
                f"ends in one, got {estimator!r}."
            )
    check_is_fitted(part)
    if isinstance(part, RegularizedMLPCV):
        return final_networks(part.best_estimator_)
    if isinstance(part, MLPEnsemble):
        return [n for member in part.estimators_ for n in final_networks(member)]
    return [part]
