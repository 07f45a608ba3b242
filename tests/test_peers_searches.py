"""What scikit-learn's own tests of its searches state, held by ours over networks.

Adopted here, in our own words, from `sklearn/model_selection/tests/test_search.py`:
grid_search (ties), grid_search_pipeline_steps, SearchCV_with_fit_params,
grid_search_groups, classes__property, trivial_cv_results_attr, no_refit,
grid_search_when_param_grid_includes_range, refit_callable, also of an invalid type and
out of bounds, X_as_list, y_as_list, pandas_input, search_default_iid,
search_cv_score_samples_error, unsupported_sample_weight_scorer,
search_cv_sample_weight_equivalence, search_cv_results_rank_tie_breaking,
search_cv_timing, predict_proba_disabled, grid_search_allows_nans,
parameters_sampler_replacement, empty_cv_iterator_error,
searchcv_raise_warning_with_non_finite_score, callable_multimetric_error_failing_clf,
callable_multimetric_clf_all_fits_fail, n_features_in,
search_cv_using_minimal_compatible_estimator, search_cv_verbose_3,
search_estimator_param, search_html_repr, multi_metric_search_forwards_metadata,
score_rejects_params_with_no_routing_enabled, search_with_estimators_issue_29157,
cv_results_multi_size_array. From `test_successive_halving.py`: nan_handling,
aggressive_elimination, min_max_resources, n_iterations, resource_parameter,
random_search and its discrete_distributions, groups_support, min_resources_null,
halving_random_search_list_of_dicts. From `test_validation.py`, with a network or a
search as the estimator: gridsearchcv_cross_val_predict_with_method, permutation_score.

Held elsewhere:

- `test_search`: grid_search_score_method, grid_search_one_grid_point,
  refit_callable_multi_metric, the cv_results of both searches and with several scores,
  search_cv_results_none_param, grid_search_correct_score_results,
  search_train_scores_set_to_false, cv_results_dtype_issue_29074;
- `test_search_estimator`: grid_search_error, grid_search_bad_param_grid, pickle,
  grid_search_failing_classifier, with all fits failing and with "raise";
- `test_search_errors`: random_search_bad_cv and the other tests of callables of several
  scores and of one;
- `test_search_estimators`: refit (an estimator whose ``fit`` returns nothing),
  unsupervised_grid_search, grid_search_cv_splits_consistency, custom_run_search;
- `test_sparse`: grid_search_sparse, its scoring, search_with_2d_array (of texts);
- `test_multilabel` and `test_halving`: grid_search_with_multioutput_data;
- `test_search_callbacks`: the five of callbacks, also of halving searches;
- `test_halving` and `test_halving_estimator`: cv_results, base_estimator_inputs,
  select_best_index, by equality with scikit-learn's search; input_errors of both;
- `test_ecosystem`: cross_validate, cross_val_score, cross_val_predict, learning and
  validation curves of networks, and metadata routing.

Left out:

- validate_parameter_input, parameter_grid, param_sampler, yield_masked_array,
  _custom_fit_no_run_search, subsample_splitter and top_k test classes and functions of
  scikit-learn that these searches do not replace;
- grid_search_no_score, gridsearch_no_predict, search_cv_score_samples_method,
  stochastic_gradient_loss_param, transform_inverse_transform_round_trip,
  scalar_fit_param and its compat, precomputed kernels and pairwise tags need an
  estimator that networks are not; other estimators are left to scikit-learn's code;
- gridsearch_nd, as networks take tables, and array_api_search_cv_classifier, as they
  are NumPy's.
"""

import re
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, randint
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    LeavePGroupsOut,
    cross_val_predict,
    permutation_test_score,
)
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skreg import (
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedHalvingRandomSearchCV,
    BatchedRandomizedSearchCV,
)

LOSS = "neg_log_loss"
L2 = {"l2": [0.0, 0.1]}
STEPS_L2 = {"regularizedmlpclassifier__l2": [0.0, 0.1]}
# Ours, and scikit-learn's set to the epochs of the networks here.
GRIDS = BatchedGridSearchCV, GridSearchCV
HALVINGS = (
    BatchedHalvingGridSearchCV,
    partial(HalvingGridSearchCV, resource="epochs", max_resources=2),
)
KINDS = pytest.mark.parametrize("kinds", [GRIDS, HALVINGS], ids=["grid", "halving"])


