"""What resumed training refuses, leaving the estimator unchanged."""

import copy
import pickle
import re

import numpy as np
import pytest
from problems import assert_same


def assert_refused(est, match, call):
    before = pickle.dumps(est)
    with pytest.raises(ValueError, match=match):
        call(est)
    assert pickle.dumps(est) == before


SHAPES = "hidden_layer_sizes and the number of outputs must be what they were"
CHANGED = "classes must be what they were on the first call to partial_fit"
FIT_CHANGED = "warm_start can only be used where y has the same classes as in"
FEATURES = "X has 3 features, but RegularizedMLPClassifier is expecting 4"
KINDS = "y must have one class per row, as before, got several labels per row"
BALANCED = "class_weight='balanced' is not supported by partial_fit"
STOPPING = "early_stopping=True is not supported by partial_fit"


@pytest.mark.parametrize(
    ("classes", "match"),
    [
        (None, "classes must be passed on the first call to partial_fit"),
        ([1, 1], "classes must have at least two classes, got one class"),
        ([0, 1], r"y must hold classes of y only.*got also array\(\[2\]"),
    ],
)
def test_first_calls_that_are_refused(mlp, iris, classes, match):
    est = mlp()
    assert_refused(est, match, lambda est: est.partial_fit(*iris, classes=classes))
    assert vars(est).keys() == est.get_params().keys()


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"early_stopping": True}, STOPPING),
        ({"class_weight": "balanced"}, BALANCED),
    ],
)
def test_what_partial_fit_cannot_do_it_is_not_there_for(mlp, iris, params, reason):
    for est in (mlp(), mlp().partial_fit(*iris, classes=[0, 1, 2])):
        est.set_params(**params)
        assert not hasattr(est, "partial_fit")
        before = pickle.dumps(est)
        for call in (
            lambda est: est.partial_fit(*iris, classes=[0, 1, 2]),
            lambda est: type(est).partial_fit(est, *iris, classes=[0, 1, 2]),
        ):
            with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as e:
                call(est)
            assert reason in str(e.value.__cause__)
        assert pickle.dumps(est) == before


def test_a_regressor_that_stops_early_has_no_partial_fit(mlr, diabetes):
    est = mlr(early_stopping=True)
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as error:
        est.partial_fit(*diabetes)
    assert STOPPING in str(error.value.__cause__)
    assert hasattr(mlr(), "partial_fit")


@pytest.fixture(scope="module")
def resuming_calls(mlp, iris):
    """Calls that an estimator trained on iris may refuse."""
    X, y = iris
    labels = np.column_stack([y == 0, y == 1, y == 2]).astype(int)
    infinite = X.copy()
    infinite[3, 1] = np.inf
    return {
        "other classes": lambda est: est.partial_fit(X, y, classes=[0, 1, 5]),
        "fewer classes": lambda est: est.partial_fit(X, y, classes=[0, 1]),
        "unknown label": lambda est: est.partial_fit(X, np.where(y == 2, 7, y)),
        "features": lambda est: est.partial_fit(X[:, :3], y),
        "labels": lambda est: est.partial_fit(X, labels),
        "no number": lambda est: est.partial_fit(infinite, y),
        "weights": lambda est: est.partial_fit(X, y, sample_weight=np.zeros(len(y))),
        "partial_fit": lambda est: est.partial_fit(X, y),
        "fit": lambda est: est.fit(X, y),
        "fit fewer classes": lambda est: est.fit(X[y != 2], y[y != 2]),
        "fit other classes": lambda est: est.fit(X, y + 1),
        "fit labels": lambda est: est.fit(X, labels),
        "fit features": lambda est: est.fit(X[:, :3], y),
        "fit X_val": lambda est: est.fit(X, y, X_val=X, y_val=y + 1),
    }


