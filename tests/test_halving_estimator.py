"""The batched halving searches as estimators: conformance, errors, pickles."""

import inspect
import io
import pickle
import sys
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import skreg
from skreg import (
    BatchedHalvingGridSearchCV,
    BatchedHalvingRandomSearchCV,
    RegularizedMLPClassifier,
)
from skreg._xla import engine

GRID = {"l2": [0.0, 1e-2], "dropout": [0.0, 0.4]}
TWINS = [
    (BatchedHalvingGridSearchCV, HalvingGridSearchCV),
    (BatchedHalvingRandomSearchCV, HalvingRandomSearchCV),
]


def searches():
    # Seeded, as the checks seed a search, but not the estimator inside.
    mlp = RegularizedMLPClassifier((20,), epochs=12, learning_rate=0.1, random_state=0)
    cv = ShuffleSplit(1, test_size=0.5, random_state=0)
    options = {"cv": cv, "error_score": "raise", "factor": 2}
    l2 = [1e-4, 1e-3]
    in_pipeline = {"regularizedmlpclassifier__l2": l2}
    return [
        BatchedHalvingGridSearchCV(mlp, {"l2": l2}, **options),
        BatchedHalvingRandomSearchCV(
            make_pipeline(StandardScaler(), mlp),
            in_pipeline,
            n_candidates=2,
            min_resources="exhaust",
            **options,
        ),
    ]


# scikit-learn's check of infinite targets warns, in any search.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@parametrize_with_checks(searches())
def test_search_conforms(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_the_parameters_are_those_of_scikit_learn(ours, theirs):
    def parameters(search):
        values = inspect.signature(search).parameters.values()
        return {parameter.name: parameter.default for parameter in values}

    own = dict.fromkeys(("group_size", "ensemble_size", "time_limit"))
    expected = {**parameters(theirs), "resource": "epochs", **own}
    assert parameters(ours) == expected
    assert list(parameters(ours)) == list(expected)


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_the_fitted_attributes_are_those_of_scikit_learn(mlp, cancer, ours, theirs):
    def fitted(search):
        options = {"cv": 2, "resource": "epochs", "max_resources": 3}
        search = search(mlp(), GRID, random_state=0, **options).fit(*cancer)
        names = {n for n in vars(search) if n.endswith("_")}
        return names | {n for n in dir(search) if not n.startswith("_")}

    own = {"group_size", "ensemble_size", "time_limit", "n_used_features_"}
    assert fitted(ours) - fitted(theirs) == own
    assert fitted(theirs) <= fitted(ours)


def test_no_experimental_import_is_made(in_new_process):
    in_new_process(
        "import sklearn.model_selection, skreg\n"
        "skreg.BatchedHalvingGridSearchCV\n"
        "assert 'HalvingGridSearchCV' not in vars(sklearn.model_selection)\n"
    )
    assert skreg.BatchedHalvingRandomSearchCV.__module__ == "skreg"


class PicklingSearch(BatchedHalvingGridSearchCV):
    """Is pickled while it is fitted, as a tool that logs experiments may do."""

    def _generate_candidate_params(self):
        restored = pickle.loads(pickle.dumps(self))
        assert clone(restored).get_params().keys() == self.get_params().keys()
        return super()._generate_candidate_params()


def test_a_search_can_be_pickled_and_cloned_at_any_time(mlp, cancer):
    X, y = cancer
    search = PicklingSearch(mlp(epochs=4), GRID, cv=2, factor=2).fit(X, y)
    restored = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(restored.predict_proba(X), search.predict_proba(X))
    again = clone(restored).fit(X, y)
    assert again.best_params_ == search.best_params_
    assert again.n_resources_ == search.n_resources_ == [1, 2, 4]


def test_a_search_is_an_estimator_in_a_search(mlp, cancer):
    inner = BatchedHalvingGridSearchCV(mlp(epochs=3), {"l2": [0.0, 0.1, 1.0]}, cv=2)
    outer = GridSearchCV(inner, {"estimator__dropout": [0.0, 0.3]}, cv=2)
    best = outer.fit(*cancer).best_estimator_
    assert best.best_params_.keys() == {"l2", "epochs"}


def test_a_search_does_not_change_its_estimator_or_parameters(mlp, cancer):
    search = BatchedHalvingGridSearchCV(mlp(epochs=4), GRID, cv=2, factor=2)
    before = {name: repr(value) for name, value in search.get_params().items()}
    search.fit(*cancer)
    assert {n: repr(value) for n, value in search.get_params().items()} == before


# Errors.


@pytest.fixture
def untrained(monkeypatch):
    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(engine, "train", train)


def as_ours(error):
    """The message of scikit-learn's search, as it would be of ours."""
    return str(error.value).replace("of Halving", "of BatchedHalving")


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 0},
        {"factor": "three"},
        {"resource": "l3"},
        {"resource": 3},
        {"resource": "l2", "max_resources": 9},
        {"resource": "batch_size", "max_resources": "auto"},
        {"max_resources": 2.5},
        {"max_resources": "all"},
        {"min_resources": 0},
        {"min_resources": "few"},
        {"min_resources": 10},
        {"aggressive_elimination": "yes"},
        {"cv": ShuffleSplit(2)},
        {"cv": KFold(2, shuffle=True)},
        {"scoring": ["accuracy", "roc_auc"]},
        {"random_state": "no"},
        {"error_score": "ignore"},
        {"return_train_score": 3},
    ],
    ids=str,
)
def test_a_bad_option_gets_the_error_of_scikit_learn(mlp, cancer, untrained, wrong):
    theirs = {"resource": "epochs", "max_resources": 2, **wrong}
    with pytest.raises((TypeError, ValueError)) as expected:
        HalvingGridSearchCV(mlp(), GRID, **theirs).fit(*cancer)
    with pytest.raises(expected.type) as got:
        BatchedHalvingGridSearchCV(mlp(), GRID, **wrong).fit(*cancer)
    assert str(got.value) == as_ours(expected)


