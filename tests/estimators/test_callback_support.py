"""`set_callbacks` exists only where scikit-learn has callbacks, from version 1.9 on.

The tests of what they do are collected where it has them: see ``conftest.py``.
"""

import pytest
from sklearn.model_selection import GridSearchCV

import skreg

ESTIMATORS = [name for name in skreg.__all__ if not name.endswith("Display")]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_callbacks_can_be_set_where_they_can_be_on_a_search_of_scikit_learn(name):
    there = hasattr(GridSearchCV, "set_callbacks")
    assert hasattr(getattr(skreg, name), "set_callbacks") == there
