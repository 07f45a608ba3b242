"""scikit-learn's callbacks, where it has them: of the searches."""

import numpy as np
import pytest
from joblib import parallel_config
from problems import arrays
from recorders import Propagated, Recorder, Unasking, tree
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.model_selection._search_successive_halving import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    MLPEnsembleClassifier,
    RegularizedMLPClassifierCV,
)
from skreg._xla import engine

GRID = {"l2": [0.0, 0.1]}
NETWORK = "regularizedmlpclassifier__"
NO_SCORE = pytest.mark.filterwarnings(
    "ignore:One or more of the test scores are non-finite:UserWarning"
)


class Searches:
    """Our search and scikit-learn's of the same arguments, with their callbacks."""

    def __init__(self, *args, kind=GridSearchCV, make=lambda: [Propagated()], **kwargs):
        ours = {
            GridSearchCV: BatchedGridSearchCV,
            RandomizedSearchCV: BatchedRandomizedSearchCV,
            HalvingGridSearchCV: BatchedHalvingGridSearchCV,
        }
        kwargs = {"cv": 2, "n_jobs": 1, **kwargs}
        self.callbacks = [make(), make()]
        self.both = [
            cls(*args, **kwargs).set_callbacks(*callbacks)
            for cls, callbacks in zip((ours[kind], kind), self.callbacks, strict=True)
        ]
        self.ours, self.theirs = self.both

    def fit(self, X, y, **params):
        for search in self.both:
            search.fit(X, y, **params)
        return self

    def assert_same_events(self, **how):
        for ours, theirs in zip(*self.callbacks, strict=True):
            assert tree(ours, **how) == tree(theirs, **how)
            assert ours.events[0].hook == "setup"
            assert ours.events[-1].hook == "teardown"


def both_kinds():
    return [Recorder(), Propagated()]


@pytest.fixture
def cases(mlp, mlr, iris, diabetes):
    """Searches by name, with their rows."""
    scaled = make_pipeline(StandardScaler(), mlp())
    in_units = TransformedTargetRegressor(mlr())
    wide = {"hidden_layer_sizes": [(8,), (4, 4)], **GRID}
    early = {"early_stopping": True, "n_iter_no_change": 1, "epochs": 6, "tol": 0.1}
    return {
        "networks": (mlp(), GRID, iris),
        "of two shapes": (mlp(), wide, iris),
        "that stop early": (mlp(**early), GRID, iris),
        "of Keras": (mlp(engine="keras"), {"dropout": [0.2]}, iris),
        "in a Pipeline": (scaled, {f"{NETWORK}l2": [0.0, 0.1]}, iris),
        "in two": (
            make_pipeline(StandardScaler(), scaled),
            {f"pipeline__{NETWORK}l2": [0.0, 0.1]},
            iris,
        ),
        "of other targets": (in_units, {"regressor__l2": [0.0, 0.1]}, diabetes),
        "no networks": (LogisticRegression(max_iter=4), {"C": [0.1, 1.0]}, iris),
    }


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.filterwarnings("ignore:The estimator Transformed.*:UserWarning")
@pytest.mark.parametrize(
    "name",
    [
        "networks",
        "of two shapes",
        "that stop early",
        "of Keras",
        "in a Pipeline",
        "in two",
        "of other targets",
        "no networks",
    ],
)
def test_a_search_tells_what_that_of_scikit_learn_tells(cases, name):
    estimator, grid, (X, y) = cases[name]
    weights = {}
    if name == "networks":
        weights = {"sample_weight": np.linspace(1, 2, len(X))}
    searches = Searches(estimator, grid, make=both_kinds).fit(X, y, **weights)
    searches.assert_same_events(shared_steps="in " in name, nested=name == "in two")


def test_so_does_a_randomized_search(mlp, iris):
    drawn = {"l2": loguniform(1e-4, 1e-1)}
    searches = Searches(
        mlp(),
        drawn,
        kind=RandomizedSearchCV,
        n_iter=3,
        random_state=0,
        refit=False,
        make=both_kinds,
    )
    searches.fit(*iris).assert_same_events()


