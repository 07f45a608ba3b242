"""The schedule of the rungs, and which candidates go on."""

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV

from skreg import RegularizedMLPClassifierCV
from skreg._cv.halving import mean_scores, rung_epochs
from skreg._cv.space import default_distributions


@pytest.mark.parametrize(
    ("n_candidates", "epochs", "expected"),
    [
        (27, 81, [9, 27, 81]),
        (9, 81, [9, 27, 81]),
        (8, 81, [27, 81]),
        (3, 81, [27, 81]),
        (2, 81, [81]),
        (100, 54, [6, 18, 54]),
        (27, 10, [1, 3, 10]),
        (27, 2, [1, 2]),
        (27, 1, [1]),
    ],
)
def test_the_last_rung_has_all_epochs(n_candidates, epochs, expected):
    assert rung_epochs(n_candidates, epochs) == expected


@pytest.mark.parametrize("n_candidates", [2, 4, 10])
def test_rungs_are_those_of_scikit_learns_halving_search(iris, n_candidates):
    est = RegularizedMLPClassifierCV(
        (5,), n_candidates=n_candidates, epochs=9, cv=2, ensemble_size=None
    ).set_params(random_state=0, scoring="neg_log_loss")
    est.fit(*iris)
    draws = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    theirs = HalvingRandomSearchCV(
        est._network().set_params(random_state=draws[0]),
        default_distributions(),
        n_candidates=n_candidates,
        resource="epochs",
        max_resources=9,
        min_resources=est.n_resources_[0],
        cv=2,
        scoring="neg_log_loss",
        random_state=draws[1],
        return_train_score=False,
    ).fit(*iris)
    assert est.n_candidates_ == theirs.n_candidates_
    assert est.n_resources_ == theirs.n_resources_
    assert est.n_splits_ == theirs.n_splits_
    assert est.best_index_ == theirs.best_index_
    assert est.best_params_ == theirs.best_params_
    assert est.best_score_ == pytest.approx(theirs.best_score_)
    ours, theirs = est.cv_results_, theirs.cv_results_
    assert list(ours) == list(theirs)
    assert ours["params"] == theirs["params"]
    for name, expected in theirs.items():
        if name.startswith("param_"):
            np.testing.assert_array_equal(ours[name].mask, expected.mask)
            assert ours[name].tolist() == expected.tolist()
        elif name != "params":
            assert ours[name].dtype == expected.dtype
            if "_time" not in name:
                np.testing.assert_allclose(ours[name], expected, rtol=1e-6)


def test_no_more_candidates_than_a_list_has_combinations(iris):
    est = RegularizedMLPClassifierCV(
        (5,), n_candidates=9, param_distributions={"l2": [0.0, 1e-3]}, epochs=2, cv=2
    )
    with pytest.warns(UserWarning, match="total space of parameters 2 is smaller"):
        est.fit(*iris)
    assert est.n_candidates_ == [2]


@pytest.mark.parametrize("name", ["epochs", "warm_start"])
def test_what_the_search_sets_itself_is_not_drawn(iris, name):
    est = RegularizedMLPClassifierCV(param_distributions={name: [1, 2]}, n_candidates=2)
    with pytest.raises(ValueError, match=f"param_distributions must not have '{name}'"):
        est.fit(*iris)


NAN = np.nan


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[1, 3], [5, 7]], [2, 6]),
        ([[1, 3], [5, NAN]], [2, NAN]),  # a candidate that can't be compared
        ([[1, NAN], [5, NAN]], [1, 5]),  # a fold without any score
        ([[1, NAN, 3], [5, NAN, NAN]], [2, NAN]),
        ([[1, NAN], [NAN, 5]], [1, 5]),  # as else there would be nothing
        ([[NAN, NAN]], [NAN]),
    ],
)
def test_means_are_of_scores_that_can_be_compared(scores, expected):
    np.testing.assert_array_equal(mean_scores(np.array(scores, dtype=float)), expected)
