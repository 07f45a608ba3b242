"""What turns a search of scikit-learn's into a batched one.

All candidates are trained on all folds first; then scikit-learn's search runs over an
estimator whose fits have been made already. So scores, ranks, masks, error scores and
the refit are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import partial
from numbers import Integral
from operator import attrgetter
from typing import Any, Self

import numpy as np
from joblib import parallel_config
from joblib.parallel import get_active_backend
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel

from skreg._estimators.base import DocLinkMixin, all_or_nothing
from skreg._estimators.types import MatrixLike
from skreg._search.callback_tasks import SearchTask
from skreg._search.composite import find_network, n_used_features
from skreg._search.ensemble import MLPEnsembleClassifier, MLPEnsembleRegressor
from skreg._search.fitting import CandidateFitter
from skreg._search.greedy import EnsembleSelector
from skreg._search.prefitted import FixedSplits, PrefittedCandidates
from skreg._search.refit import Refit
from skreg._search.scoring import check_refit, names_matter
from skreg._search.workers import Workers, return_as


class BatchedSearchMixin(DocLinkMixin, MetaEstimatorMixin):
    """Goes before a search of scikit-learn's among the base classes."""

    def fit(self, X: MatrixLike, y: MatrixLike | None = None, **params: Any) -> Self:
        """Train every candidate on every fold, score them, and refit the best one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict of str to object
            Passed on to the estimator's ``fit``, to the scorer and to the splitter as
            scikit-learn's search does; arrays with one entry per row are split into
            the folds.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable; before anything is trained,
            unless only fitting can show it. The search is then left as it was. An
            error of a candidate's own fit is raised only with ``error_score="raise"``.
        RuntimeError
            If the search is being fitted already, by another thread for example.
        """
        self._check_not_running()
        self._validate_params()
        if self.group_size is not None:
            check_scalar(self.group_size, "group_size", Integral, min_val=1)
        X, y = indexable(X, y)
        search, estimator = self._to_run(), self.estimator
        search._selector = search._ensemble_selector(X, y, params)
        fitter = search._fitter(X, y, params)
        search._prefitted = PrefittedCandidates(self.estimator, fitter)
        search.estimator = search._prefitted.provide()
        search._joblib_config = _joblib_config()
        search.verbose = max(0, self.verbose - 1)
        with (
            self._acting_as(search),
            parallel_config("sequential"),  # not on the machines that fit the groups
        ):
            super().fit(X, y, **params)
            if self.scoring is None:  # then the scorer refers to the estimator
                self.scorer_ = check_scoring(estimator)
        return self

    @contextmanager
    def _acting_as(self, search):
        """Have all attributes of another search, and keep what it learns.

        It is not that one which is fitted, as callbacks are to see this one.
        """
        self._check_not_running()  # another thread may have started meanwhile
        before = vars(self).copy()
        with all_or_nothing(self):
            vars(self).update(vars(search))
            yield
            learned = {n: v for n, v in vars(self).items() if n.endswith("_")}
            self.__dict__ = before | learned

    def _check_not_running(self):
        if hasattr(self, "_prefitted"):
            raise RuntimeError(
                f"This {type(self).__name__} is being fitted already, perhaps by "
                "another thread; fit a clone of it instead."
            )

    def _to_run(self):
        """A copy that is run in place of this one, and may be changed."""
        search = copy(self)
        if isinstance(self.cv, Iterator):  # can be read once only, but is read twice
            search.cv = list(self.cv)
        return search

    def _fitter(self, X, y, params):
        """What fits the candidates, where joblib is to do it now."""
        fit_params, split_params = self._route(params)
        return CandidateFitter(
            X,
            y,
            fit_params,
            cv=check_cv(self.cv, y, classifier=is_classifier(self.estimator)),
            split_params=split_params,
            parallel=Parallel(
                self.n_jobs, pre_dispatch=self.pre_dispatch, return_as=return_as()
            ),
            workers=Workers(self.n_jobs, self.pre_dispatch),
            group_size=self.group_size,
            refit=Refit(bool(self.refit) and (self.ensemble_size or 1)),
            raise_errors=self.error_score == "raise",
            check_refit=partial(check_refit, self) if names_matter(self) else None,
            visible=self.verbose > 0,
            last_rung=self._last_rung(),
            budget=self._time_budget(),
        )

    def _last_rung(self):
        """What a halving search goes on from; None for other searches."""
        return

    def _time_budget(self):
        """How long the search may take; None where that has no limit."""
        return

    def _route(self, params):
        """The parameters of ``fit`` that the estimator and the splitter get."""
        if not get_config()["enable_metadata_routing"]:
            params = dict(params)
            return params, {"groups": params.pop("groups", None)}
        routed = process_routing(self, "fit", **params)
        return routed.estimator.fit, routed.splitter.split

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        seconds, n_used = [], []
        last_rung = ()

        def fit_and_evaluate(candidates, cv=None, callback_ctx=None, **options):
            nonlocal last_rung
            candidates = list(candidates)
            splits = self._prefitted.split(cv)
            if (
                len(splits) == self._prefitted.n_splits
            ):  # otherwise scikit-learn raises an error
                task = SearchTask(self, callback_ctx)
                fits = self._fit_candidates(candidates, splits, task)
                seconds.extend([fit.seconds for fit in row] for row in fits)
                outcomes = [[fit.outcome for fit in row] for row in fits]
                n_used.extend([n_used_features(o) for o in row] for row in outcomes)
            splitter = FixedSplits(splits)
            results = evaluate_candidates(candidates, cv=splitter, **options)
            results["mean_fit_time"] = np.mean(seconds, axis=1)
            results["std_fit_time"] = np.std(seconds, axis=1)
            if self._selector is not None:
                scores = results.get(f"mean_test_{self.refit}")
                scores = results["mean_test_score"] if scores is None else scores
                last_rung = candidates, fits, splits, scores[-len(candidates) :]
            return results

        # scikit-learn 1.9 passes it, earlier versions do not take it.
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        self._evaluate_all(fit_and_evaluate, **context)
        self.n_used_features_ = np.array(n_used)
        if self._selector is not None:
            self._choose_ensemble(*last_rung)

    def _evaluate_all(self, evaluate_candidates, **context):
        """Evaluate all candidates of the search, perhaps some of them several times."""
        super()._run_search(evaluate_candidates, **context)

    def _fit_candidates(self, candidates, splits, task):
        """Fit some candidates on all folds, see `PrefittedCandidates.fit`."""
        return self._prefitted.fit(candidates, splits, task)

    def _ensemble_selector(self, X, y, params):
        """What chooses the members of an ensemble; None without one."""
        if self.ensemble_size is None:
            return None
        check_scalar(self.ensemble_size, "ensemble_size", Integral, min_val=1)
        if not self.refit or callable(self.refit):
            raise ValueError(
                "refit must be True, or the name of a score, with ensemble_size="
                f"{self.ensemble_size}: an ensemble is chosen by one score and fitted "
                f"on all rows; got {self.refit!r}."
            )
        scorer, _ = self._get_scorers()
        if self.scoring is None and find_network(self.estimator)[1] is None:
            raise ValueError(
                f"scoring must be given with ensemble_size={self.ensemble_size} where "
                f"the estimator does not end in a network, got {self.estimator!r}."
            )
        routed = self._get_routed_params_for_fit(params)
        selector = EnsembleSelector(
            self.ensemble_size,
            X,
            y,
            partial(_refit_score, scorer, self.refit),
            routed.scorer.score,
            is_classifier(self.estimator),
        )
        selector.check_scorer()
        return selector

    def _choose_ensemble(self, candidates, fits, splits, scores):
        """Choose members, and have them fitted in place of the best candidate."""
        outcomes = np.vectorize(attrgetter("outcome"), otypes=[object])(fits)
        choice = self._selector.choose(outcomes, splits, scores)
        first = len(self.n_used_features_) - len(candidates)
        self.ensemble_indices_ = first + np.array(choice.numbers)
        self.ensemble_params_ = [candidates[c] for c in choice.numbers]
        self.ensemble_weights_ = np.array(choice.counts) / self.ensemble_size
        self.ensemble_score_ = choice.score
        classifier = is_classifier(self.estimator)
        ensemble = MLPEnsembleClassifier if classifier else MLPEnsembleRegressor
        members = np.repeat(self.ensemble_params_, choice.counts).tolist()
        self._prefitted.refit(
            ensemble(self._prefitted.new_estimator(), members, n_jobs=self.n_jobs),
            *self._joblib_config,
        )

    def __getstate__(self):
        # During `fit`, a search has the data and joblib's workers at hand.
        state = super().__getstate__().copy()
        for name in ("_prefitted", "_selector", "_joblib_config", "_budget"):
            state.pop(name, None)
        return state


def _refit_score(scorer, refit, *args, **params):
    """The score by which a candidate is chosen, of several perhaps."""
    score = scorer(*args, **params)
    if isinstance(score, Mapping):
        score = score[refit]
    if isinstance(score, str):  # scikit-learn's form of an error, among several scores
        raise ValueError(score)
    return score


def _joblib_config():
    """The backend, threads unless another was configured, and the number of jobs."""
    backend, _ = get_active_backend(prefer="threads")
    _, n_jobs = get_active_backend()
    return backend, n_jobs
