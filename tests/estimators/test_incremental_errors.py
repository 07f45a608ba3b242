"""What resumed training refuses, leaving the estimator unchanged."""

import copy
import pickle

import numpy as np
import pytest
from problems import assert_same

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3
LABELS = np.eye(3, dtype=int)[Y]
NUMBERS = np.column_stack([X[:, 0], X[:, 0] - X[:, 1]])
INFINITE = np.where(X > 2, np.inf, X)
TWO = Y != 2  # the rows of two classes

SHAPES = "hidden_layer_sizes and the number of outputs must be what they were"
CHANGED = "classes must be what they were on the first call to partial_fit"
FIT_CHANGED = "warm_start can only be used where y has the same classes as in"
FEATURES = "X has 3 features, but RegularizedMLP.* is expecting 4"
ONE_CLASS = "y must have one class per row, as before, got several labels per row"
SEVERAL = "y must have several labels per row, as before, got one class per row"
COLUMNS = r"y must have a column for each of 3 labels, got shape \(60, 2\)"
UNKNOWN = r"y must have no other classes.*also array\(\[7\]"
OTHER_IN_VAL = "y_val must have no other classes"
NO_WEIGHT = "sample_weight must not be zero for all rows"
BALANCED = "class_weight='balanced' is not supported by partial_fit"
STOPPING = "early_stopping=True is not supported by partial_fit"


def assert_refused(est, match, call):
    before = pickle.dumps(est)
    with pytest.raises(ValueError, match=match):
        call(est)
    assert pickle.dumps(est) == before


@pytest.mark.parametrize(
    ("y", "classes", "match"),
    [
        (Y, None, "classes must be passed on the first call to partial_fit"),
        (Y, [1, 1], "classes must have at least two classes, got one class"),
        (Y, [0, 1], r"y must have no other classes.*got also array\(\[2\]"),
        (LABELS, ["a", "b", "c"], "classes must be the numbers of the labels"),
    ],
)
def test_first_calls_that_are_refused(mlp, y, classes, match):
    est = mlp()
    assert_refused(est, match, lambda est: est.partial_fit(X, y, classes=classes))
    assert vars(est).keys() == est.get_params().keys()


@pytest.mark.parametrize(
    ("make", "params", "reason"),
    [
        ("mlp", {"early_stopping": True}, STOPPING),
        ("mlp", {"class_weight": "balanced"}, BALANCED),
        ("mlr", {"early_stopping": True}, STOPPING),
    ],
)
def test_partial_fit_is_absent_where_it_is_not_supported(request, make, params, reason):
    make = request.getfixturevalue(make)
    for est in (make(), make().fit(X, Y)):
        assert hasattr(est, "partial_fit")
        est.set_params(**params)
        assert not hasattr(est, "partial_fit")
        before = pickle.dumps(est)
        for call in (
            lambda est: est.partial_fit(X, Y),
            lambda est: type(est).partial_fit(est, X, Y),
        ):
            with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as e:
                call(est)
            assert reason in str(e.value.__cause__)
        assert pickle.dumps(est) == before


