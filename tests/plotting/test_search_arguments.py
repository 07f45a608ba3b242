"""The arguments of SearchDisplay: what it refuses."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from toy_search import Toy

from skreg import SearchDisplay


def test_names_must_be_those_of_one_parameter(searched, ax):
    message = r"x must name one of the parameters \['dropout', 'l2'\], got 'l3'"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(searched, x="l3", ax=ax)
    with pytest.raises(ValueError, match=r"hue must name one .* got '2'"):
        SearchDisplay.from_search(searched, hue="2", ax=ax)
    model = make_pipeline(Ridge(), Ridge())
    unclear = GridSearchCV(model, {})
    names = ["ridge-1__alpha", "ridge-2__alpha"]
    unclear.cv_results_ = {
        "params": [dict.fromkeys(names, 1.0)],
        "mean_test_score": np.array([0.5]),
    }
    with pytest.raises(ValueError, match=r"x must name one .*ridge-2.* 'alpha'"):
        SearchDisplay.from_search(unclear, x="alpha", ax=ax)


def test_other_bad_arguments_are_refused(searched, ax):
    with pytest.raises(ValueError, match="kind must be 'line' or 'heatmap', got "):
        SearchDisplay.from_search(searched, kind="bars", ax=ax)
    with pytest.raises(ValueError, match="hue must name a parameter with kind='heatma"):
        SearchDisplay.from_search(searched, kind="heatmap", ax=ax)
    with pytest.raises(
        ValueError, match=r"metric must be one of \['score'\], got 'f1'"
    ):
        SearchDisplay.from_search(searched, metric="f1", ax=ax)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        SearchDisplay.from_search(GridSearchCV(Toy(), {"l2": [1]}), ax=ax)
    with pytest.raises(ValueError, match="search must be a search or a CV estimator"):
        SearchDisplay.from_search(searched.best_estimator_, ax=ax)
