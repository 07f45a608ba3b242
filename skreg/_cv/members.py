"""The members of an ensemble: their seeds, their fits, the networks in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.parallel import delayed

from skreg._cv.parallel import Run
from skreg._estimators.base import RegularizedMLP

MAX_SEED = np.iinfo(np.int32).max


def seeded_members(
    estimator: BaseEstimator, params: Sequence[Mapping[str, Any]]
) -> list[BaseEstimator]:
    """Clones with the parameters of each member, and a seed each for their networks."""
    members = []
    for i, setting in enumerate(params):
        member = clone(estimator).set_params(**clone(dict(setting), safe=False))
        network = final_network(member)
        if network is not None:
            rng = check_random_state(network.random_state)
            network.set_params(random_state=int(rng.randint(MAX_SEED, size=i + 1)[i]))
        members.append(member)
    return members


def fit_members(
    members: Sequence[BaseEstimator],
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    run: Run,
) -> list[BaseEstimator | Exception]:
    """Fit estimators on all rows; gives the error in the place of one that fails."""
    calls = (delayed(_fit_member)(member, X, y, fit_params) for member in members)
    return run(calls)


def _fit_member(
    member: BaseEstimator, X: Any, y: Any, fit_params: dict[str, Any]
) -> BaseEstimator | Exception:
    try:
        return member.fit(X, y, **fit_params)
    except Exception as error:
        return error


def final_network(estimator: BaseEstimator) -> RegularizedMLP | None:
    """The network in which an estimator ends, fitted if that is; None without one."""
    while not isinstance(estimator, RegularizedMLP):
        if isinstance(estimator, Pipeline) and estimator.steps:
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, TransformedTargetRegressor):
            estimator = getattr(estimator, "regressor_", estimator.regressor)
        else:
            return None
    return estimator