@pytest.mark.parametrize("make", [both_kinds, lambda: [Recorder()]])
def test_so_does_a_halving_search(mlp, iris, make):
    searches = Searches(
        mlp(epochs=4),
        {"l2": [0.0, 0.1, 1.0]},
        kind=HalvingGridSearchCV,
        resource="epochs",
        max_resources=4,
        factor=2,
        aggressive_elimination=True,
        make=make,
    )
    weights = {"sample_weight": np.linspace(1, 2, len(iris[0]))}
    searches.fit(*iris, **weights).assert_same_events()
    for (callback, *_), search in zip(searches.callbacks, searches.both, strict=True):
        assert {id(event.estimator) for event in callback.events} == {id(search)}


def test_the_events_of_a_network_are_in_order(mlp, iris):
    callback = Propagated()
    search = BatchedGridSearchCV(mlp(), GRID, cv=2).set_callbacks(callback)
    search.fit(*iris)
    fits = [f"fit#0 search#0 fit#{i}" for i in range(4)] + ["fit#0 fit#1"]
    for fit in fits:
        epochs = [
            (hook, f"{fit} epoch#{i}") for i in range(2) for hook in ("begin", "end")
        ]
        expected = [("begin", fit), *epochs, ("end", fit)]
        lines = [line for line in callback.lines() if f"{fit} " in f"{line} "]
        assert lines == [f"{hook} {path}" for hook, path in expected]


def test_callbacks_of_the_network_and_of_its_pipeline_are_called_too(mlp, iris):
    recorders = [], []
    for searches in recorders:
        callbacks = Recorder(), Recorder(), Recorder()
        searches.extend(callbacks)
        of_network, of_pipeline, of_search = callbacks
        network = mlp().set_callbacks(of_network)
        pipeline = make_pipeline(StandardScaler(), network).set_callbacks(of_pipeline)
        cls = BatchedGridSearchCV if searches is recorders[0] else GridSearchCV
        search = cls(pipeline, {f"{NETWORK}l2": [0.0, 0.1]}, cv=2)
        search.set_callbacks(of_search).fit(*iris)
        best = search.best_estimator_
        assert best._skl_callbacks == [of_pipeline]
        assert best[-1]._skl_callbacks == [of_network]
    for ours, theirs in zip(*recorders, strict=True):
        assert tree(ours, shared_steps=True) == tree(theirs, shared_steps=True)


def test_hooks_get_the_search_itself(mlp, iris):
    callback = Recorder()
    search = BatchedGridSearchCV(mlp(), GRID, cv=2, verbose=1).set_callbacks(callback)
    search.fit(*iris)
    assert {id(event.estimator) for event in callback.events} == {id(search)}
    assert vars(clone(search)).keys() == {
        name for name in vars(search) if not name.endswith("_")
    }


def test_nothing_is_left_of_callbacks(mlp, iris):
    plain = BatchedGridSearchCV(mlp(), GRID, cv=2).fit(*iris)
    search = BatchedGridSearchCV(mlp(), GRID, cv=2).set_callbacks(Propagated())
    search.fit(*iris)
    assert vars(search).keys() == vars(plain).keys() | {"_skl_callbacks"}
    best = search.best_estimator_
    assert vars(best).keys() == vars(plain.best_estimator_).keys()
    np.testing.assert_array_equal(arrays(best)[0], arrays(plain.best_estimator_)[0])


# In another process just one fit, so that but one has to import TensorFlow.
ONE_FIT = {"param_grid": {"l2": [0.1]}, "cv": ShuffleSplit(1, random_state=0)}