@pytest.fixture
def both(assert_same_results):
    """Run a search of ours and scikit-learn's, and compare; returns ours."""

    def run(estimator, grid, X, y, fit_params=None, *, kinds=GRIDS, **options):
        ours, theirs = (
            kind(clone(estimator), grid, **{"cv": 2, **options}) for kind in kinds
        )
        for search in (ours, theirs):
            search.fit(X, y, **(fit_params or {}))
        assert_same_results(ours, theirs)
        return ours

    return run


def messages(search, X, y, **fit_params):
    """The warnings of a fit, as if the search were scikit-learn's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y, **fit_params)
    return [str(w.message).replace("Batched", "") for w in caught]


# Parameters and candidates.


def test_of_equal_scores_the_first_is_best(both, mlp, iris):
    search = both(mlp(), {"l2": [0.1, 0.1, 10.0]}, *iris, scoring=LOSS)
    assert search.cv_results_["rank_test_score"].tolist() == [1, 1, 3]
    assert search.best_index_ == 0


@KINDS
def test_estimators_in_a_grid_are_left_as_they_are(mlp, iris, kinds):
    networks = [mlp((4,)), mlp((3,))]
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", mlp())])
    search = kinds[0](pipeline, {"mlp": networks, "mlp__l2": [0.1]}, cv=2)
    if kinds is HALVINGS:
        search.set_params(factor=2, resource="mlp__epochs")
    search.fit(*iris)
    assert search.best_estimator_["mlp"].l2 == 0.1
    for network in [*networks, *search.cv_results_["param_mlp"]]:
        assert network.l2 == mlp().l2
        assert not hasattr(network, "coefs_")


@KINDS
@pytest.mark.parametrize("grid", [{}, [{}, {"l2": [0.1]}]], ids=str)
def test_a_candidate_may_be_the_estimator_as_it_is(both, mlp, iris, kinds, grid):
    search = both(mlp(), grid, *iris, kinds=kinds)
    assert search.cv_results_["params"][0].keys() <= {"epochs"}


def test_values_may_be_a_range_or_arrays_of_several_sizes(both, mlp, iris):
    grid = {"epochs": range(1, 3), "l2": [np.array([0.1]), np.array([0.1, 0.2])]}
    search = both(mlp(), grid, *iris, scoring=LOSS)
    assert search.cv_results_["param_epochs"].dtype.kind == "i"
    assert search.cv_results_["param_l2"].dtype == object


def test_no_more_candidates_are_drawn_than_there_are(mlp, iris):
    search = BatchedRandomizedSearchCV(mlp(), L2, n_iter=9, cv=2)
    with pytest.warns(UserWarning, match="space of parameters 2 is smaller than n_ite"):
        search.fit(*iris)
    assert len(search.cv_results_["params"]) == 2
    halving = partial(BatchedHalvingRandomSearchCV, n_candidates=5, cv=2, refit=False)
    with pytest.warns(UserWarning, match="space of parameters 2 is smaller than n_ite"):
        assert halving(mlp(), L2).fit(*iris).n_candidates_ == [2]
    drawn = {"batch_size": randint(20, 22)}
    assert halving(mlp(), drawn).fit(*iris).n_candidates_ == [5]


def test_several_distributions_are_masked(mlp, iris, assert_same_results):
    drawn = [{"l2": loguniform(1e-4, 1.0)}, {"l1": [0.0, 0.1], "shuffle": [True]}]
    options = {"n_candidates": 6, "cv": 2, "factor": 2, "random_state": 1}
    ours = BatchedHalvingRandomSearchCV(mlp(), drawn, **options).fit(*iris)
    theirs = HalvingRandomSearchCV(
        mlp(), drawn, resource="epochs", max_resources=2, **options
    )
    assert_same_results(ours, theirs.fit(*iris))
    results = ours.cv_results_
    assert (results["param_l2"].mask != results["param_l1"].mask).all()
    assert (results["param_epochs"] == results["n_resources"]).all()


class Untrained(DummyClassifier):
    """Has epochs as a network has them, and nothing to train."""

    def __init__(self, epochs=2, l2=0.0):
        super().__init__()
        self.epochs = epochs
        self.l2 = l2


@pytest.mark.parametrize(
    ("epochs", "options"),
    [
        (9, {"aggressive_elimination": True, "min_resources": 3}),
        (9, {"aggressive_elimination": False, "min_resources": 3}),
        (9, {"min_resources": "smallest", "factor": 2}),
        (7, {"min_resources": "exhaust", "factor": 2}),
        (5, {"min_resources": 5}),
        (9, {"min_resources": "smallest", "max_resources": 4}),
    ],
    ids=str,
)
def test_the_resources_of_rungs(mlp, iris, epochs, options):
    grid = {"l2": np.linspace(0, 0.1, 10)}
    options = {"cv": 2, "refit": False, "return_train_score": False, **options}
    ours = BatchedHalvingGridSearchCV(mlp(epochs=epochs), grid, **options).fit(*iris)
    theirs = {"resource": "epochs", "max_resources": epochs, **options}
    theirs = HalvingGridSearchCV(Untrained(), grid, **theirs).fit(*iris)
    assert ours.n_resources_ == theirs.n_resources_
    assert ours.n_candidates_ == theirs.n_candidates_
    for name in ("iterations", "possible_iterations", "required_iterations"):
        assert getattr(ours, f"n_{name}_") == getattr(theirs, f"n_{name}_")


@pytest.mark.parametrize(
    ("n_candidates", "expected"), [("exhaust", 4), (4, 4), (3, 3), (5, 5)]
)
def test_as_many_candidates_are_drawn_as_there_are_epochs_for(
    mlp, iris, n_candidates, expected
):
    search = BatchedHalvingRandomSearchCV(
        mlp(epochs=8), {"l2": loguniform(1e-4, 1.0)}, n_candidates=n_candidates
    )
    search.set_params(min_resources=2, factor=2, cv=2, refit=False).fit(*iris)
    assert search.n_candidates_[0] == expected
    assert search.n_resources_[-1] == 8 or n_candidates == 3


# Rows and folds.


def test_rows_and_targets_may_be_lists_or_frames(mlp, iris, assert_same_results):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"), index=range(900, 0, -10))
    series = pd.Series(y, index=frame.index)
    search = BatchedGridSearchCV(mlp(), L2, cv=2, scoring=LOSS)
    expected = clone(search).fit(X, y)
    for rows, targets in [(X.tolist(), y.tolist()), (frame, series)]:
        got = clone(search).fit(rows, targets)
        assert_same_results(got, expected)
        np.testing.assert_array_equal(
            got.predict_proba(rows), expected.predict_proba(X)
        )


def test_folds_may_be_masks_and_count_alike(both, mlp, iris):
    first = np.arange(90) < 50
    folds = [[first, ~first], [~first, first]]
    options = {"cv": folds, "scoring": LOSS, "return_train_score": True}
    results = both(mlp(), L2, *iris, **options).cv_results_
    scores = [results[f"split{fold}_test_score"] for fold in range(2)]
    np.testing.assert_allclose(results["mean_test_score"], np.mean(scores, axis=0))
    np.testing.assert_allclose(results["std_test_score"], np.std(scores, axis=0))


@KINDS
def test_folds_by_groups_need_groups(both, mlp, iris, kinds):
    groups = np.arange(90) % 3
    for cv in (
        LeaveOneGroupOut(),
        LeavePGroupsOut(2),
        GroupShuffleSplit(random_state=0),
    ):
        with pytest.raises(ValueError, match="'groups' parameter should not be None"):
            kinds[0](mlp(), L2, cv=cv).fit(*iris)
    both(mlp(), L2, *iris, {"groups": groups}, kinds=kinds, cv=LeaveOneGroupOut())


@KINDS
def test_there_must_be_folds_and_rows(mlp, iris, kinds):
    folds = KFold(2).split(iris[0])
    assert len(list(folds)) == 2  # and nothing is left of it
    with pytest.raises(ValueError, match="No fits were performed"):
        kinds[0](mlp(), L2, cv=folds).fit(*iris)
    with pytest.raises(ValueError, match="sample"):
        kinds[0](mlp(), L2).fit(np.empty((0, 3)), [])


def test_steps_may_fill_in_missing_values(both, mlp, iris):
    X, y = iris
    frame = pd.DataFrame(np.where(X > 1, np.nan, X), columns=list("abcd"))
    frame["e"] = np.where(np.arange(90) % 2, "odd", "even")
    columns = make_column_transformer(
        (OneHotEncoder(), ["e"]), remainder=SimpleImputer()
    )
    encoders = {"columntransformer__onehotencoder": [OneHotEncoder(), OrdinalEncoder()]}
    both(make_pipeline(columns, mlp()), STEPS_L2 | encoders, frame, y, scoring=LOSS)


class Centred:
    """A transformer that has no base class."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def get_params(self, deep=True):
        return {"factor": self.factor}

    def set_params(self, **params):
        self.factor = params.get("factor", self.factor)
        return self

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) * self.factor


