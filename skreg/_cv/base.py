"""What the classifier and the regressor with built-in cross-validation share."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isinf
from numbers import Integral
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, check_cv
from sklearn.utils import check_random_state, check_scalar, check_X_y, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    process_routing,
)
from sklearn.utils.validation import validate_data

from skreg._cv.choice import Chosen, choose, left_out
from skreg._cv.final import FinalFit
from skreg._cv.fitted_search import FittedSearch
from skreg._cv.front_end import STANDARD, FrontEnds, check_table
from skreg._cv.halving import Search, cv_results, planned_epochs, search
from skreg._cv.parallel import Run, count_workers, workers
from skreg._cv.rungs import CrossValidation, Split, auto_batch_size
from skreg._cv.scoring import accepts_sample_weight
from skreg._cv.space import default_distributions, draw_candidates
from skreg._cv.time_limit import Step, Stopwatch, check_time_limit, timed_steps
from skreg._estimators.base import RegularizedMLP
from skreg._estimators.callback_support import fit_context, with_callbacks
from skreg._estimators.common import (
    FLOATS,
    all_or_nothing,
    draw_seed,
    flat_column,
    numbers_explained,
)
from skreg._estimators.labels import check_labels_are_known
from skreg._estimators.types import MatrixLike
from skreg._estimators.validation import as_numbers, check_weights

Splits: TypeAlias = int | BaseCrossValidator | BaseShuffleSplit | Iterable[Any] | None
Scorer: TypeAlias = str | Callable[..., Any] | None

# Attributes that not every fit sets.
RESULTS = (
    "cv_results_",
    "best_index_",
    "best_score_",
    "ensemble_params_",
    "ensemble_indices_",
    "ensemble_weights_",
    "ensemble_score_",
)


class RegularizedMLPCV(FittedSearch):
    """Base class; the classes below differ in the network, the score, predictions."""

    @abstractmethod
    def _default_scoring(self) -> str | Callable[..., float]:
        """How candidates are scored unless `scoring` says otherwise."""

    def fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose the regularization, and fit the network or the ensemble on all rows.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Training rows, of numbers and categories; the networks compute in float32.
            With ``preprocessing=None`` or sparse rows, numbers only, in columns of
            similar scale; float32 is then trained in float32, anything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, for training and for the score, if it
            takes weights; None means 1 each.
        **params : dict of str to object
            ``groups``, of shape (n_samples,), for a splitter such as
            `sklearn.model_selection.GroupKFold`. With
            ``sklearn.set_config(enable_metadata_routing=True)``, whatever `cv` and
            `scoring` ask for.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable, before anything is trained, or
            if no candidate can be fitted and scored on any fold. The estimator is then
            left as it was, as it is by any other error, and by an interrupt.

        Warns
        -----
        UserWarning
            If folds or candidates had to be left out, or if `time_limit` left no time
            to compare candidates, or to train the final networks for the epochs that
            were chosen.
        """
        with all_or_nothing(self):
            for message in self._fit(X, y, sample_weight, params):
                warnings.warn(message, UserWarning, stacklevel=2)
        return self

    @with_callbacks
    def _fit(
        self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any]
    ) -> list[str]:
        """Fit, and return warnings."""
        self._check_parameters()
        rng = check_random_state(self.random_state)
        network = self._network().set_params(random_state=draw_seed(rng))
        distributions = self.param_distributions
        if distributions is None:
            distributions = default_distributions()
        settings = draw_candidates(
            network, distributions, self.n_candidates, draw_seed(rng)
        )
        n_workers, n_final = count_workers(self.n_jobs), self.ensemble_size or 1
        stopwatch = Stopwatch(self.time_limit, n_workers, n_final)
        rows, targets, preprocessor, front_ends = self._preprocess(X, y)
        stopwatch.n_rows = rows.shape[0]
        weights = {}
        if sample_weight is not None:
            weights["sample_weight"] = check_weights(
                sample_weight, rows.shape[0], "sample_weight"
            )
        # Raises what would else fail every candidate.
        network._prepare_task(rows, targets, **weights)
        dense = targets.toarray() if issparse(targets) else targets  # for any scorer
        seen = _as_given(X, rows), _as_given(y, dense)
        with workers(self.n_jobs) as run:
            cv = self._cross_validation(network, *seen, weights, params, run)
            if front_ends is not None:
                X_folds = front_ends.fold_rows(STANDARD, cv.splits)
                cv = replace(cv, X=X_folds, front_end=STANDARD)
            if network.batch_size == "auto":
                network.set_params(batch_size=auto_batch_size(rows.shape[0]))
            final = FinalFit(
                *(network, rows, targets, weights, run),
                *(self.n_jobs, self.ensemble_size, stopwatch),
            )
            with fit_context(self, X, y, sample_weight, max_subtasks=None) as subtask:
                step = timed_steps(subtask, verbose=self.verbose > 0)
                self.preprocessor_ = preprocessor
                return self._search_and_fit(cv, settings, final, step, front_ends)

    def _preprocess(
        self, X: Any, y: Any
    ) -> tuple[Any, Any, ColumnTransformer | None, FrontEnds | None]:
        """Rows as networks take them, targets, and how they were made, if they were."""
        if is_classifier(self):
            check_labels_are_known(y)
        if self.preprocessing is None or issparse(X):
            with numbers_explained(self):
                rows, targets = validate_data(
                    self, X, y, dtype=FLOATS, accept_sparse="csr", multi_output=True
                )
            return rows, flat_column(targets), None, None
        table = check_table(X)
        validate_data(self, table, y, skip_check_array=True)
        no_columns = np.zeros((table.shape[0], 1))
        _, targets = check_X_y(no_columns, y, multi_output=True)
        targets = flat_column(targets)
        if not is_classifier(self):
            as_numbers(targets, "y")  # for encoders, too, which would else fail first
        front_ends = FrontEnds(table, targets, is_classifier(self))
        preprocessor, rows = front_ends.fitted(STANDARD)
        return rows, targets, preprocessor, front_ends

    def _search_and_fit(
        self,
        cv: CrossValidation,
        settings: list[dict[str, Any]],
        final: FinalFit,
        step: Step,
        front_ends: FrontEnds | None,
    ) -> list[str]:
        """The search and the fit on all rows; returns warnings."""
        default: list[RegularizedMLP] = []
        limit = final.stopwatch.limit
        if not isinf(limit):
            with step("measuring the pace"):
                default = final.measure()
        found = search(cv, settings, self.epochs, final.stopwatch, step, front_ends)
        self.numeric_preprocessing_ = None
        if front_ends is not None:
            numbers = self.numeric_preprocessing_ = found.front_end or STANDARD
            if numbers != STANDARD:
                self.preprocessor_, rows = front_ends.fitted(numbers)
                final = replace(final, X=rows)
        messages = left_out(found)
        chosen: Chosen | None = None
        with step(f"{self.ensemble_size or 1} final networks"):
            if found.rungs:
                chosen = choose(found, self.ensemble_size, final.stopwatch)
                messages += chosen.warnings
                params, networks = final.fit(chosen.params)
                wanted, had = (p[0]["epochs"] for p in (chosen.params, params))
                if had < wanted:
                    messages.append(
                        f"time_limit={limit:g} seconds left time for {had} "
                        f"of the {wanted} epochs that were chosen."
                    )
            else:
                networks = final.finish(default, planned_epochs(self.epochs))
                params = [{"epochs": networks[0].epochs} for _ in networks]
                messages.append(
                    f"time_limit={limit:g} seconds are too few to compare "
                    f"candidates: what predicts has default regularization, "
                    f"{len(networks)} networks after {networks[0].n_iter_} epochs."
                )
        best, good, left_out_networks = final.predictor(params, networks)
        self._set_results(found, cv, best, chosen, params, good)
        return messages + left_out_networks

    def _set_results(
        self,
        found: Search,
        cv: CrossValidation,
        best: BaseEstimator,
        chosen: Chosen | None,
        params: list[dict[str, Any]],
        good: list[int],
    ) -> None:
        for name in RESULTS:
            self.__dict__.pop(name, None)
        self.n_splits_ = len(cv.splits)
        self.scorer_ = cv.scorer
        self.n_candidates_, self.n_resources_ = [], []
        for number in sorted({rung.number for rung in found.rungs}):
            same = [rung for rung in found.rungs if rung.number == number]
            # One that was trained again with another front end is one candidate.
            settings = {id(c.params) for rung in same for c in rung.candidates}
            self.n_candidates_.append(len(settings))
            self.n_resources_.append(same[0].candidates[0].epochs)
        self.best_estimator_ = best
        self.best_params_: dict[str, Any] = {}
        if chosen is None:
            return
        self.cv_results_ = cv_results(found.rungs, cv.score_units)
        self.best_index_ = chosen.best
        self.best_params_ = self.cv_results_["params"][chosen.best]
        self.best_score_ = float(self.cv_results_["mean_test_score"][chosen.best])
        if self.ensemble_size is not None:
            rows = [chosen.rows[i] for i in good]
            shares = Counter(rows)  # in the order of the choices
            self.ensemble_indices_ = np.array(list(shares))
            self.ensemble_weights_ = np.array(list(shares.values())) / len(rows)
            self.ensemble_params_ = [params[good[rows.index(row)]] for row in shares]
            all_good = len(good) == len(params)
            self.ensemble_score_ = chosen.scores[len(good) - 1] if all_good else np.nan
            for unit in cv.score_units:
                self.ensemble_score_ *= unit

    def _check_parameters(self) -> None:
        check_scalar(self.n_candidates, "n_candidates", Integral, min_val=1)
        check_scalar(self.epochs, "epochs", Integral, min_val=1)
        if self.ensemble_size is not None:
            check_scalar(self.ensemble_size, "ensemble_size", Integral, min_val=1)
        check_time_limit(self.time_limit)
        check_scalar(self.verbose, "verbose", Integral, min_val=0)
        if self.n_jobs is not None:
            check_scalar(self.n_jobs, "n_jobs", Integral)
        if self.preprocessing not in ("auto", None):
            raise ValueError(
                f"preprocessing must be 'auto' or None, got {self.preprocessing!r}."
            )
        if not (
            self.scoring is None
            or isinstance(self.scoring, str)
            or callable(self.scoring)
        ):
            raise ValueError(
                f"scoring must be a str, a callable or None, got {self.scoring!r}."
            )
        if self.param_distributions is None and not isinstance(self.optimizer, str):
            raise ValueError(
                "optimizer must be a str where param_distributions is None, as the "
                "built-in ones have a learning_rate; give param_distributions without "
                f"one, or the optimizer's name; got {self.optimizer!r}."
            )

    def _cross_validation(
        self,
        network: RegularizedMLP,
        X: Any,
        y: Any,
        weights: dict[str, Any],
        params: dict[str, Any],
        run: Run,
    ) -> CrossValidation:
        scorer = self._scorer()
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **weights, **params)
            split_params = routed.splitter.split
            score_params = weights if self.scoring is None else routed.scorer.score
        else:
            others = dict(params)
            split_params = {"groups": others.pop("groups", None)}
            _raise_for_params(others, self, "fit")
            score_params = weights if accepts_sample_weight(scorer) else {}
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        numbers = np.arange(X.shape[0])
        splits: list[Split] = [  # from masks, too
            (numbers[train], numbers[test])
            for train, test in splitter.split(X, y, **split_params)
        ]
        if not splits:
            raise ValueError(f"cv must give one fold at least, got {self.cv!r}.")
        if self.scoring is None:
            score_params = self._weigh_classes(score_params, y)
        y, units = self._in_own_unit(y)
        template = clone(network)  # without the batch size of all rows
        rows = [X] * len(splits)
        return CrossValidation(
            template, rows, y, splits, scorer, weights, score_params, run, units
        )

    def _weigh_classes(self, score_params: dict[str, Any], y: Any) -> dict[str, Any]:
        """The parameters of the default score, with class weights where there are."""
        return score_params

    def _in_own_unit(self, y: Any) -> tuple[Any, tuple[float, ...]]:
        """Targets as candidates are fitted and scored on them, and the scores' units.

        The unit of a score is the product of these numbers.
        """
        return y, ()

    def _scorer(self) -> Callable[..., float]:
        scoring = self._default_scoring() if self.scoring is None else self.scoring
        return check_scoring(self._network(), scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get metadata routing of this object.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            What `fit` uses itself, and what it passes on to `cv` and `scoring`.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(
            splitter=self.cv,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
        if self.scoring is not None:
            router.add(
                scorer=self._scorer(),
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        network = get_tags(self._network())
        tags.input_tags = network.input_tags
        takes_tables = self.preprocessing is not None
        tags.input_tags.allow_nan = takes_tables
        tags.input_tags.string = tags.input_tags.categorical = takes_tables
        tags.target_tags = network.target_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags = network.classifier_tags
        return tags


def _as_given(data: Any, validated: Any) -> Any:
    """The data frame or series that was given, for scorers to see; else the array."""
    is_frame = hasattr(data, "iloc") or hasattr(data, "columns")
    if not is_frame or hasattr(data, "compute") or len(data.shape) != validated.ndim:
        return validated
    return data
