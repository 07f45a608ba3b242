"""What regularization is chosen from, and the candidates that are drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from skreg._estimators.base import RegularizedMLP
from skreg._estimators.validation import are_dicts

# The search sets these itself.
RESERVED = ("epochs", "warm_start")


def default_distributions() -> list[dict[str, Any]]:
    """Distributions of the candidates' parameters.

    Each candidate is drawn from one of the dicts: with or without the penalties that
    make weights or whole columns exactly zero.
    """
    common = {
        "l2": loguniform(1e-5, 1e-1),
        "dropout": uniform(0.0, 0.5),
        "learning_rate": loguniform(1e-3, 2e-2),
    }
    l1 = {"l1": loguniform(1e-6, 1e-3)}
    group_l1 = {"group_l1": loguniform(1e-4, 3e-2)}
    return [common, common | l1, common | group_l1, common | l1 | group_l1]


def draw_candidates(
    network: RegularizedMLP,
    distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    n_candidates: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Draw the parameters of candidates.

    Parameters
    ----------
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
        The network that is to have these parameters.
    distributions : dict or list of dict
        Distributions or lists of values by the names of parameters.
    n_candidates : int
        Number of candidates; there are fewer if the lists have fewer combinations.
    seed : int
        Determines what is drawn.

    Returns
    -------
    list of dict
        The parameters of each candidate.

    Raises
    ------
    ValueError, TypeError
        If there are no distributions, or none for a name; if a name is no parameter of
        the network, or one that the search sets.
    """
    every = _checked(distributions)
    if not any(hasattr(values, "rvs") for one in every for values in one.values()):
        n_candidates = min(n_candidates, len(ParameterGrid(every)))
    candidates = list(ParameterSampler(every, n_candidates, random_state=seed))
    for name in RESERVED:
        if any(name in params for params in candidates):
            raise ValueError(
                f"param_distributions must not have {name!r}, which the search sets "
                "itself."
            )
    for params in candidates:
        try:
            clone(network).set_params(**params)
        except ValueError as error:
            raise ValueError(
                "param_distributions must have parameters of the network: "
                f"{str(error).partition(' for estimator')[0]}."
            ) from None
    return candidates


def _checked(distributions: Any) -> list[Mapping[str, Any]]:
    """The dicts of distributions, or an error that says what is wrong with them."""
    every = [distributions] if isinstance(distributions, Mapping) else distributions
    if not are_dicts(every):
        raise ValueError(
            "param_distributions must be a dict or a sequence of at least one dict, "
            f"got {distributions!r}."
        )
    for name, values in (item for one in every for item in one.items()):
        is_list = np.iterable(values) and not isinstance(values, str)
        if not is_list and not hasattr(values, "rvs"):
            raise TypeError(
                f"param_distributions must have a list or a distribution for {name!r}, "
                f"got {values!r}."
            )
    return list(every)