def test_steps_need_no_base_class(both, mlp, iris):
    grid = STEPS_L2 | {"centred__factor": [0.1, 1.0]}
    search = both(make_pipeline(Centred(), mlp()), grid, *iris, error_score="raise")
    assert search.best_params_.keys() == grid.keys()


# Sample weights and other arguments of `fit`.


def test_there_is_a_weight_for_every_row(mlp, iris):
    search = BatchedGridSearchCV(mlp(), L2, error_score="raise")
    with pytest.raises(ValueError, match="one weight per row"):
        search.fit(*iris, sample_weight=np.ones(7))


def training_loss(estimator, X, y, sample_weight=None):
    return -estimator.history_["data_loss"][-1]


def test_weighted_rows_are_repeated_rows(mlp, iris):
    X, y = iris
    weight = np.random.default_rng(0).integers(0, 4, 90)
    network = mlp(batch_size=1000, shuffle=False)

    def fit(rows, sample_weight):
        folds = LeaveOneGroupOut().split(X[rows], groups=rows % 3)
        search = BatchedGridSearchCV(network, L2, scoring=training_loss, cv=list(folds))
        return search.fit(X[rows], y[rows], sample_weight=sample_weight)

    weighted, repeated = (
        fit(np.arange(90), weight),
        fit(np.repeat(range(90), weight), None),
    )
    for name in ("mean_test_score", "split2_test_score"):
        np.testing.assert_allclose(
            weighted.cv_results_[name], repeated.cv_results_[name], rtol=1e-6
        )
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6
    )


