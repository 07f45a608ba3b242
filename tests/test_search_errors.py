"""When a search learns of errors, and what becomes of them."""

import errno
import gc
import threading
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV
from skreg._xla import engine, pages
from skreg._search import groups
from skreg._training import keras_loop

LOSS = "neg_log_loss"
GRID = {"l2": [0.0, 0.01, 0.1], "dropout": [0.0, 0.4]}
OPTIONS = {"scoring": LOSS, "cv": 2, "n_jobs": 1}
NO_SCORE = pytest.mark.filterwarnings(
    "ignore:One or more of the test scores are non-finite:UserWarning"
)


@pytest.fixture
def untrained(monkeypatch):
    """Whatever trains is an error."""

    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(engine, "train", train)


# Errors of the engine.


class FailingEngine:
    """Fails for groups that are too large, or that hold a certain network."""

    def __init__(self, error, largest=16, poisoned=None):
        self.error, self.largest, self.poisoned = error, largest, poisoned
        self.train = engine.train
        self.sizes = []

    def __call__(self, program, networks, *args, dry_run=False, **kwargs):
        size = len(networks.l2)
        if not dry_run:
            self.sizes.append(size)
        poisoned = self.poisoned in networks.l2[:, 0]
        if size > self.largest or poisoned:
            raise self.error
        return self.train(program, networks, *args, dry_run=dry_run, **kwargs)


@pytest.fixture
def failing(monkeypatch):
    def make(*args, **kwargs):
        fake = FailingEngine(*args, **kwargs)
        monkeypatch.setattr(engine, "train", fake)
        return fake

    return make


