"""The batched searches as estimators: conformance, errors, failed fits, progress."""

import inspect
import io
import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    RegularizedMLPClassifier,
)
from skreg._xla import engine

STRENGTHS = {"l2": [0.0, 1e-2], "dropout": [0.0, 0.4]}
TWINS = [
    (BatchedGridSearchCV, GridSearchCV),
    (BatchedRandomizedSearchCV, RandomizedSearchCV),
]


def searches():
    # Seeded, as the checks seed a search, but not the estimator inside.
    mlp = RegularizedMLPClassifier((20,), epochs=12, learning_rate=0.1, random_state=0)
    options = {
        "cv": ShuffleSplit(1, test_size=0.5, random_state=0),
        "error_score": "raise",
    }
    l2 = [1e-4, 1e-3]
    in_pipeline = {"regularizedmlpclassifier__l2": l2}
    return [
        BatchedGridSearchCV(mlp, {"l2": l2}, **options),
        BatchedRandomizedSearchCV(
            make_pipeline(StandardScaler(), mlp), in_pipeline, n_iter=2, **options
        ),
    ]


# scikit-learn's check of infinite targets warns, in any search.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@parametrize_with_checks(searches())
def test_search_conforms(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_the_parameters_are_those_of_scikit_learn_and_two_more(ours, theirs):
    def parameters(search):
        untyped = inspect.Parameter.empty
        values = inspect.signature(search).parameters.values()
        return [str(parameter.replace(annotation=untyped)) for parameter in values]

    assert parameters(ours)[:-2] == parameters(theirs)
    assert parameters(ours)[-2:] == ["group_size=None", "ensemble_size=None"]


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_the_fitted_attributes_are_those_of_scikit_learn(mlp, cancer, ours, theirs):
    def fitted(search):
        options = {} if ours is BatchedGridSearchCV else {"n_iter": 2}
        search = search(mlp(), STRENGTHS, cv=2, **options).fit(*cancer)
        names = {n for n in vars(search) if n.endswith("_")}
        return names | {n for n in dir(search) if not n.startswith("_")}

    own = {"group_size", "ensemble_size", "n_used_features_"}
    assert fitted(ours) - fitted(theirs) == own
    assert fitted(theirs) <= fitted(ours)


@pytest.mark.parametrize(("search", "_"), TWINS)
def test_parameters_and_attributes_are_documented(mlp, cancer, search, _):
    doc = inspect.getdoc(search)
    before, after = doc.split("\nAttributes\n")
    for name in inspect.signature(search).parameters:
        assert f"\n{name} : " in before
    options = {} if search is BatchedGridSearchCV else {"n_iter": 1}
    fitted = search(mlp(), STRENGTHS, cv=2, **options).fit(*cancer)
    for name in vars(fitted):
        if name.endswith("_"):
            assert f"\n{name} : " in after


def test_a_search_can_be_pickled(mlp, cancer):
    X, y = cancer
    search = BatchedGridSearchCV(mlp(), STRENGTHS).fit(X, y)
    restored = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(restored.predict_proba(X), search.predict_proba(X))
    assert restored.best_params_ == search.best_params_
    assert clone(search).get_params().keys() == search.get_params().keys()


def test_a_search_is_an_estimator_in_a_search(mlp, cancer):
    inner = BatchedGridSearchCV(mlp(), {"l2": [0.0, 0.1]}, cv=2)
    outer = GridSearchCV(inner, {"estimator__dropout": [0.0, 0.3]}, cv=2)
    assert outer.fit(*cancer).best_estimator_.best_params_.keys() == {"l2"}


def test_with_xla_results_are_those_of_scikit_learns_search(
    mlp, cancer, use_xla, assert_same_results
):
    """And it is compiled for the refit, which is like a fit, ahead of it."""
    use_xla()
    X, y = cancer
    est = mlp(batch_size=8, epochs=60, early_stopping=True, n_iter_no_change=30)
    options = {"scoring": "neg_log_loss", "cv": 3}
    ours, theirs = (
        search(est, STRENGTHS, **options).fit(X, y)
        for search in (BatchedGridSearchCV, GridSearchCV)
    )
    assert_same_results(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_a_search_does_not_advance_the_generator_of_numpy(mlp, cancer):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    BatchedGridSearchCV(mlp(), STRENGTHS, n_jobs=2).fit(*cancer)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_fit_times_are_shares_of_the_time_of_a_group(mlp, cancer):
    search = BatchedGridSearchCV(mlp(), STRENGTHS, cv=2, n_jobs=1, refit=False)
    search.fit(*cancer)
    times = search.cv_results_["mean_fit_time"]
    assert (times > 0).all()
    assert (times == times[0]).all()  # of one group
    assert (search.cv_results_["std_fit_time"] == 0).all()


# Candidates that fail: scikit-learn warns of the fits, and of the scores once more.
NO_SCORE = pytest.mark.filterwarnings(
    "ignore:One or more of the test scores are non-finite:UserWarning"
)


@pytest.fixture
def diverging(mlp):
    """A search over learning rates, the second of which may be too much."""

    def make(second, **options):
        rates = {"learning_rate": [0.01, second, 0.02]}
        options = {"scoring": "neg_log_loss", "cv": 3, **options}
        return BatchedGridSearchCV(mlp(optimizer="sgd", epochs=4), rates, **options)

    return make


def split_scores(search):
    names = [f"split{fold}_test_score" for fold in range(3)]
    return np.array([search.cv_results_[name] for name in names])


@NO_SCORE
@pytest.mark.parametrize("error_score", [np.nan, -7.0])
def test_a_diverging_candidate_is_named_and_does_not_affect_the_others(
    diverging, cancer, error_score
):
    message = r"became non-finite(.|\n)*Candidate: \{'learning_rate': 1e\+200\}"
    with pytest.warns(FitFailedWarning, match=message):
        search = diverging(1e200, error_score=error_score).fit(*cancer)
    harmless = diverging(0.015).fit(*cancer)
    np.testing.assert_array_equal(split_scores(search)[:, 1], error_score)
    np.testing.assert_array_equal(
        split_scores(search)[:, [0, 2]], split_scores(harmless)[:, [0, 2]]
    )
    assert search.best_params_ == {"learning_rate": 0.02}


def test_error_score_raise_raises_the_error_of_a_fit(diverging, cancer):
    search = diverging(1e200, error_score="raise")
    with pytest.raises(ValueError, match="became non-finite") as raised:
        search.fit(*cancer)
    assert "Candidate: {'learning_rate': 1e+200}" in raised.value.__notes__
    assert not hasattr(search, "cv_results_")


@NO_SCORE
def test_a_value_out_of_bounds_fails_its_candidate_alone(mlp, cancer):
    grid = [{"dropout": [0.1, 1.5]}, {"engine": ["keras"], "l1": [-1.0]}]
    with pytest.warns(FitFailedWarning, match=r"dropout(.|\n)*l1") as caught:
        search = BatchedGridSearchCV(mlp(), grid, cv=2).fit(*cancer)
    assert "4 fits failed out of a total of 6" in str(caught[0].message)
    np.testing.assert_array_equal(
        np.isnan(search.cv_results_["mean_test_score"]), [False, True, True]
    )


@NO_SCORE
def test_a_step_that_fails_fails_its_candidates(mlp, cancer):
    pipeline = make_pipeline(StandardScaler(), mlp())
    grid = {"standardscaler__with_mean": [True, "perhaps"]}
    with pytest.warns(FitFailedWarning, match="with_mean"):
        search = BatchedGridSearchCV(pipeline, grid, cv=2).fit(*cancer)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_a_search_whose_fits_all_fail_raises_an_error(mlp, cancer):
    search = BatchedGridSearchCV(mlp(), {"l2": [-1.0, -2.0]}, cv=2)
    with pytest.raises(ValueError, match=r"All the 4 fits failed(.|\n)*l2"):
        search.fit(*cancer)


# Bad arguments.


@pytest.fixture
def untrained(monkeypatch):
    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(engine, "train", train)


def as_ours(error):
    """The message of scikit-learn's search, as it would be of ours."""
    return str(error.value).replace("of GridSearchCV", "of BatchedGridSearchCV")


@pytest.mark.parametrize(
    "grid",
    [
        {"l3": [0.0, 0.1]},
        {"l2": []},
        {"l2": "0.1"},
        {"l2": 0.1},
        {"l2": np.zeros((2, 2))},
        {1: [2]},
        [{"l2": [0.1]}, 3],
        7,
    ],
    ids=str,
)
def test_a_bad_grid_gets_the_error_of_scikit_learn(mlp, cancer, untrained, grid):
    with pytest.raises((TypeError, ValueError, AttributeError)) as expected:
        GridSearchCV(mlp(), grid).fit(*cancer)
    search = BatchedGridSearchCV(mlp(), grid)
    with pytest.raises(expected.type) as got:
        search.fit(*cancer)
    assert str(got.value) == as_ours(expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scoring": "beauty"},
        {"cv": 1},
        {"cv": "three"},
        {"refit": "auc", "scoring": ["roc_auc"]},
        {"scoring": ["roc_auc", "accuracy"]},
        {"error_score": "ignore"},
        {"verbose": -1},
        {"return_train_score": "yes"},
        {"n_jobs": "all"},
    ],
    ids=str,
)
def test_a_bad_option_gets_the_error_of_scikit_learn(mlp, cancer, untrained, wrong):
    with pytest.raises((TypeError, ValueError)) as expected:
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, **wrong).fit(*cancer)
    search = BatchedGridSearchCV(mlp(), {"l2": [0.1]}, **wrong)
    with pytest.raises((TypeError, ValueError)) as got:
        search.fit(*cancer)
    assert str(got.value) == as_ours(expected)


