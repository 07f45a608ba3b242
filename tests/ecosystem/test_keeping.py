"""Saving a fitted estimator: pickles, skops, and the network as a file of Keras."""

import io
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from problems import SMALL_CV, ignores_copy_warning
from skops import io as skops

from skreg import RegularizedMLPClassifierCV
from skreg._estimators import common


def n_bytes(est):
    return sum(w.nbytes for w in est.coefs_ + est.intercepts_)


@pytest.mark.parametrize("way", ["fit", "warm_start", "partial_fit"])
def test_a_pickle_holds_the_optimizer_only_where_training_may_go_on(mlp, cancer, way):
    X, y = cancer
    est = mlp((300, 300), warm_start=way == "warm_start")
    if way == "partial_fit":
        est.partial_fit(X, y, classes=[0, 1])
    else:
        est.fit(X, y)
    assert est.model_.built  # the pickle leaves it out
    # Adam has two slots for every weight.
    expected = n_bytes(est) * (1 if way == "fit" else 3)
    assert expected < len(pickle.dumps(est)) < 1.1 * expected + 16_000


@pytest.mark.parametrize("state_format", [common.STATE_FORMAT + 1, None])
def test_a_pickle_of_another_format_is_refused(mlp, cancer, monkeypatch, state_format):
    est = mlp().fit(*cancer)
    monkeypatch.setattr(common, "STATE_FORMAT", state_format)
    later = pickle.dumps(est)
    monkeypatch.undo()
    message = (
        "RegularizedMLPClassifier was saved by another version of skreg, whose format "
        f"is {state_format}; this one reads format {common.STATE_FORMAT}"
    )
    with pytest.raises(ValueError, match=message):
        pickle.loads(later)


class Names(pickle.Unpickler):
    """Notes which objects of skreg a pickle names."""

    def find_class(self, module, name):
        if module.partition(".")[0] == "skreg":
            self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


IN_PICKLES = {
    "skreg.MLPEnsembleClassifier",
    "skreg.RegularizedMLPClassifier",
    "skreg.RegularizedMLPClassifierCV",
    "skreg.as_text",
    "skreg.neg_log_loss",
    "skreg.smooth_clip",
}


@pytest.fixture(scope="module")
def on_a_table():
    """A CV estimator that was fitted to categories, and to numbers that it clips."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": np.exp(3 * rng.normal(size=200)), "c": ["u", "v"] * 100})
    y = (np.log(table["x"]) > 0).to_numpy()
    options = SMALL_CV | {"preprocessing": "auto"}
    est = RegularizedMLPClassifierCV((16,), **options).fit(table, y)
    assert est.numeric_preprocessing_ != "standard"
    return est, table


def test_pickles_name_nothing_that_may_move(on_a_table):
    est, table = on_a_table
    unpickler = Names(io.BytesIO(pickle.dumps(est)))
    unpickler.found = set()
    restored = unpickler.load()
    assert unpickler.found == IN_PICKLES
    np.testing.assert_array_equal(
        restored.predict_proba(table), est.predict_proba(table)
    )


@pytest.mark.parametrize("part", ["best_estimator_", None])
def test_pickles_of_ensembles_and_choices_have_a_format(on_a_table, part):
    est = on_a_table[0] if part is None else getattr(on_a_table[0], part)
    state = est.__getstate__()
    assert state["_state_format"] == common.STATE_FORMAT
    with pytest.raises(ValueError, match=f"{type(est).__name__} was saved by another"):
        type(est).__new__(type(est)).__setstate__(state | {"_state_format": 0})


def test_skops_loads_a_cv_estimator(on_a_table):
    est, table = on_a_table
    saved = skops.dumps(est)
    every = skops.get_untrusted_types(data=saved)
    assert {name for name in every if "skreg" in name} == IN_PICKLES
    restored = skops.loads(saved, trusted=every)
    np.testing.assert_array_equal(
        restored.predict_proba(table), est.predict_proba(table)
    )


TRUSTED = ["skreg.RegularizedMLPClassifier"]


def test_skops_asks_for_the_public_class_alone_and_loads_the_same(mlp, cancer):
    X, y = cancer
    est = mlp().partial_fit(X, y, classes=[0, 1])
    saved = skops.dumps(est)
    assert skops.get_untrusted_types(data=saved) == TRUSTED
    restored = skops.loads(saved, trusted=TRUSTED)
    np.testing.assert_array_equal(restored.predict_proba(X), est.predict_proba(X))
    est, restored = (e.partial_fit(X, y) for e in (est, restored))
    np.testing.assert_array_equal(restored.predict_proba(X), est.predict_proba(X))


def test_skops_refuses_an_optimizer_object_until_it_is_taken_out(mlp, cancer):
    X, y = cancer
    est = mlp(optimizer=keras.optimizers.SGD(0.1)).fit(X, y)
    with pytest.raises(TypeError, match="cannot be pickled"):
        skops.dumps(est)
    saved = skops.dumps(est.set_params(optimizer="sgd"))
    restored = skops.loads(saved, trusted=TRUSTED)
    np.testing.assert_array_equal(restored.predict_proba(X), est.predict_proba(X))


BY_KERAS_ALONE = """
import sys
import keras
import numpy as np
for path in sys.argv[1:]:
    arrays = np.load(path + ".npz")
    outputs = keras.models.load_model(path + ".keras")(arrays["X"])
    np.testing.assert_allclose(outputs, arrays["expected"], rtol=1e-6, atol=1e-12)