@pytest.mark.parametrize(
    ("params", "call", "match"),
    [
        ({}, "other classes", CHANGED),
        ({}, "fewer classes", CHANGED),
        ({}, "unknown label", r"y must hold classes of y only.*also array\(\[7\]"),
        ({}, "features", FEATURES),
        ({}, "labels", KINDS),
        ({}, "no number", "Input X contains infinity"),
        ({}, "weights", "sample_weight must not be zero for all rows"),
        ({"hidden_layer_sizes": (9,)}, "partial_fit", SHAPES),
        ({"hidden_layer_sizes": (8, 8)}, "partial_fit", SHAPES),
        ({"epochs": 0}, "partial_fit", "epochs == 0, must be >= 1"),
        ({}, "fit fewer classes", FIT_CHANGED),
        ({}, "fit other classes", FIT_CHANGED),
        ({}, "fit labels", KINDS),
        ({}, "fit features", FEATURES),
        ({}, "fit X_val", "y_val must hold classes of y only"),
        ({"hidden_layer_sizes": ()}, "fit", SHAPES),
    ],
)
def test_later_calls_that_are_refused(mlp, iris, resuming_calls, params, call, match):
    est = mlp(warm_start=True).fit(*iris)
    est.set_params(**params)
    assert_refused(est, match, resuming_calls[call])


def test_training_that_diverges_leaves_the_estimator_unchanged(problem):
    est = problem.partial(problem.make(optimizer="sgd", dropout=0.3))
    original = copy.deepcopy(est)
    est.set_params(learning_rate=1e300, warm_start=True)
    for call in (problem.partial, problem.fit):
        assert_refused(est, "The network's weights became non-finite", call)
    est.set_params(learning_rate=None)
    assert_same(problem.partial(est), problem.partial(original), atol=0)


def test_a_multilabel_network_stays_multilabel(mlp, iris):
    X, y = iris
    labels = np.column_stack([y == 0, y != 1, X[:, 0] > 0]).astype(int)
    est = mlp(warm_start=True).fit(X, labels)
    kinds = "y must have several labels per row, as before, got one class per row"
    assert_refused(est, kinds, lambda est: est.partial_fit(X, y))
    assert_refused(est, kinds, lambda est: est.fit(X, y))
    columns = r"y must have a column for each of 3 labels, got shape \(90, 2\)"
    assert_refused(est, columns, lambda est: est.partial_fit(X, labels[:, :2]))
    assert_refused(est, FIT_CHANGED, lambda est: est.fit(X, labels[:, :2]))


def test_a_regressor_refuses_another_shape(regressor):
    est = regressor.partial(regressor.make(warm_start=True))
    est.set_params(hidden_layer_sizes=(9,))
    for call in (regressor.partial, regressor.fit):
        assert_refused(est, SHAPES, call)


def test_the_number_of_outputs_stays(regressor):
    X, y = regressor.X, regressor.y
    two = np.column_stack([y, -y])
    est = regressor.partial(regressor.make(warm_start=True))
    match = re.escape("y must have 1 output(s), as before, got 2")
    assert_refused(est, match, lambda est: est.partial_fit(X, two))
    assert_refused(est, match, lambda est: est.fit(X, two))
    est = regressor.make().fit(X, two)
    match = re.escape("y must have 2 output(s), as before, got 1")
    assert_refused(est, match, lambda est: est.partial_fit(X, y))
    features = "X has 9 features, but RegularizedMLPRegressor is expecting 10"
    assert_refused(est, features, lambda est: est.partial_fit(X[:, 1:], two))


def test_without_warm_start_fit_takes_what_resuming_refuses(mlp, iris, resuming_calls):
    for call in (
        "fit fewer classes",
        "fit other classes",
        "fit labels",
        "fit features",
    ):
        resuming_calls[call](mlp().partial_fit(*iris, classes=[0, 1, 2]))
    est = mlp().fit(*iris).set_params(hidden_layer_sizes=(3,))
    resuming_calls["fit"](est)
    assert est.coefs_[0].shape == (4, 3)


def test_multilabel_classes_are_numbers(mlp, iris):
    X, y = iris
    labels = np.column_stack([y == 0, y == 1]).astype(int)
    match = "classes must be the numbers of the labels"
    call = lambda est: est.partial_fit(X, labels, classes=["a", "b"])  # noqa: E731
    assert_refused(mlp(), match, call)
    mlp().partial_fit(X, labels, classes=[0, 1])


@pytest.mark.parametrize(
    ("first", "then"), [("poisson", "huber"), ("huber", "poisson")]
)
def test_a_loss_with_another_output_is_refused(mlr, diabetes, first, then):
    est = mlr(loss=first, warm_start=True).fit(*diabetes).set_params(loss=then)
    match = f"loss must not change to or from 'poisson' .* got '{then}'"
    assert_refused(est, match, lambda est: est.fit(*diabetes))
    assert_refused(est, match, lambda est: est.partial_fit(*diabetes))
