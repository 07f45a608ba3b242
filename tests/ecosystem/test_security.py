"""Loading a pickle and looking up a name run no code of other libraries."""

import io
import pickle

import pytest

from skreg import (
    MLPEnsembleRegressor,
    RegularizedMLPClassifierCV,
)

TRUSTED = {"numpy", "scipy", "skreg", "sklearn"}


class Recorder(pickle.Unpickler):
    """Keeps the names that a pickle asks for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.names = set()

    def find_class(self, module, name):
        self.names.add((module, name))
        return super().find_class(module, name)


@pytest.fixture(params=["classifier", "going on", "cv estimator", "ensemble"])
def saved(request, mlp, mlr, iris, diabetes, fitted_iris):
    X, y = iris
    small = {"n_candidates": 2, "cv": 2, "random_state": 0}
    make = {
        "classifier": lambda: fitted_iris,
        "going on": lambda: mlp().partial_fit(X, y, classes=[0, 1, 2]),
        "cv estimator": lambda: RegularizedMLPClassifierCV(
            (8,), epochs=2, preprocessing=None, **small
        ).fit(X, y),
        "ensemble": lambda: MLPEnsembleRegressor(mlr(), [{}]).fit(*diabetes),
    }
    return make[request.param]()


def test_a_pickle_names_nothing_but_classes_and_arrays(saved):
    recorder = Recorder(io.BytesIO(pickle.dumps(saved)))
    recorder.load()
    assert recorder.names
    for module, name in recorder.names:
        assert module.split(".")[0] in TRUSTED, (module, name)


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
NO_NAMES = [
    "__import__('os').abort()",
    "os.abort",
    "builtins.eval",
    "keras.layers.Lambda",
    "Lambda",
    "function",
    "LossScaleOptimizer",
    LAMBDA,
    {"module": "builtins", "class_name": "eval", "config": "1"},
]


@pytest.mark.parametrize(
    "name", ["activation", "optimizer", "learning_rate", "loss", "engine", "callbacks"]
)
@pytest.mark.parametrize("value", NO_NAMES, ids=str)
def test_a_string_is_only_looked_up(mlr, diabetes, name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        mlr(**{name: value}).fit(*diabetes)
