"""scikit-learn's callbacks, where it has them, on what has networks inside."""

import pickle

import pytest
from problems import SMALL_CV
from recorders import Recorder
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV, cross_val_score

from skreg import MLPEnsembleClassifier, RegularizedMLPClassifierCV

CV = RegularizedMLPClassifierCV((6,), **SMALL_CV)


def test_a_fit_has_a_task_per_rung_and_one_for_the_final_networks(iris):
    recorder = Recorder()
    est = clone(CV).set_callbacks(recorder).fit(*iris)
    tasks = [f"{name}#{i}" for i, name in enumerate(RUNGS)]
    inner = [f"{hook} fit#0 {task}" for task in tasks for hook in ("begin", "end")]
    assert recorder.lines() == [
        *("setup fit#0", "begin fit#0"),
        *inner,
        *("end fit#0", "teardown fit#0"),
    ]
    end = recorder.events[-2]
    assert end.given["X"] is iris[0]
    (est.predict(iris[0]) == end.given["fitted"].predict(iris[0])).all()


RUNGS = [
    "3 candidates x 2 folds, 6 epochs",
    "1 candidates x 2 folds, 18 epochs",
    "2 final networks",
]


@pytest.mark.filterwarnings("ignore:time_limit")
@pytest.mark.parametrize("time_limit", [None, 1e-9])
def test_a_scoring_monitor_gets_the_score_of_the_fitted_estimator(iris, time_limit):
    monitor = ScoringMonitor(scoring="accuracy")
    est = clone(CV).set_params(time_limit=time_limit).set_callbacks(monitor)
    est.fit(*iris)
    (entry,) = monitor.get_logs().data
    assert entry["accuracy"] == est.score(*iris)


def test_a_scoring_monitor_in_cross_validation_and_in_a_search(iris):
    monitor = ScoringMonitor(scoring="accuracy")
    cross_val_score(clone(CV).set_callbacks(monitor), *iris, cv=2)
    assert len(monitor.get_logs(select="all")) == 2
    search = GridSearchCV(clone(CV).set_callbacks(monitor), {"cv": [2, 3]}, cv=2)
    search.fit(*iris)
    assert monitor.get_logs().data


def test_an_ensemble_has_one_task(mlp, iris):
    recorder = Recorder()
    ensemble = MLPEnsembleClassifier(mlp(), [{}, {}]).set_callbacks(recorder)
    ensemble.fit(*iris)
    assert recorder.lines() == [
        *("setup fit#0", "begin fit#0", "end fit#0", "teardown fit#0")
    ]
    fitted = recorder.events[-2].given["fitted"]
    assert len(fitted.estimators_) == 2


def test_a_progress_bar_shows_rungs(iris, capsys):
    clone(CV).set_callbacks(ProgressBar()).fit(*iris)
    assert "fit" in capsys.readouterr().out


def test_a_fitted_estimator_with_callbacks_is_pickled(iris):
    monitor = ScoringMonitor(scoring="accuracy")
    est = clone(CV).set_callbacks(monitor).fit(*iris)
    loaded = pickle.loads(pickle.dumps(est))
    assert (loaded.predict(iris[0]) == est.predict(iris[0])).all()
