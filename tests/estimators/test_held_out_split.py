"""Which rows early stopping holds out: every class is on both sides."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from skreg._estimators.validation import held_out_split

FRACTIONS = [1e-6, 0.1, 0.3, 0.5, 0.9, 1 - 1e-6]
COUNTS = {
    "rare": [18, 2],
    "rarer": [40, 3],
    "pairs": [2, 2, 2],
    "skewed": [505, *[5] * 99],
    "with single rows": [1, 30, 1, 2],
    "one": [50],
}


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_every_class_is_on_both_sides(counts, fraction):
    counts = np.array(counts)
    strata = np.random.default_rng(0).permutation(np.repeat(range(len(counts)), counts))
    kept, held_out = held_out_split(strata, fraction, seed=1)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([kept, held_out])), np.arange(len(strata))
    )
    n_kept, n_held_out = (
        np.bincount(strata[rows], minlength=len(counts)) for rows in (kept, held_out)
    )
    assert (n_kept >= 1).all()
    assert ((n_held_out >= 1) == (counts > 1)).all()
    # Each class has its share, up to rounding. A side has at least one row for each
    # class.
    n_classes = (counts > 1).sum()
    share = np.clip(fraction, n_classes / len(strata), 1 - n_classes / len(strata))
    wanted = np.clip(share * counts, np.minimum(1, counts - 1), counts - 1)
    assert (np.abs(n_held_out - wanted) <= 1).all()
    again = held_out_split(strata, fraction, seed=1)
    np.testing.assert_equal([*again], [kept, held_out])


def test_rows_of_a_rare_class_are_drawn_at_random():
    strata = np.repeat([0, 1], [18, 3])
    drawn = [held_out_split(strata, 0.05, seed)[1] for seed in range(30)]
    assert {int(row) for rows in drawn for row in rows if row >= 18} == {18, 19, 20}


def test_without_a_rare_class_it_is_the_split_of_scikit_learn():
    strata = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [70, 30, 20]))
    expected = train_test_split(
        np.arange(120), test_size=0.2, random_state=5, stratify=strata
    )
    np.testing.assert_equal([*held_out_split(strata, 0.2, 5)], expected)


def test_early_stopping_trains_on_a_rare_class_too(mlp):
    # Both of its rows are alike and far from the others, so it is learned from one.
    X = np.r_[np.linspace(-1, 0, 18), 5.0, 5.0][:, np.newaxis]
    y = np.repeat([0, 1], [18, 2])
    est = mlp((), early_stopping=True, validation_fraction=0.9, class_weight="balanced")
    est.set_params(epochs=200, learning_rate=0.1).fit(X, y)
    assert est.score(X, y) == est.validation_scores_[-1] == 1.0