@pytest.mark.parametrize(
    ("epochs", "error", "match"),
    [
        (0, ValueError, "epochs == 0, must be >= 1"),
        (2.5, TypeError, "epochs must be an instance of int"),
        ("many", TypeError, "epochs must be an instance of int"),
    ],
)
def test_epochs_that_are_no_resource_are_refused(
    mlp, cancer, untrained, epochs, error, match
):
    with pytest.raises(error, match=match):
        BatchedHalvingGridSearchCV(mlp(epochs=epochs), GRID).fit(*cancer)


def test_an_estimator_without_epochs_is_refused(cancer):
    search = BatchedHalvingGridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]})
    with pytest.raises(ValueError, match="resource=epochs which is not supported"):
        search.fit(*cancer)


def test_a_grid_must_not_have_the_resource(mlp, cancer, untrained):
    search = BatchedHalvingGridSearchCV(mlp(), {"epochs": [1, 2]})
    with pytest.raises(ValueError, match="epochs as the resource since it is part of"):
        search.fit(*cancer)


@pytest.mark.parametrize(("group_size", "error"), [(0, ValueError), (2.5, TypeError)])
def test_bad_group_sizes_are_refused(mlp, cancer, untrained, group_size, error):
    search = BatchedHalvingGridSearchCV(mlp(), GRID, group_size=group_size)
    with pytest.raises(error, match="group_size"):
        search.fit(*cancer)


def test_too_many_and_too_few_resources_cannot_both_be_exhausted(mlp, cancer):
    search = BatchedHalvingRandomSearchCV(mlp(), GRID, min_resources="exhaust")
    with pytest.raises(ValueError, match="cannot be both set to 'exhaust'"):
        search.fit(*cancer)


@pytest.fixture
def diverging(mlp):
    """A search in which a candidate diverges in the fourth epoch of many."""

    def make(**options):
        est = mlp(optimizer="sgd", epochs=10**6, batch_size=60)
        rates = {"learning_rate": [0.01, 1e60]}
        return BatchedHalvingGridSearchCV(est, rates, cv=2, factor=2, **options)

    return make


@pytest.mark.parametrize(
    ("engine", "n_jobs", "group_size"),
    [("auto", 1, 4), ("auto", 2, 1), ("keras", 2, 1)],
)
def test_error_score_raise_does_not_wait_for_others(
    diverging, cancer, engine, n_jobs, group_size
):
    # To train the others to the end would take hours.
    before = threading.enumerate()
    search = diverging(error_score="raise", n_jobs=n_jobs, group_size=group_size)
    search.set_params(estimator__engine=engine)
    with pytest.raises(ValueError, match="became non-finite") as raised:
        search.fit(*cancer)
    assert raised.value.__notes__[0].startswith("Candidate: {'learning_rate': 1e+60")
    assert not hasattr(search, "cv_results_")
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon:  # which waits for the others
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_a_candidate_that_fails_is_eliminated(diverging, cancer):
    search = diverging().set_params(max_resources=4)
    with (
        pytest.warns(FitFailedWarning, match="became non-finite"),
        pytest.warns(UserWarning, match="are non-finite"),
    ):
        search.fit(*cancer)
    assert search.best_params_ == {"learning_rate": 0.01, "epochs": 4}


# Progress.


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_per_rung(mlp, cancer, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    search = BatchedHalvingGridSearchCV(mlp(), GRID, cv=2, factor=2, verbose=1)
    search.fit(*cancer)
    for title in ("4 candidates x 2 folds", "2 candidates x 2 folds"):
        assert title in terminal.getvalue()
    assert terminal.getvalue().count("100%") >= 2


def test_verbose_2_prints_what_scikit_learn_prints(mlp, cancer, capsys):
    BatchedHalvingGridSearchCV(mlp(), GRID, cv=2, verbose=2).fit(*cancer)
    assert "n_required_iterations: 2" in capsys.readouterr().out
