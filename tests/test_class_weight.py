"""`class_weight`: which labels may have factors, and what a factor of 0 means."""

import numpy as np
import pytest
from problems import assert_same
from sklearn.model_selection import cross_val_score
from sklearn.utils.class_weight import compute_class_weight

from skreg import BatchedGridSearchCV

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


def test_a_fold_may_lack_a_class_that_has_a_factor(mlp, iris):
    X, y = iris
    rows = np.r_[np.flatnonzero(y != 2)[:30], np.flatnonzero(y == 2)[:1]]
    X, y = X[rows], y[rows]
    est = mlp(class_weight={0: 1.0, 1: 2.0, 2: 5.0})
    cv = [(np.arange(25), np.arange(25, 30)), (np.arange(10, 31), np.arange(5))]
    scores = cross_val_score(est, X, y, cv=cv, error_score="raise")
    assert np.isfinite(scores).all()
    search = BatchedGridSearchCV(est, {"l2": [0.0]}, cv=cv, error_score="raise")
    np.testing.assert_allclose(
        search.fit(X, y).cv_results_["mean_test_score"], scores.mean()
    )