assert not any(name.startswith(("skreg", "scikeras")) for name in sys.modules)
"""


def kept(est, X, y, path):
    """Fit, and save the rows and the outputs for them beside `path`."""
    est.fit(X, y)
    if not hasattr(est, "predict_proba"):
        expected = est.predict(X)[:, np.newaxis]
    elif est.coefs_[-1].shape[1] == 1:
        expected = est.predict_proba(X)[:, 1:]
    else:
        expected = est.predict_proba(X)
    np.savez(path.with_suffix(".npz"), X=X, expected=expected)
    return est


@ignores_copy_warning
def test_keras_alone_loads_the_network(
    mlp, mlr, cancer, iris, diabetes, tmp_path, in_new_process
):
    X, y = diabetes
    labels = np.column_stack([y > 100, y > 150, X[:, 0] > 0]).astype(int)
    params = {"l1": 1e-3, "dropout": 0.5}
    problems = {
        "two classes": (mlp(**params), *cancer),
        "three classes": (mlp(**params), *iris),
        "labels": (mlp(**params), X, labels),
        "numbers": (mlr(**params), X, y),
    }
    for name, problem in problems.items():
        est = kept(*problem, tmp_path / name)
        est.model_.save(tmp_path / f"{name}.keras")
    in_new_process(BY_KERAS_ALONE, *(str(tmp_path / name) for name in problems))


# These run in new processes, as tf2onnx warns of much in its dependencies.
EXPORT = """
import pickle, sys
import keras
import numpy as np
for path in sys.argv[1:]:
    with open(path + ".pickle", "rb") as file:
        est = pickle.load(file)
    arrays = np.load(path + ".npz")
    np.testing.assert_allclose(est.model_(arrays["X"]), arrays["expected"], rtol=1e-5)
    dtype = est.coefs_[0].dtype.name
    rows = keras.InputSpec(shape=(None, est.n_features_in_), dtype=dtype, name="input")
    est.model_.export(
        path + ".onnx", format="onnx", input_signature=[rows], verbose=False
    )
"""

BY_ONNXRUNTIME = """
import sys
import numpy as np
import onnxruntime
for path in sys.argv[1:]:
    arrays = np.load(path + ".npz")
    session = onnxruntime.InferenceSession(path + ".onnx")
    (outputs,) = session.run(None, {"input": arrays["X"]})
    np.testing.assert_allclose(outputs, arrays["expected"], atol=1e-5)
"""


def test_the_network_of_a_pickle_predicts_the_same_in_onnxruntime(
    mlp, iris, tmp_path, in_new_process
):
    X, y = iris
    dtypes = {"single": np.float32, "double": np.float64}
    for name, dtype in dtypes.items():
        est = mlp((8, 6), l1=1e-3, dropout=0.5)
        est = kept(est, X.astype(dtype), y, tmp_path / name)
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(est))
    paths = [str(tmp_path / name) for name in dtypes]
    in_new_process(EXPORT, *paths)
    in_new_process(BY_ONNXRUNTIME, *paths)