@pytest.mark.parametrize(
    ("group_size", "error"), [(0, ValueError), (2.5, TypeError), ("all", TypeError)]
)
def test_bad_group_sizes_are_refused(mlp, cancer, untrained, group_size, error):
    search = BatchedGridSearchCV(mlp(), STRENGTHS, group_size=group_size)
    with pytest.raises(error, match="group_size"):
        search.fit(*cancer)


def test_rows_and_targets_of_unequal_number_are_refused(mlp, cancer):
    X, y = cancer
    search = BatchedGridSearchCV(mlp(), STRENGTHS)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search.fit(X, y[:-1])


def test_a_failing_fit_leaves_the_search_as_it_was(mlp, cancer):
    X, y = cancer
    search = BatchedGridSearchCV(mlp(), STRENGTHS).fit(X, y)
    before = vars(search).copy()
    with pytest.raises(ValueError, match="non-negative"):
        search.set_params(error_score="raise").fit(X, y, sample_weight=-np.ones(120))
    assert vars(search) == {**before, "error_score": "raise"}


def test_an_unknown_argument_of_fit_is_refused(mlp, cancer):
    search = BatchedGridSearchCV(mlp(), STRENGTHS)
    with pytest.raises(ValueError, match="unexpected keyword argument 'sample_wait'"):
        search.fit(*cancer, sample_wait=np.ones(120))


