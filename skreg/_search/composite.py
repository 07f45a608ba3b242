"""Where the network is in an estimator that is composed of several.

Known compositions are networks, Pipelines that end in one, and
`TransformedTargetRegressor` around either, nested in any way. Only these classes
themselves count: a subclass may override any method, and is fitted through its own.
"""

from copy import copy

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor

NETWORKS = (RegularizedMLPClassifier, RegularizedMLPRegressor)


def find_network(estimator):
    """Find the network that an estimator is or ends in.

    Parameters
    ----------
    estimator : estimator
        Not fitted.

    Returns
    -------
    path : tuple of str
        Names that lead to the network: joined by ``__``, its parameter in the
        estimator. Empty if the estimator is the network.
    network : RegularizedMLPClassifier, RegularizedMLPRegressor or None
        None if the estimator is of another composition.
    """
    path = []
    while (part := _last_part(estimator)) is not None:
        name, estimator = part
        path.append(name)
    return tuple(path), estimator if type(estimator) in NETWORKS else None


def passes_rows_on(estimator):
    """Whether the network sees the rows that the estimator is fitted on, unchanged."""
    while (part := _last_part(estimator)) is not None:
        if type(estimator) is Pipeline and any(
            step is not None and step != "passthrough"
            for _, step in estimator.steps[:-1]
        ):
            return False
        _, estimator = part
    return True


def replace_network(estimator, other):
    """A copy of an estimator, not fitted, with something else in the network's place.

    All other parts are those of the original. Callbacks of what leads to the network
    are left out: they are not to be told of fits that are shared.
    """
    if _last_part(estimator) is None:
        return other
    name, inner = _last_part(estimator)
    copied = copy(estimator)
    copied.__dict__.pop("_skl_callbacks", None)
    if type(estimator) is Pipeline:
        copied.steps = [*estimator.steps[:-1], (name, replace_network(inner, other))]
    else:
        copied.regressor = replace_network(inner, other)
    return copied


def assemble(estimator, fitted, network):
    """The fitted form of an estimator, from its fitted parts.

    Parameters
    ----------
    estimator : estimator
        Not fitted.
    fitted : estimator
        Fitted after `replace_network`; its other parts are used.
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
        Fitted.
    """
    if _last_part(estimator) is None:
        return network
    name, inner = _last_part(estimator)
    copied = copy(fitted)
    if hasattr(estimator, "_skl_callbacks"):
        copied.set_callbacks(*estimator._skl_callbacks)
    if type(estimator) is Pipeline:
        last = assemble(inner, fitted.steps[-1][1], network)
        copied.steps = [*fitted.steps[:-1], (name, last)]
    else:
        copied.regressor = inner
        copied.regressor_ = assemble(inner, fitted.regressor_, network)
        if hasattr(copied.regressor_, "feature_names_in_"):
            copied.feature_names_in_ = copied.regressor_.feature_names_in_
    return copied


def fitted_network(estimator, fitted):
    """What is in the network's place in `fitted`, for the parameters of `assemble`."""
    while (part := _last_part(estimator)) is not None:
        _, estimator = part
        if isinstance(fitted, Pipeline):
            fitted = fitted.steps[-1][1]
        else:
            fitted = fitted.regressor_
    return fitted


def split_network(fitted):
    """The steps before the network in which a fitted estimator ends, and that network.

    Returns
    -------
    steps : list of (name, transformer)
        In the order in which they transform; none for a network.
    network : RegularizedMLPClassifier, RegularizedMLPRegressor or None
        None if the estimator does more with rows than to transform them for one.
    """
    steps = []
    while type(fitted) is Pipeline:
        steps += fitted.steps[:-1]
        fitted = fitted.steps[-1][1]
    return steps, fitted if type(fitted) in NETWORKS else None


def n_used_features(fitted):
    """How many columns the network uses in which a fitted estimator ends.

    NaN without such a network.
    """
    while isinstance(fitted, Pipeline | TransformedTargetRegressor):
        is_pipeline = isinstance(fitted, Pipeline)
        fitted = fitted.steps[-1][1] if is_pipeline else fitted.regressor_
    return fitted.used_features_.sum() if isinstance(fitted, NETWORKS) else np.nan


def _last_part(estimator):
    """Name and value of what a composition ends in; None if it is no composition."""
    if type(estimator) is Pipeline and estimator.steps:
        return estimator.steps[-1]
    if type(estimator) is TransformedTargetRegressor:
        return "regressor", estimator.regressor
    return None
