"""The arguments of SearchDisplay: what it refuses, what it stores."""

import inspect

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from toy_search import STRENGTHS, Toy

from skreg import SearchDisplay


def test_names_must_be_those_of_one_parameter(searched, ax):
    message = r"x must name one .* got 'l3', which is none of \['dropout', 'l2'\]"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(searched, x="l3", ax=ax)
    with pytest.raises(ValueError, match=r"hue must name one .* got '2', which is no"):
        SearchDisplay.from_search(searched, hue="2", ax=ax)
    with pytest.raises(ValueError, match="hue must be another parameter than x, got "):
        SearchDisplay.from_search(searched, hue="l2", ax=ax)
    model = make_pipeline(Ridge(), Ridge())
    unclear = GridSearchCV(model, {})
    names = ["ridge-1__alpha", "ridge-2__alpha"]
    unclear.cv_results_ = {
        "params": [dict.fromkeys(names, 1.0)],
        "mean_test_score": np.array([0.5]),
    }
    message = r"got 'alpha', which could be any of \['ridge-1__alpha', 'ridge-2__alph"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(unclear, x="alpha", ax=ax)


def test_other_bad_arguments_are_refused(run_search, searched, ax):
    with pytest.raises(ValueError, match=r"kind must be one of \('line', 'heatmap'\)"):
        SearchDisplay.from_search(searched, kind="bars", ax=ax)
    with pytest.raises(ValueError, match="hue must name a parameter with kind='heatma"):
        SearchDisplay.from_search(searched, kind="heatmap", ax=ax)
    with pytest.raises(
        ValueError, match=r"metric must be one of \['score'\], got 'f1'"
    ):
        SearchDisplay.from_search(searched, metric="f1", ax=ax)
    with pytest.raises(NotFittedError, match="search must be fitted, got GridSearchCV"):
        SearchDisplay.from_search(GridSearchCV(Toy(), {"l2": [1]}), ax=ax)
    with pytest.raises(TypeError, match="search must be a search of scikit-learn's or"):
        SearchDisplay.from_search(Toy(), ax=ax)
    other = GridSearchCV(Toy(), {"l2": [1]})
    other.cv_results_ = {"mean_test_score": np.zeros(1)}  # as Optuna's search has it
    with pytest.raises(TypeError, match="with its cv_results_, got GridSearchCV"):
        SearchDisplay.from_search(other, ax=ax)
    many = run_search({"l2": STRENGTHS, "dropout": np.linspace(0, 0.5, 11)})
    message = "most 10 values with kind='line', got 11 of 'dropout'; try kind='heatmap'"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_search(many, hue="dropout", ax=ax)


def test_parameters_are_stored_as_given():
    given = {name: object() for name in inspect.signature(SearchDisplay).parameters}
    assert vars(SearchDisplay(**given)) == given
