"""The candidates of a search, and what they have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from numbers import Integral, Number
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from skreg._search.composite import find_network

# Parameters in which the networks of a group may differ: the rows that a network sees
# do not depend on them, but on `random_state` where early stopping holds some out.
STACKED = (
    "l1",
    "l2",
    "group_l1",
    "dropout",
    "optimizer",
    "learning_rate",
    "ema_momentum",
    "random_state",
)


@dataclass(frozen=True)
class Candidate:
    """One setting of a search's parameters.

    Attributes
    ----------
    base : estimator
        That of the search.
    params : dict
        The parameters that it sets.
    estimator : estimator
        Not fitted; with these parameters.
    network : RegularizedMLPClassifier, RegularizedMLPRegressor or None
        What the estimator ends in; None if it can only be fitted as a whole.
    steps_key : hashable
        Equal for candidates that agree in all that is fitted before the network.
    network_key : hashable
        Equal for those of them whose networks differ in `STACKED` at most.
    """

    base: BaseEstimator
    params: dict[str, Any]
    estimator: BaseEstimator
    network: BaseEstimator | None
    steps_key: Hashable
    network_key: Hashable

    @property
    def n_epochs(self) -> int:
        """Epochs of its training, as a progress bar counts them."""
        epochs = getattr(self.network, "epochs", 1)
        return int(epochs) if isinstance(epochs, Integral) else 1

    def new_estimator(self) -> BaseEstimator:
        """Another one to fit, made as scikit-learn's search makes it."""
        return _with_params(self.base, self.params)


def make_candidate(estimator: BaseEstimator, params: dict[str, Any]) -> Candidate:
    """Set parameters of an estimator, which itself is left as it is.

    Raises
    ------
    ValueError
        If the estimator has no such parameter.
    """
    candidate = _with_params(estimator, params)
    path, network = find_network(candidate)
    prefix = "".join(f"{name}__" for name in path)
    of_network, of_steps = {}, {}
    for name, value in params.items():
        if f"{name}__".startswith(prefix):
            of_network[name[len(prefix) :]] = value  # "" is the network itself
        else:
            of_steps[name] = value
    for name in STACKED:
        if name != "random_state" or not getattr(network, "early_stopping", False):
            of_network.pop(name, None)
    steps_key = path, params_key(of_steps)
    return Candidate(
        estimator, params, candidate, network, steps_key, params_key(of_network)
    )


def _with_params(estimator: BaseEstimator, params: dict[str, Any]) -> BaseEstimator:
    return clone(estimator).set_params(**clone(params, safe=False))


def params_key(params: dict[str, Any]) -> Hashable:
    """A key that is equal for equal parameters; objects are equal if identical."""
    plain = Number | str | None
    return frozenset(
        (name, type(value), value if isinstance(value, plain) else id(value))
        for name, value in params.items()
    )


def by_steps(candidates: Iterable[Candidate]) -> list[list[int]]:
    """Numbers of the candidates that end in a network, grouped by `steps_key`."""
    groups = defaultdict(list)
    for c, candidate in enumerate(candidates):
        if candidate.network is not None:
            groups[candidate.steps_key].append(c)
    return list(groups.values())


def common_seed(candidates: Iterable[Candidate]) -> int | None:
    """What replaces a ``random_state`` of None; drawn only if there is one."""
    networks = [c.network for c in candidates if c.network is not None]
    if any(network.random_state is None for network in networks):
        return check_random_state(None).randint(np.iinfo(np.int32).max)
    return None