# The targets of the first fit, parameters that are changed then, a call, its error.
LATER_CALLS = [
    (Y, {}, lambda est: est.partial_fit(X, Y, classes=[0, 1, 5]), CHANGED),
    (Y, {}, lambda est: est.partial_fit(X, Y, classes=[0, 1]), CHANGED),
    (Y, {}, lambda est: est.partial_fit(X, Y + 5 * (Y == 2)), UNKNOWN),
    (Y, {}, lambda est: est.partial_fit(X[:, :3], Y), FEATURES),
    (Y, {}, lambda est: est.partial_fit(X, LABELS), ONE_CLASS),
    (Y, {}, lambda est: est.partial_fit(INFINITE, Y), "Input X contains infinity"),
    (Y, {}, lambda est: est.partial_fit(X, Y, sample_weight=0 * Y), NO_WEIGHT),
    (Y, {"hidden_layer_sizes": 9}, lambda est: est.partial_fit(X, Y), SHAPES),
    (Y, {"hidden_layer_sizes": (8, 8)}, lambda est: est.partial_fit(X, Y), SHAPES),
    (Y, {"epochs": 0}, lambda est: est.partial_fit(X, Y), "epochs == 0, must be >= 1"),
    (Y, {}, lambda est: est.fit(X[TWO], Y[TWO]), FIT_CHANGED),
    (Y, {}, lambda est: est.fit(X, Y + 1), FIT_CHANGED),
    (Y, {}, lambda est: est.fit(X, LABELS), ONE_CLASS),
    (Y, {}, lambda est: est.fit(X[:, :3], Y), FEATURES),
    (Y, {}, lambda est: est.fit(X, Y, X_val=X, y_val=Y + 1), OTHER_IN_VAL),
    (Y, {"hidden_layer_sizes": ()}, lambda est: est.fit(X, Y), SHAPES),
    (LABELS, {}, lambda est: est.partial_fit(X, Y), SEVERAL),
    (LABELS, {}, lambda est: est.fit(X, Y), SEVERAL),
    (LABELS, {}, lambda est: est.partial_fit(X, LABELS[:, :2]), COLUMNS),
    (LABELS, {}, lambda est: est.fit(X, LABELS[:, :2]), FIT_CHANGED),
]


@pytest.mark.parametrize(("first", "params", "call", "match"), LATER_CALLS)
def test_later_calls_that_are_refused(mlp, first, params, call, match):
    est = mlp(warm_start=True).fit(X, first).set_params(**params)
    assert_refused(est, match, call)


NUMBER = NUMBERS[:, 0]
NOW_POISSON = "loss must not change to or from 'poisson' .* got 'poisson'"
NOW_HUBER = "loss must not change to or from 'poisson' .* got 'huber'"


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("first", "params", "X_then", "y_then", "match"),
    [
        (NUMBER, {"hidden_layer_sizes": 9}, X, NUMBER, SHAPES),
        (NUMBER, {}, X, NUMBERS, r"y must have 1 output\(s\), as before, got 2"),
        (NUMBERS, {}, X, NUMBER, r"y must have 2 output\(s\), as before, got 1"),
        (NUMBERS, {}, X[:, :3], NUMBERS, FEATURES),
        (Y, {"loss": "poisson"}, X, Y, NOW_POISSON),
    ],
)
def test_later_calls_of_a_regressor_that_are_refused(
    mlr, method, first, params, X_then, y_then, match
):
    est = mlr(loss="huber", warm_start=True).fit(X, first).set_params(**params)
    assert_refused(est, match, lambda est: getattr(est, method)(X_then, y_then))


def test_a_poisson_regressor_keeps_its_loss(mlr):
    est = mlr(loss="poisson", warm_start=True).fit(X, Y).set_params(loss="huber")
    for call in (lambda est: est.fit(X, Y), lambda est: est.partial_fit(X, Y)):
        assert_refused(est, NOW_HUBER, call)


def test_training_that_diverges_leaves_the_estimator_unchanged(problem):
    est = problem.partial(problem.make(optimizer="sgd", dropout=0.3))
    original = copy.deepcopy(est)
    est.set_params(learning_rate=1e300, warm_start=True)
    for call in (problem.partial, problem.fit):
        assert_refused(est, "The network's weights became non-finite", call)
    est.set_params(learning_rate=None)
    assert_same(problem.partial(est), problem.partial(original), atol=0)


@pytest.mark.parametrize(
    ("rows", "targets"),
    [(X[TWO], Y[TWO]), (X, Y + 1), (X, LABELS), (X[:, :3], Y)],
    ids=["fewer classes", "other classes", "labels", "fewer columns"],
)
def test_without_warm_start_fit_takes_what_resuming_refuses(mlp, rows, targets):
    est = mlp().partial_fit(X, Y, classes=[0, 1, 2]).set_params(hidden_layer_sizes=3)
    fresh = mlp(3).fit(rows, targets)
    assert_same(est.fit(rows, targets), fresh, atol=0)
    np.testing.assert_array_equal(est.classes_, fresh.classes_)