# Progress.


class Terminal(io.StringIO):
    def isatty(self):
        return True


@NO_SCORE
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_terminal_shows_one_progress_bar(mlp, cancer, monkeypatch, n_jobs):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    grid = [STRENGTHS, {"engine": ["keras"]}, {"early_stopping": [True], "l1": [-1]}]
    search = BatchedGridSearchCV(mlp(), grid, cv=2, n_jobs=n_jobs, verbose=1)
    with pytest.warns(FitFailedWarning):
        search.fit(*cancer)
    shown = terminal.getvalue()
    assert "6 candidates x 2 folds" in shown
    assert "100%" in shown


@pytest.mark.usefixtures("fitted")  # TensorFlow writes when it starts
@pytest.mark.parametrize("verbose", [0, 1])
def test_nothing_is_written_to_a_log(mlp, cancer, capfd, verbose):
    BatchedGridSearchCV(mlp(), STRENGTHS, cv=2, verbose=verbose).fit(*cancer)
    assert capfd.readouterr() == ("", "")


def test_verbose_2_prints_what_scikit_learn_prints(mlp, cancer, capsys):
    BatchedGridSearchCV(mlp(), STRENGTHS, cv=2, verbose=2).fit(*cancer)
    assert "Fitting 2 folds for each of 4 candidates" in capsys.readouterr().out


def test_the_refit_is_as_quiet_as_the_estimator(mlp, cancer, capsys):
    scorer = get_scorer("neg_log_loss")
    BatchedGridSearchCV(mlp(verbose=2), STRENGTHS, cv=2, scoring=scorer).fit(*cancer)
    assert capsys.readouterr().out.count("Epoch") == 2
