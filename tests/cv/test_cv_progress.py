"""What `verbose` prints, and fits that are interrupted."""

import copy
import re

import pytest
from problems import SMALL_CV

from skreg import RegularizedMLPClassifierCV
from skreg._cv import parallel


def test_verbose_prints_a_line_per_rung(iris, capsys):
    est = RegularizedMLPClassifierCV((4,), verbose=1, **SMALL_CV).fit(*iris)
    assert re.sub(r"[\d.]+ s$", "T", capsys.readouterr().out, flags=re.M) == (
        "3 candidates x 2 folds, 6 epochs: T\n"
        "1 candidates x 2 folds, 18 epochs: T\n"
        "2 final networks: T\n"
    )
    est.set_params(verbose=0).fit(*iris)
    assert capsys.readouterr().out == ""


def test_an_interrupt_leaves_an_estimator_as_it_was(iris, monkeypatch):
    X, y = iris
    fitted = RegularizedMLPClassifierCV((4,), verbose=1, **SMALL_CV).fit(X, y)
    before = vars(fitted).copy()
    other = copy.copy(fitted).set_params(epochs=5)
    state = vars(other).copy()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "Parallel", interrupt)
    for est in (fitted, other):
        with pytest.raises(KeyboardInterrupt):
            est.fit(X[:, :2], y)
    assert vars(fitted) == before
    assert vars(other) == state
