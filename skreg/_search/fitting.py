"""Every candidate fitted on every fold: what a batched search does before it scores."""

from collections import defaultdict
from dataclasses import dataclass
from numbers import Integral
from time import perf_counter
from typing import Any

import numpy as np
from joblib import Parallel
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from skreg._search.folds import STACKED, Fold, PendingFit, final_network
from skreg._search.groups import compile_for_refit, train_in_groups
from skreg._search.progress import Progress
from skreg._training.task import TrainedNetwork


@dataclass(frozen=True)
class Fit:
    """One candidate on one fold.

    Attributes
    ----------
    outcome : estimator or Exception
        The fitted estimator, or the error that its fit raised.
    seconds : float
        Its share of the time that its group took.
    """

    outcome: BaseEstimator | Exception
    seconds: float


@dataclass(frozen=True)
class CandidateFitter:
    """What is common to all fits of a search.

    Attributes
    ----------
    X, y : array-like
        All rows.
    fit_params : dict
        For the estimator's ``fit``, under the names that `cross_validate` takes.
    split_params : dict
        For the splitter's ``split``.
    parallel : joblib.Parallel
        Runs the groups; returns a generator.
    n_workers : int
        How many groups it runs at once.
    group_size : int or None
        The most networks in a group.
    refit : bool
        Whether one of the candidates will be fitted on all rows afterwards.
    visible : bool
        Whether to show progress.
    """

    X: Any
    y: Any
    fit_params: dict
    split_params: dict
    parallel: Parallel
    n_workers: int
    group_size: int | None
    refit: bool
    visible: bool

    def split(self, cv):
        """Row numbers of each fold, as a list of (train, test)."""
        return list(cv.split(self.X, self.y, **self.split_params))

    def fit_all(self, estimator, settings, splits):
        """Fit every candidate on every fold.

        Parameters
        ----------
        estimator : estimator
            A network, or a Pipeline that ends in one.
        settings : list of dict
            The candidates: parameters to set.
        splits : list of (train, test)

        Returns
        -------
        list of Fit
            Candidate after candidate, and for each of them fold after fold.

        Raises
        ------
        ValueError
            If the estimator has no such parameter; before anything is fitted.
        """
        candidates = [
            clone(estimator).set_params(**clone(params, safe=False))
            for params in settings
        ]
        seed = _common_seed(candidates)
        title = f"{len(settings)} candidates x {len(splits)} folds"
        n_epochs = len(splits) * sum(map(_n_epochs, candidates))
        fits = {}
        with Progress(self.visible, title, n_epochs) as progress:
            for network_keys in _by_shared_steps(estimator, settings):
                prepared = self._prepare(
                    candidates, network_keys, splits, seed, progress
                )
                for (c, fold), fit in self._train(prepared, splits, progress):
                    if isinstance(fit.outcome, Exception):
                        fit.outcome.add_note(f"Candidate: {settings[c]}")
                    fits[c, fold] = fit
        return [fits[key] for key in sorted(fits)]

    def _prepare(self, candidates, network_keys, splits, seed, progress):
        """Fit the steps before the network, which these candidates have in common.

        Returns
        -------
        dict of (int, int) to PendingFit or Fit
            By the numbers of candidate and fold.
        """
        prepared = {}
        for fold, split in enumerate(splits):
            rows = Fold(self.X, self.y, split, self.fit_params, seed)
            for c, network_key in network_keys.items():
                start = perf_counter()
                try:
                    outcome = rows.prepare(candidates[c], network_key)
                except Exception as error:  # scored with error_score
                    outcome = error
                if not isinstance(outcome, PendingFit):
                    outcome = Fit(outcome, perf_counter() - start)
                    progress.advance(_n_epochs(candidates[c]))
                prepared[c, fold] = outcome
        return prepared

    def _train(self, prepared, splits, progress):
        """Train the networks of what is pending.

        Yields
        ------
        key : (int, int)
            Of `prepared`.
        fit : Fit
        """
        pending = {}
        for key, outcome in prepared.items():
            if isinstance(outcome, PendingFit):
                pending[key] = outcome
            else:
                yield key, outcome
        tasks = {key: fit.task for key, fit in pending.items()}
        if self.refit:
            compile_for_refit(tasks, splits)
        for key, outcome, seconds in train_in_groups(
            tasks, self.parallel, self.n_workers, self.group_size, progress
        ):
            if isinstance(outcome, TrainedNetwork):
                outcome = pending[key].fitted(outcome)
            yield key, Fit(outcome, seconds)


def _common_seed(candidates):
    """What replaces a ``random_state`` of None; drawn only if there is one."""
    networks = map(final_network, candidates)
    if any(n is not None and n.random_state is None for n in networks):
        return check_random_state(None).randint(np.iinfo(np.int32).max)
    return None


def _n_epochs(candidate):
    """Epochs of a candidate's training, as the progress bar counts them."""
    epochs = getattr(final_network(candidate), "epochs", 1)
    return epochs if isinstance(epochs, Integral) else 1


def _by_shared_steps(estimator, settings):
    """Divide the candidates by the settings of the steps before the network.

    Yields
    ------
    dict of int to hashable
        Numbers of candidates whose steps are set alike; and for each a key of what it
        sets in its network, other than `STACKED`.
    """
    last = estimator.steps[-1][0] if isinstance(estimator, Pipeline) else None
    stacked = {name if last is None else f"{last}__{name}" for name in STACKED}
    shared = defaultdict(dict)
    for c, params in enumerate(settings):
        of_network, of_steps = {}, {}
        for name, value in params.items():
            if last is None or name.split("__")[0] == last:
                of_network[name] = value
            else:
                of_steps[name] = value
        of_network = {k: v for k, v in of_network.items() if k not in stacked}
        shared[_params_key(of_steps)][c] = _params_key(of_network)
    yield from shared.values()


def _params_key(params):
    """A key that is equal for equal parameters; objects count as equal if identical."""
    plain = (int, float, str, bool, type(None))
    return frozenset(
        (name, type(value), value if isinstance(value, plain) else id(value))
        for name, value in params.items()
    )