@pytest.mark.parametrize(
    ("backend", "arguments", "n_fits"),
    [("threading", {"param_grid": GRID, "cv": 2}, 4), ("loky", ONE_FIT, 1)],
)
def test_the_scores_of_all_epochs_come_from_any_worker(
    mlp, iris, backend, arguments, n_fits
):
    def log_of(cls):
        monitor = ScoringMonitor(scoring="neg_log_loss")
        search = cls(mlp().set_callbacks(monitor), n_jobs=2, **arguments)
        search.set_callbacks(Unasking(), ProgressBar()).fit(*iris)
        log = monitor.get_logs().data
        return log, [row.pop("neg_log_loss") for row in log]

    with parallel_config(backend):
        ours, our_scores = log_of(BatchedGridSearchCV)
    with parallel_config("sequential"):
        theirs, their_scores = log_of(GridSearchCV)
    # Two epochs and the end of each fit, of that of the best as well.
    assert len(ours) == (n_fits + 1) * 3
    assert ours == theirs
    np.testing.assert_allclose(our_scores, their_scores, atol=1e-6)


def test_the_progress_bar_shows_every_fit_beside_our_own_bar(mlp, iris, capsys):
    search = BatchedGridSearchCV(mlp(), GRID, cv=2, verbose=1)
    search.set_callbacks(ProgressBar()).fit(*iris)
    printed = capsys.readouterr().out
    assert printed.count("candidate-split-evaluation") == 4
    assert printed.count("refit-with-best-params") == 1


def stop_second_candidate(event):
    """After its first epoch, on both folds."""
    return str(event) in (
        "end fit#0 search#0 fit#2 epoch#0",
        "end fit#0 search#0 fit#3 epoch#0",
    )


def test_a_callback_may_stop_single_networks(mlp, iris, assert_same_results):
    searches = Searches(
        mlp(epochs=3),
        GRID,
        make=lambda: [Propagated(stop_second_candidate)],
        scoring="neg_log_loss",
    )
    searches.fit(*iris).assert_same_events()
    assert_same_results(*searches.both)
    lines = searches.callbacks[0][0].lines()
    assert "begin fit#0 search#0 fit#1 epoch#2" in lines
    assert "begin fit#0 search#0 fit#2 epoch#1" not in lines


class Failing:
    """Raises an error at an event."""

    def __init__(self, line):
        self.line = line

    def __call__(self, event):
        if str(event) == self.line:
            raise RuntimeError(f"at {self.line}")


OF_A_FIT = [
    "begin fit#0 search#0 fit#2",
    "begin fit#0 search#0 fit#2 epoch#0",
    "end fit#0 search#0 fit#2 epoch#1",
    "end fit#0 search#0 fit#2",
]


@NO_SCORE
@pytest.mark.parametrize("line", OF_A_FIT)
def test_an_error_within_a_fit_is_that_of_the_fit(mlp, iris, line, assert_same_results):
    searches = Searches(
        mlp(epochs=3), GRID, make=lambda: [Propagated(Failing(line)), Unasking()]
    )
    for search in searches.both:
        with pytest.warns(FitFailedWarning, match=f"(?s)1 fits failed.*at {line}"):
            search.fit(*iris)
    assert_same_results(*searches.both)
    for search, (recorder, _) in zip(searches.both, searches.callbacks, strict=True):
        recorder.events.clear()
        search.set_params(error_score="raise")
        before = vars(search).copy()
        with pytest.raises(RuntimeError, match=f"at {line}"):
            search.fit(*iris)
        assert recorder.lines()[-1] == "teardown fit#0"
        assert search is searches.theirs or vars(search) == before


@pytest.mark.parametrize(
    "line",
    [
        "setup fit#0",
        "begin fit#0",
        "begin fit#0 search#0",
        "end fit#0 search#0 candidate-split-evaluation#1",
        "end fit#0 search#0",
        "begin fit#0 refit-with-best-params#1",
        "end fit#0",
        "teardown fit#0",
    ],
)
def test_an_error_of_the_search_s_own_tasks_is_raised(mlp, iris, line):
    callback = Recorder(Failing(line))
    search = BatchedGridSearchCV(mlp(), GRID, cv=2).set_callbacks(callback)
    before = vars(search).copy()
    with pytest.raises(RuntimeError, match=f"at {line}"):
        search.fit(*iris)
    assert vars(search) == before
    assert callback.lines()[-1] == "teardown fit#0"


