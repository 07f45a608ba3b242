"""`class_weight`: which labels may have factors, and what a factor of 0 means."""

import numpy as np
import pytest
from problems import assert_same
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight

NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize(
    ("labels", "class_weight", "unweighted"),
    [
        ([0, 1, 2], {"0": 1, "1": 10}, [0, 1, 2]),
        ([0, 1, 2], {7: 10}, [0, 1, 2]),
        ([0, 1, 2], {0: 1, 1: 2, 9: 5}, [2]),
        (NAMES, {"setosa": 2, "Virginica": 10}, ["versicolor", "virginica"]),
        (NAMES, {0: 2}, NAMES.tolist()),
    ],
)
def test_a_key_that_is_no_label_is_an_error_as_in_scikit_learn(
    mlp, iris, labels, class_weight, unweighted
):
    X, codes = iris
    y = np.array(labels)[codes]
    est = mlp(class_weight=class_weight)
    for fit in (est.fit, lambda X, y: est.partial_fit(X, y, classes=labels)):
        with pytest.raises(ValueError, match="are not in class_weight") as ours:
            fit(X, y)
        with pytest.raises(ValueError, match="are not in class_weight") as theirs:
            compute_class_weight(class_weight, classes=np.unique(y), y=y)
        assert str(ours.value).startswith(str(theirs.value))
        assert str(unweighted) in str(ours.value)


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        ([0, 1, 2], {1: 3.0}),
        ([0, 1, 2], {}),
        ([0, 1, 2], {0: 2, 1: 3, 2: 4, 9: 5, "x": 3}),
        ([2.0, 4.0, 6.0], {2: 2, 6.0: 3.0}),
        (NAMES, {"setosa": 2}),
    ],
)
def test_factors_are_those_of_rows(mlp, iris, labels, class_weight):
    X, codes = iris
    y = np.array(labels)[codes]
    by_row = [class_weight.get(label, 1.0) for label in y.tolist()]
    assert_same(
        mlp(class_weight=class_weight).fit(X, y),
        mlp().fit(X, y, sample_weight=by_row),
    )


def test_a_factor_of_0_is_one_next_to_0(mlp, iris, engine):
    X, y = iris
    params = {"early_stopping": True, "validation_fraction": 0.3, "epochs": 4}
    params |= {"engine": engine, "dropout": 0.2}
    zero, next_to_0 = (
        mlp(class_weight={1: factor}, **params).fit(X, y) for factor in (0, 1e-15)
    )
    assert_same(zero, next_to_0, atol=1e-12)


def test_rows_of_factor_0_count_in_the_score_and_not_in_the_loss(mlp, iris):
    X, y = iris
    X, X_val, y, y_val = X[:60], X[60:], y[:60], y[60:]
    weight = np.random.default_rng(0).uniform(0.5, 2, 30)
    est = mlp(class_weight={1: 0}, epochs=30, learning_rate=0.02)
    est.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    predicted = est.predict(X_val)
    assert 1 not in predicted
    score = accuracy_score(y_val, predicted, sample_weight=weight)
    np.testing.assert_allclose(est.validation_scores_[-1], score)
    in_loss = y_val != 1
    # The mean weight is 1 over all rows, those of weight 0 included.
    logs = np.log(est.predict_proba(X_val)[np.arange(30), y_val])
    expected = -np.average(logs, weights=weight * in_loss)
    np.testing.assert_allclose(est.history_["val_loss"][-1], expected)


def test_some_row_must_have_weight_in_the_loss(mlp, iris):
    X, y = iris
    est = mlp(class_weight={0: 0, 1: 0, 2: 1})
    two = y != 2
    message = "sample_weight_val times class_weight must not be zero for all rows"
    with pytest.raises(ValueError, match=message):
        est.fit(X, y, X_val=X[two], y_val=y[two])
    rows = np.r_[np.flatnonzero(two), np.flatnonzero(y == 2)[:1]]
    est.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="two rows or more of a class whose class_wei"):
        est.fit(X[rows], y[rows])


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0}])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_class_that_weighs_nothing_is_not_predicted(
    mlp, cancer, class_weight, early_stopping
):
    X, y = cancer
    est = mlp(class_weight=class_weight, early_stopping=early_stopping, epochs=20)
    est.set_params(learning_rate=0.1)
    est.fit(X, y, sample_weight=None if isinstance(class_weight, dict) else y)
    np.testing.assert_array_equal(est.classes_, [0, 1])
    assert est.predict_proba(X).shape == (len(y), 2)
    assert (est.predict(X) == 1).all()


def test_one_of_three_classes_may_weigh_nothing(mlp, iris):
    X, y = iris
    est = mlp(epochs=40, learning_rate=0.02).fit(X, y, sample_weight=(y != 1) * 1.0)
    assert set(est.predict(X)) == {0, 2}
    assert est.predict_proba(X).shape == (len(y), 3)


def test_bagging_draws_samples_without_a_rare_class(mlp):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [57, 3])
    X = rng.normal(size=(60, 2)) + 3 * y[:, np.newaxis]
    bag = BaggingClassifier(mlp((4,)), 20, max_samples=0.3, random_state=0).fit(X, y)
    assert bag.predict_proba(X).shape == (60, 2)
    drawn = [np.unique(y[rows]).size for rows in bag.estimators_samples_]
    assert min(drawn) == 1  # else this tests nothing