ERRORS = [
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    MemoryError("no memory"),
    RuntimeError("of the engine"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("error_score", [np.nan, "raise"])
def test_a_group_that_is_too_large_is_trained_in_parts(
    mlp, cancer, assert_same_results, failing, error, error_score
):
    fake = failing(error, largest=2)
    search = BatchedGridSearchCV(mlp(), GRID, error_score=error_score, **OPTIONS)
    search.fit(*cancer)
    # Twelve networks, their halves and quarters; and the refit.
    assert fake.sizes == [12, 6, 3, 2, 2, 3, 2, 2, 6, 3, 2, 2, 3, 2, 2, 1]
    assert_same_results(search, GridSearchCV(mlp(), GRID, **OPTIONS).fit(*cancer))


@pytest.mark.parametrize("error", ERRORS[:2], ids=lambda error: type(error).__name__)
def test_too_little_memory_is_an_error_that_says_what_to_set(
    mlp, cancer, monkeypatch, failing, error
):
    def no_memory(*_, **__):
        raise error

    failing(error, largest=0)
    monkeypatch.setattr(keras_loop, "build_network", no_memory)
    match = "To train with less, lower batch_size.*in a search, n_jobs or group_size"
    for est in (
        mlp(),
        mlp(engine="keras"),
        BatchedGridSearchCV(mlp(), GRID, error_score="raise", **OPTIONS),
    ):
        with pytest.raises(MemoryError, match=match):
            est.fit(*cancer)


def test_no_pages_for_a_large_array_are_a_memory_error(monkeypatch):
    def no_pages(*_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(pages.mmap, "mmap", no_pages)
    with pytest.raises(MemoryError, match=f"Unable to allocate {8 * pages.LARGE}"):
        pages.zeros((pages.LARGE,), np.float64)


@NO_SCORE
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_network_that_fails_does_not_fail_its_group(mlp, cancer, failing, error):
    failing(error, poisoned=0.01)
    search = BatchedGridSearchCV(mlp(), GRID, refit=False, **OPTIONS)
    with pytest.warns(FitFailedWarning, match=r"4 fits failed out(.|\n)*'l2': 0.01"):
        search.fit(*cancer)
    scores = search.cv_results_["mean_test_score"]
    others = {**GRID, "l2": [0.0, 0.1]}
    harmless = GridSearchCV(mlp(), others, refit=False, **OPTIONS).fit(*cancer)
    failed = search.cv_results_["param_l2"] == 0.01
    assert np.isnan(scores[failed]).all()
    np.testing.assert_allclose(
        scores[~failed], harmless.cv_results_["mean_test_score"], atol=1e-6
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_what_is_to_end_the_process_ends_the_search(
    mlp, cancer, monkeypatch, error, engine
):
    calls = []

    def train(*_, **__):
        calls.append(1)
        raise error

    monkeypatch.setattr(groups, "train_together", train)
    monkeypatch.setattr(groups, "train", train)
    with pytest.raises(error):
        BatchedGridSearchCV(mlp(engine=engine), GRID, **OPTIONS).fit(*cancer)
    assert len(calls) == 1


@pytest.fixture
def quick_collections():
    """The collector looks at what is made from here on alone."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collections")
def test_a_failed_attempt_keeps_no_memory(mlp, cancer, monkeypatch):
    class Array:
        """A large one."""

    alive = []

    def train(program, networks, *args, **kwargs):
        gc.collect()
        assert not [array for array in alive if array() is not None]
        array = Array()
        alive.append(weakref.ref(array))
        if len(networks.l2) > 1:
            raise MemoryError
        return original(program, networks, *args, **kwargs)

    original = engine.train
    monkeypatch.setattr(engine, "train", train)
    search = BatchedGridSearchCV(mlp(), {"l2": [0.0, 0.1]}, refit=False, **OPTIONS)
    search.fit(*cancer)
    assert len(alive) == 7


def test_errors_of_compiling_ahead_are_left_to_the_refit(mlp, cancer, monkeypatch):
    threads = []

    def compile_ahead(*_):
        threads.append(threading.current_thread())
        raise MemoryError

    monkeypatch.setattr(groups, "compile_ahead", compile_ahead)
    search = BatchedGridSearchCV(mlp(), GRID, **OPTIONS).fit(*cancer)
    (thread,) = threads
    thread.join()  # where pytest would warn of an exception
    assert hasattr(search, "best_estimator_")


# With error_score="raise".


def test_an_invalid_candidate_is_raised_before_anything_is_trained(
    mlp, cancer, untrained
):
    grids = [
        [GRID, {"l2": [-1.0]}],
        [GRID, {"hidden_layer_sizes": [(4,)], "epochs": [0]}],
        [GRID, {"engine": ["compiled"], "callbacks": [[keras.callbacks.Callback()]]}],
        [{"callbacks": [[keras.callbacks.Callback()]]}, {"dropout": [1.5]}],
    ]
    for grid in grids:
        *_, last = grid
        name = list(last)[-1]
        search = BatchedGridSearchCV(mlp(), grid, error_score="raise", **OPTIONS)
        with pytest.raises((TypeError, ValueError), match=name) as raised:
            search.fit(*cancer)
        assert f"'{name}'" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    "invalid",
    [
        {"pca__n_components": [2, -1]},
        {"pca__n_components": [2, 200]},
        {"pca__n_components": ["many"], "mlp__l1": [0.1]},
        {"mlp": [LogisticRegression(C=-1.0)]},
        {"pca": [3]},
    ],
    ids=str,
)
def test_an_invalid_step_is_raised_before_anything_is_trained(
    mlp, cancer, untrained, invalid
):
    pipeline = Pipeline([("scale", StandardScaler()), ("pca", PCA()), ("mlp", mlp())])
    grid = [{"mlp__l2": [0.0, 0.1]}, invalid]
    search = BatchedGridSearchCV(pipeline, grid, error_score="raise", **OPTIONS)
    with pytest.raises((TypeError, ValueError)) as raised:
        search.fit(*cancer)
    assert "trained" not in str(raised.value)
    last = {name: values[-1:] for name, values in invalid.items()}
    with pytest.raises(raised.type) as expected:
        GridSearchCV(pipeline, last, error_score="raise", cv=2).fit(*cancer)
    assert str(raised.value) == str(expected.value)


def test_weights_that_are_not_usable_are_raised_before_anything_is_trained(
    mlp, cancer, untrained
):
    search = BatchedGridSearchCV(mlp(), GRID, error_score="raise", **OPTIONS)
    with pytest.raises(ValueError, match="sample_weight must be non-negative"):
        search.fit(*cancer, sample_weight=-np.ones(120))


def test_steps_of_their_own_are_not_fitted_twice_for_it(mlp, cancer):
    """Where all candidates share their steps, the first fold needs no look ahead."""
    n_fits = []

    class Counting(StandardScaler):
        def fit(self, X, y=None):
            n_fits.append(1)
            return super().fit(X, y)

    pipeline = Pipeline([("scale", Counting()), ("mlp", mlp())])
    search = BatchedGridSearchCV(
        pipeline, {"mlp__l2": [0, 0.1]}, error_score="raise", refit=False, **OPTIONS
    )
    search.fit(*cancer)
    assert len(n_fits) == 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_first_group_that_fails_stops_the_search(mlp, cancer, monkeypatch, n_jobs):
    trained = []

    def train_together(tasks, *args, **kwargs):
        trained.append(tasks[0].regularization.l2[0])
        if trained[-1] == 0.01:
            return [ValueError("weights became non-finite")] * len(tasks)
        return original(tasks, *args, **kwargs)

    original = groups.train_together
    monkeypatch.setattr(groups, "train_together", train_together)
    grid = {"l2": [0.01, *np.linspace(1, 2, 30)]}
    search = BatchedGridSearchCV(
        mlp(), grid, group_size=1, error_score="raise", **{**OPTIONS, "n_jobs": n_jobs}
    )
    with pytest.raises(ValueError, match="became non-finite") as raised:
        search.fit(*cancer)
    assert "Candidate: {'l2': 0.01}" in raised.value.__notes__
    assert len(trained) < 20  # of 62
    assert not hasattr(search, "cv_results_")


def test_with_a_number_all_else_is_trained(mlp, cancer):
    grid = [GRID, {"l2": [-1.0]}]
    search = BatchedGridSearchCV(mlp(), grid, error_score=-9.0, **OPTIONS)
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 14"):
        search.fit(*cancer)
    scores = search.cv_results_["mean_test_score"]
    assert scores[-1] == -9
    assert (scores[:-1] > -9).all()


# What fit does not take.


@pytest.mark.parametrize("name", ["partial", "resume", "classes", "spam"])
@pytest.mark.parametrize("error_score", ["raise", np.nan])
def test_parameters_that_fit_does_not_have(mlp, cancer, untrained, name, error_score):
    """GridSearchCV has the last word, but for the class that is named."""
    messages = []
    for search in (BatchedGridSearchCV, GridSearchCV):
        search = search(mlp(), GRID, cv=2, error_score=error_score)
        with pytest.raises((TypeError, ValueError)) as raised:
            search.fit(*cancer, **{name: True})
        messages.append((raised.type, str(raised.value).splitlines()[-1]))
    expected = f"fit() got an unexpected keyword argument '{name}'"
    kind = TypeError if error_score == "raise" else ValueError
    assert messages[0][0] is messages[1][0] is kind
    if error_score == "raise":
        assert messages[0] == messages[1]
        assert expected in messages[0][1]


def test_parameters_that_fit_does_not_have_in_a_pipeline(mlp, cancer, untrained):
    pipeline = Pipeline([("a", Pipeline([("scale", StandardScaler()), ("b", mlp())]))])
    for name in ("a__b__partial", "a__b__resume", "a__b__spam"):
        search = BatchedGridSearchCV(pipeline, {"a__b__l2": [0.0]}, error_score="raise")
        match = rf"fit\(\) got an unexpected keyword argument '{name[6:]}'"
        with pytest.raises(TypeError, match=match):
            search.fit(*cancer, **{name: True})


# Errors of the search's own parameters.


def two_scores(estimator, X, y):
    return {"loss": -1.0, "accuracy": estimator.score(X, y)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scoring": ["accuracy", "f1"]},
        {"scoring": ["accuracy", "f1"], "refit": "auc"},
        {"scoring": {"a": "accuracy"}, "refit": "accuracy"},
        {"scoring": two_scores, "refit": "auc"},
        {"scoring": "beauty"},
        {"scoring": ["accuracy", "beauty"]},
        {"scoring": {"a": "accuracy", "b": "beauty"}, "refit": "a"},
        {"scoring": []},
        {"scoring": 7},
        {"refit": 3},
        {"cv": 1},
        {"error_score": "ignore"},
    ],
    # Without addresses of functions, which differ between test processes.
    ids=lambda wrong: str(wrong).split(" at 0x")[0],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_invalid_parameters_of_the_search_are_raised_before_anything_is_trained(
    mlp, cancer, untrained, wrong, in_pipeline
):
    est, name = mlp(), "l2"
    if in_pipeline:
        est, name = Pipeline([("scale", StandardScaler()), ("mlp", est)]), "mlp__l2"
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, **wrong).fit(*cancer)
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        BatchedGridSearchCV(est, {name: [0.0, 0.1]}, **wrong).fit(*cancer)
    ours = str(raised.value).replace("of BatchedGridSearchCV", "of GridSearchCV")
    assert ours == str(expected.value)


def test_a_function_of_several_scores(mlp, cancer, assert_same_results):
    options = {"scoring": two_scores, "refit": "accuracy", "cv": 2}
    ours, theirs = (
        search(mlp(), {"l2": [0.0, 0.1]}, **options).fit(*cancer)
        for search in (BatchedGridSearchCV, GridSearchCV)
    )
    assert_same_results(ours, theirs)
    assert ours.multimetric_


def test_a_function_of_scores_may_need_what_only_training_gives(mlp, cancer):
    def last(estimator, X, y):
        return {"loss": -estimator.history_["penalty"][-1]}

    options = {"scoring": last, "refit": "loss", "cv": 2}
    search = BatchedGridSearchCV(mlp(l2=0.1), {"l1": [0.0, 0.1]}, **options)
    assert search.fit(*cancer).best_params_ == {"l1": 0.0}


def test_a_search_cannot_be_fitted_while_it_is_fitted(mlp, cancer):
    def scorer(estimator, X, y):
        return search.fit(X, y).best_score_

    search = BatchedGridSearchCV(mlp(), {"l2": [0.0]}, cv=2, error_score="raise")
    search.set_params(scoring=scorer)
    with pytest.raises(RuntimeError, match=r"is being fitted already.*fit a clone"):
        search.fit(*cancer)
    assert vars(search).keys() == search.get_params(deep=False).keys()
    search.set_params(scoring="accuracy").fit(*cancer)


def test_a_function_of_scores_is_called_as_often_as_by_scikit_learn(mlp, cancer):
    calls = {BatchedGridSearchCV: 0, GridSearchCV: 0}
    for search in calls:

        def scorer(estimator, X, y, search=search):
            calls[search] += 1
            return 0.0

        search(mlp(), {"l2": [0.0, 0.1]}, scoring=scorer, cv=2).fit(*cancer)
    assert calls[BatchedGridSearchCV] == calls[GridSearchCV] == 4


def test_a_splitter_that_contradicts_itself(mlp, cancer, untrained):
    class Three(KFold):
        def get_n_splits(self, X=None, y=None, groups=None):
            return 3

    messages = []
    for search in (BatchedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="inconsistent results") as raised:
            search(mlp(), {"l2": [0.0, 0.1]}, cv=Three(2)).fit(*cancer)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