@NO_SCORE
def test_fits_that_fail_have_their_tasks(mlp, iris):
    diverging = mlp(optimizer="sgd", epochs=6)
    steps = make_pipeline(StandardScaler(), diverging)
    for estimator, grid in [
        (diverging, {"learning_rate": [0.01, 1e30]}),
        (mlp(), {"l2": [0.0, -1.0]}),
        (steps, {f"{NETWORK}learning_rate": [0.01, 1e30]}),
    ]:
        searches = Searches(estimator, grid, make=both_kinds, refit=False)
        for search in searches.both:
            with pytest.warns(FitFailedWarning, match="2 fits failed"):
                search.fit(*iris)
        searches.assert_same_events(shared_steps=estimator is steps)


@NO_SCORE
def test_a_propagated_callback_has_no_place_on_the_network(mlp, iris):
    network = mlp().set_callbacks(Propagated())
    for cls in (BatchedGridSearchCV, GridSearchCV):
        search = cls(network, GRID, cv=2, error_score="raise")
        with pytest.raises(TypeError, match="can't have auto-propagated callbacks"):
            search.fit(*iris)


def test_a_group_that_is_trained_in_parts_tells_of_no_epoch_twice(
    mlp, iris, monkeypatch
):
    train = engine.train

    def failing(program, networks, data, batch_size, epochs, *args, **kwargs):
        too_many = len(networks.l2) > 2
        if too_many:  # and it shows after two epochs
            epochs = 2
        results = train(program, networks, data, batch_size, epochs, *args, **kwargs)
        if too_many:
            raise MemoryError
        return results

    monkeypatch.setattr(engine, "train", failing)
    searches = Searches(
        mlp(epochs=4), GRID, make=lambda: [Propagated(stop_second_candidate)]
    )
    searches.fit(*iris).assert_same_events()


@pytest.mark.parametrize("task", ["fit#1", "fit#1 epoch#1"])
def test_an_interrupt_ends_the_search_and_tears_down(mlp, iris, task):
    def interrupt(event):
        if str(event) == f"begin fit#0 search#0 {task}":
            raise KeyboardInterrupt

    of_network, of_search = Recorder(), Propagated(interrupt)
    network = mlp(warm_start=True).set_callbacks(of_network)
    search = BatchedGridSearchCV(network, GRID, cv=2, n_jobs=1)
    search.set_callbacks(of_search)
    before = vars(search).copy()
    with pytest.raises(KeyboardInterrupt):
        search.fit(*iris)
    assert vars(search) == before
    assert of_search.lines()[-1] == "teardown fit#0"
    hooks = [event.hook for event in of_network.events]
    assert hooks.count("teardown") == hooks.count("setup") > 1
    assert not any(
        f"end fit#0 search#0 fit#{i}" in of_network.lines() for i in range(4)
    )


def test_a_cv_estimator_passes_callbacks_on_to_its_search(iris):
    callback = Propagated()
    est = RegularizedMLPClassifierCV((4,), n_candidates=2, cv=2, epochs=2)
    est.set_callbacks(callback).fit(*iris)
    hooks = [event.hook for event in callback.events]
    assert hooks[-1] == "teardown"
    assert hooks.count("begin") == hooks.count("end") > 0
    told = {type(event.estimator).__name__ for event in callback.events}
    assert {"RegularizedMLPClassifierCV", "BatchedHalvingRandomSearchCV"} <= told
    assert not hasattr(est.search_, "_skl_callbacks")


def test_the_refit_of_an_ensemble_is_one_task(mlp, iris):
    callback = Propagated()
    search = BatchedGridSearchCV(mlp(), GRID, cv=2, ensemble_size=2)
    search.set_callbacks(callback).fit(*iris)
    hooks = [event.hook for event in callback.events]
    assert hooks[-1] == "teardown"
    assert hooks.count("begin") == hooks.count("end") > 0
    refit = [event for event in callback.events if event.estimator is not search]
    assert type(refit[-1].estimator) is MLPEnsembleClassifier
    assert not hasattr(search.best_estimator_, "_skl_callbacks")