@KINDS
def test_scorers_that_take_no_weights_are_warned_of(mlp, iris, kinds):
    def constant(y, predicted):
        return 0.5

    options = {"scoring": make_scorer(constant), "cv": 2}
    ours, theirs = (
        messages(kind(mlp(), L2, **options), *iris, sample_weight=np.ones(90))
        for kind in kinds
    )
    assert [m.split("fitting")[0] for m in ours] == [
        m.split("fitting")[0] for m in theirs
    ]


def test_metadata_reaches_the_scorer_that_asks_for_it(mlp, iris):
    X, y = iris
    seen = []

    def rows(y, predicted, sample_weight, numbers):
        seen.append((sample_weight, numbers))
        return 0.0

    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(rows).set_score_request(
            sample_weight="weights", numbers=True
        )
        scoring = {"rows": scorer, "accuracy": "accuracy"}
        search = BatchedGridSearchCV(mlp(), L2, scoring=scoring, refit="accuracy", cv=2)
        search.fit(X, y, weights=np.arange(90) / 90, numbers=np.arange(90))
    assert len(seen) == 4
    for weights, numbers in seen:
        assert len(numbers) == 45
        np.testing.assert_array_equal(weights, numbers / 90)


@KINDS
def test_scoring_takes_no_metadata_without_routing(mlp, iris, kinds):
    search = kinds[0](mlp(), L2, cv=2).fit(*iris)
    with pytest.raises(ValueError, match="is only supported if"):
        search.score(*iris, sample_weight=np.ones(90))


# Scores, and fits that fail.


