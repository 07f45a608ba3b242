"""The progress bar, and fits that are interrupted."""

import copy

import pytest
import rich
from rich.console import Console

from skreg import RegularizedMLPClassifierCV
from skreg._cv import parallel

CV = {"n_candidates": 3, "epochs": 3, "cv": 2, "ensemble_size": 2, "random_state": 0}


@pytest.fixture
def console(monkeypatch):
    console = Console(force_terminal=True, record=True, width=100)
    monkeypatch.setattr(rich, "_console", console)
    return console


@pytest.mark.parametrize("time_limit", [None, 1e3])
def test_a_bar_shows_rungs_and_final_networks(iris, console, time_limit):
    est = RegularizedMLPClassifierCV((4,), verbose=1, time_limit=time_limit, **CV)
    est.fit(*iris)
    shown = console.export_text()
    assert "2 final networks" in shown
    assert ("100%" in shown) == (time_limit is None)


def test_without_verbose_nothing_is_shown(iris, console, capsys):
    RegularizedMLPClassifierCV((4,), **CV).fit(*iris)
    assert console.export_text() == ""
    assert capsys.readouterr().out == ""


def test_an_interrupt_leaves_an_estimator_as_it_was(iris, monkeypatch, console):
    X, y = iris
    fitted = RegularizedMLPClassifierCV((4,), verbose=1, **CV).fit(X, y)
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
