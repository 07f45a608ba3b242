"""What the displays share: axes, colours, legends, the network that is shown."""

from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.base import RegularizedMLP


def axes_to_draw_in(ax, display):
    """The axes given, or those of a new figure; an error without matplotlib."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} needs matplotlib: pip install 'skreg[plot]'."
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def ordered_colors(n):
    """Colours of n things that have an order, from dark to light.

    Of viridis, whose lightness rises evenly: in grey, and to those who do not see red
    or green, the order is the same. Its lightest part is left out, being faint on
    white.
    """
    import matplotlib as mpl

    return [mpl.colormaps["viridis"](0.85 * i / max(1, n - 1)) for i in range(n)]


def legend_beside(ax, handles, title):
    """A legend to the right of the axes if a layout engine makes room, else inside."""
    makes_room = ax.figure.get_layout_engine() is not None
    place = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if makes_room else {}
    ax.legend(handles=handles, title=title, **place)


def shown_network(estimator):
    """The fitted network that an estimator, a Pipeline or a search has at its end."""
    network = estimator
    while not isinstance(network, RegularizedMLP):
        if isinstance(network, Pipeline):
            network = network.steps[-1][1]
        elif hasattr(network, "best_estimator_"):
            network = network.best_estimator_
        elif hasattr(network, "refit"):
            raise NotFittedError(
                "estimator must, as a search, be fitted with refit to have a "
                f"best_estimator_, got {network!r}."
            )
        else:
            raise TypeError(
                "estimator must be a skreg estimator, or a Pipeline or a search that "
                f"ends in one, got {estimator!r}."
            )
    check_is_fitted(network)
    return network
