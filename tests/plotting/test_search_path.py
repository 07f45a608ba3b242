"""SearchDisplay along `group_l1`: how many columns the networks use."""

import numpy as np
import pytest
from drawn import legend_texts
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV, SearchDisplay

STRENGTHS = [0.0, 0.05, 1.0]


@pytest.fixture(scope="module")
def path(mlp, cancer):
    search = BatchedGridSearchCV(
        mlp(epochs=20, learning_rate=0.01), {"group_l1": STRENGTHS}, cv=2
    )
    return search.fit(*cancer)


def test_a_search_counts_the_columns_that_its_networks_use(path, mlp, cancer):
    assert path.n_used_features_.shape == (3, 2)
    splits = StratifiedKFold(2).split(*cancer)
    for (train, _), counts in zip(splits, path.n_used_features_.T, strict=True):
        X, y = (rows[train] for rows in cancer)
        for strength, count in zip(STRENGTHS, counts, strict=True):
            est = mlp(epochs=20, learning_rate=0.01, group_l1=strength).fit(X, y)
            assert est.used_features_.sum() == count
    assert 30 == path.n_used_features_[0, 0] > path.n_used_features_[1, 0] > 0


def test_the_number_of_columns_is_drawn_beside_the_score(path, ax):
    display = SearchDisplay.from_search(path, x="group_l1", ax=ax)
    np.testing.assert_array_equal(
        display.used_line_.get_ydata(), path.n_used_features_.mean(axis=1)
    )
    np.testing.assert_array_equal(
        display.used_line_.get_xdata(), display.lines_[0].get_xdata()
    )
    assert display.used_ax_.get_ylabel() == "columns in use"
    assert display.used_ax_.get_ylim()[0] == 0
    assert "columns in use" in legend_texts(display)


def test_it_is_not_drawn_where_there_are_several_lines_or_no_counts(mlp, cancer, ax):
    est = make_pipeline(StandardScaler(), mlp())
    name = "regularizedmlpclassifier__{}".format
    grid = {name("group_l1"): [0.0, 0.1], name("l2"): [0.0, 0.1]}
    search = BatchedGridSearchCV(est, grid, cv=2).fit(*cancer)
    assert SearchDisplay.from_search(search, x="group_l1", ax=ax).used_line_
    for x, hue in (("l2", None), ("group_l1", "l2")):
        display = SearchDisplay.from_search(search, x=x, hue=hue, ax=ax)
        assert display.used_line_ is display.used_ax_ is None
    search = GridSearchCV(est, grid, cv=2).fit(*cancer)
    assert SearchDisplay.from_search(search, x="group_l1", ax=ax).used_line_ is None


def test_estimators_without_a_network_use_an_unknown_number(cancer):
    search = BatchedGridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2)
    assert np.isnan(search.fit(*cancer).n_used_features_).all()