class SometimesNaN:
    """A scorer that gives no number on every fifth call."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        return np.nan if self.n_calls % 5 == 0 else 1.0


def of_small_strengths(estimator, X, y):
    if estimator.l2 > 0.05:
        raise ValueError("too strong")
    return 1.0


@KINDS
@pytest.mark.parametrize("make_scorer", [SometimesNaN, lambda: of_small_strengths])
def test_scores_that_are_no_numbers_are_last(
    mlp, iris, kinds, make_scorer, assert_same_results
):
    grid = {"l2": [0.2, 0.0, 0.1, 0.01]}
    ours, theirs = (
        kind(mlp(), grid, scoring=make_scorer(), cv=2, refit=False) for kind in kinds
    )
    warned = messages(ours, *iris)
    assert any("of the test scores are non-finite" in message for message in warned)
    assert sorted(warned) == sorted(messages(theirs, *iris))
    assert_same_results(ours, theirs)
    ranks = ours.cv_results_["rank_test_score"]
    without = np.isnan(ours.cv_results_["mean_test_score"])
    assert ranks[~without].max() < ranks[without].min()
    assert without.any()


def accuracy_alone(estimator, X, y):
    return {"accuracy": estimator.score(X, y)}


def test_each_of_several_scores_of_a_fit_that_fails_is_the_error_score(mlp, iris):
    options = {"scoring": accuracy_alone, "refit": False, "error_score": -0.1, "cv": 2}
    search = BatchedGridSearchCV(mlp(), {"l2": [-1.0, 0.1]}, **options)
    with pytest.warns(FitFailedWarning, match="will be set to -0.1"):
        search.fit(*iris)
    assert search.cv_results_["mean_test_accuracy"][0] == -0.1
    assert search.cv_results_["mean_test_accuracy"][1] > 0
    # Nothing was scored.
    assert search.cv_results_["mean_score_time"][0] == 0.0
    search.set_params(param_grid={"l2": [-1.0, -2.0]})
    with pytest.raises(ValueError, match=r"(?s)All the 4 fits failed.*must be >= 0"):
        search.fit(*iris)


@KINDS
def test_a_function_may_choose_the_best(both, mlp, iris, kinds):
    search = both(mlp(), L2, *iris, kinds=kinds, refit=lambda results: 0)
    assert search.best_params_["l2"] == 0.0


@pytest.mark.parametrize(
    ("chosen", "error", "match"),
    [
        (None, TypeError, "best_index_ returned is not an integer"),
        (-1, IndexError, "best_index_ index out of range"),
        (2, IndexError, "best_index_ index out of range"),
    ],
)
def test_what_a_function_chooses_must_be_a_candidate(mlp, iris, chosen, error, match):
    search = BatchedGridSearchCV(mlp(), L2, cv=2, refit=lambda results: chosen)
    with pytest.raises(error, match=match):
        search.fit(*iris)


# What a search has, and shows.


@KINDS
def test_what_comes_of_a_refit_is_missing_without(mlp, iris, kinds):
    search = kinds[0](mlp(), L2, cv=2, refit=False)
    for _ in ("not fitted", "fitted"):
        for name in ("classes_", "n_features_in_", "best_estimator_"):
            assert not hasattr(search, name)
        search.fit(*iris)
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    for name in ("predict", "predict_proba", "decision_function", "transform"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'") as raised:
            getattr(search, name)(iris[0])
        assert f"`refit=False`. {name} is available" in str(raised.value.__cause__)


@KINDS
def test_what_the_network_does_not_have_a_search_does_not(mlr, diabetes, kinds):
    search = kinds[0](mlr(), L2, cv=2).fit(*diabetes)
    assert search.n_features_in_ == 10
    assert type(search.refit_time_) is float
    for name in ("classes_", "predict_proba", "decision_function"):
        assert not hasattr(search, name)
    with pytest.raises(AttributeError, match="'score_samples'") as raised:
        search.score_samples(diabetes[0])
    assert "'RegularizedMLPRegressor' object has no" in str(raised.value.__cause__)


@pytest.mark.parametrize("return_train_score", [False, True])
def test_a_verbose_search_prints_the_scores(mlp, iris, capsys, return_train_score):
    def printed(kind, verbose):
        options = {"verbose": verbose, "return_train_score": return_train_score}
        kind(mlp(), L2, cv=2, **options).fit(*iris)
        lines = capsys.readouterr().out
        return re.sub(r"\.{2,}|total time=.*", "", lines)

    ours = printed(BatchedGridSearchCV, 4)
    assert ours == printed(GridSearchCV, 3)
    score = r"\(train=[\d.]+, test=[\d.]+\)" if return_train_score else r"[\d.]+"
    assert len(re.findall(f"score={score}", ours)) == 4


def test_a_diagram_shows_the_best_estimator(mlp, iris):
    pipeline = make_pipeline(StandardScaler(), mlp())
    grid = {"standardscaler": [Centred()]}
    search = BatchedGridSearchCV(pipeline, grid, cv=2)
    assert "<div>StandardScaler</div>" in search._repr_html_()
    diagram = search.fit(*iris)._repr_html_()
    assert "<div>StandardScaler</div>" not in diagram
    assert "Centred" in diagram


# Searches and networks in scikit-learn's functions.


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_a_search_in_cross_validation(mlp, iris, method):
    ours, theirs = (
        cross_val_predict(kind(mlp(), L2, cv=2), *iris, cv=3, method=method)
        for kind in GRIDS
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_what_is_learned_is_lost_where_targets_are_permuted(mlp, iris):
    options = {"cv": 2, "n_permutations": 4, "random_state": 0}
    network = mlp(epochs=20, learning_rate=0.03)
    score, permuted, p_value = permutation_test_score(network, *iris, **options)
    assert score > 0.8 > permuted.max()
    assert p_value == 1 / 5
