"""The batched halving searches, which users fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator

# From the private file, as the public name asks for an import that changes
# `sklearn.model_selection` for the whole process.
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.utils import check_scalar

from skreg._estimators.types import RandomState
from skreg._search.base import BatchedSearchMixin
from skreg._search.composite import find_network
from skreg._search.rungs import LastRung
from skreg._search.search import Grid, Splits

Scorer = str | Callable[..., Any] | None
Refit = bool | Callable[[dict[str, Any]], int]


class BatchedHalvingMixin(BatchedSearchMixin):
    """Goes before a halving search of scikit-learn's among the base classes."""

    def _to_run(self):
        search = super()._to_run()
        name = _epochs_name(self.estimator)
        if self.resource in ("epochs", name):
            search.resource = name
            if self.max_resources == "auto":
                epochs = self.estimator.get_params().get(name, 1)
                check_scalar(epochs, name, Integral, min_val=1)
                search.max_resources = epochs
        return search

    def _last_rung(self):
        if self.resource == _epochs_name(self.estimator):
            return LastRung(self.resource, self.factor, self.max_resources)
        return None


def _epochs_name(estimator):
    """Full name of the network's epochs."""
    path, network = find_network(estimator)
    return "__".join([*path, "epochs"]) if network is not None else "epochs"


class BatchedHalvingGridSearchCV(BatchedHalvingMixin, HalvingGridSearchCV):
    """Successive halving of a grid."""

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_grid: Grid | Sequence[Grid],
        *,
        factor: float = 3,
        resource: str = "epochs",
        max_resources: int | Literal["auto"] = "auto",
        min_resources: int | Literal["exhaust", "smallest"] = "exhaust",
        aggressive_elimination: bool = False,
        cv: Splits = 5,
        scoring: Scorer = None,
        refit: Refit = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        group_size: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.group_size = group_size


class BatchedHalvingRandomSearchCV(BatchedHalvingMixin, HalvingRandomSearchCV):
    """Successive halving of candidates drawn at random."""

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        n_candidates: int | Literal["exhaust"] = "exhaust",
        factor: float = 3,
        resource: str = "epochs",
        max_resources: int | Literal["auto"] = "auto",
        min_resources: int | Literal["exhaust", "smallest"] = "smallest",
        aggressive_elimination: bool = False,
        cv: Splits = 5,
        scoring: Scorer = None,
        refit: Refit = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        group_size: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.group_size = group_size
