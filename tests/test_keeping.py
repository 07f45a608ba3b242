"""Keeping a fitted estimator: pickles, and the network as a file of Keras'."""

import pickle

import keras
import numpy as np
import pytest
from skops import io as skops

from skreg import _base


def n_bytes(est):
    return sum(w.nbytes for w in est.coefs_ + est.intercepts_)


def test_a_pickle_holds_the_weights_once(mlp, cancer):
    est = mlp((300, 300)).fit(*cancer)
    assert est.model_.built
    assert len(pickle.dumps(est)) < 1.3 * n_bytes(est) + 16_000


@pytest.mark.parametrize("way", ["warm_start", "partial_fit"])
def test_a_pickle_holds_the_optimizer_where_the_training_may_go_on(mlp, cancer, way):
    X, y = cancer
    est = mlp((300, 300))
    if way == "warm_start":
        est.set_params(warm_start=True).fit(X, y)
    else:
        est.partial_fit(X, y, classes=[0, 1])
    # Adam's two slots for every weight.
    assert 3 * n_bytes(est) < len(pickle.dumps(est)) < 3.3 * n_bytes(est) + 16_000


LOAD = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    est, X, expected = pickle.load(file)
np.testing.assert_array_equal(est.predict_proba(X), expected)
assert "skreg._search" not in sys.modules  # whose import takes as long as all else
np.testing.assert_allclose(est.model_(X), expected[:, 1:], rtol=1e-6)
"""


def test_a_pickle_is_loaded_in_another_process(mlp, cancer, tmp_path, in_new_process):
    X, y = cancer
    est = mlp().fit(X, y)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((est, X, est.predict_proba(X))))
    in_new_process(LOAD, path)


@pytest.mark.parametrize("state_format", [2, None])
def test_a_pickle_of_another_format_is_refused(mlp, cancer, monkeypatch, state_format):
    est = mlp().fit(*cancer)
    monkeypatch.setattr(_base, "STATE_FORMAT", state_format)
    later = pickle.dumps(est)
    monkeypatch.undo()
    message = (
        "RegularizedMLPClassifier was saved by another version of skreg, whose format "
        f"is {state_format}; this one reads format 1"
    )
    with pytest.raises(ValueError, match=message):
        pickle.loads(later)


TRUSTED = ["skreg._classifier.RegularizedMLPClassifier", "skreg._task.Architecture"]


def test_skops_asks_for_two_types_and_loads_the_same(mlp, cancer):
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


def test_the_format_is_no_attribute(mlp, cancer):
    est = mlp().fit(*cancer)
    restored = pickle.loads(pickle.dumps(est))
    assert vars(restored).keys() == vars(est).keys()


BY_KERAS_ALONE = """
import sys
import keras
import numpy as np
assert not any(name.startswith("skreg") for name in sys.modules)
arrays = np.load(sys.argv[2])
network = keras.models.load_model(sys.argv[1])
outputs = keras.ops.convert_to_numpy(network(arrays["X"]))
np.testing.assert_allclose(outputs, arrays["expected"], rtol=1e-6, atol=1e-12)
assert "skreg" not in sys.modules
"""


@pytest.mark.parametrize("kind", ["two classes", "three classes", "labels", "numbers"])
def test_keras_alone_loads_the_network(
    kind, mlp, mlr, cancer, iris, diabetes, tmp_path, in_new_process
):
    X, y = {"two classes": cancer, "three classes": iris}.get(kind, diabetes)
    if kind == "labels":
        y = np.column_stack([y > 100, y > 150, X[:, 0] > 0]).astype(int)
    est = (mlr if kind == "numbers" else mlp)(l1=1e-3, dropout=0.5).fit(X, y)
    expected = est.predict(X) if kind == "numbers" else est.predict_proba(X)
    if kind == "two classes":
        expected = expected[:, 1]
    if expected.ndim == 1:
        expected = expected[:, np.newaxis]
    est.model_.save(tmp_path / "model.keras")
    np.savez(tmp_path / "arrays.npz", X=X, expected=expected)
    in_new_process(BY_KERAS_ALONE, tmp_path / "model.keras", tmp_path / "arrays.npz")


BY_ONNXRUNTIME = """
import sys
import numpy as np
import onnxruntime
arrays = np.load(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1])
(outputs,) = session.run(None, {"input": arrays["X"]})
np.testing.assert_allclose(outputs, arrays["expected"], atol=1e-5)
"""

# In a process of its own, as tf2onnx warns of much in its dependencies.
EXPORT = """
import pickle, sys
import keras
with open(sys.argv[1], "rb") as file:
    est = pickle.load(file)
rows = keras.InputSpec(
    shape=(None, est.n_features_in_), dtype=est.coefs_[0].dtype.name, name="input"
)
est.model_.export(sys.argv[2], format="onnx", input_signature=[rows], verbose=False)
"""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_onnxruntime_predicts_the_same(mlp, iris, dtype, tmp_path, in_new_process):
    X = iris[0].astype(dtype)
    est = mlp((8, 6), l1=1e-3, dropout=0.5).fit(X, iris[1])
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(est))
    np.savez(tmp_path / "arrays.npz", X=X, expected=est.predict_proba(X))
    in_new_process(EXPORT, tmp_path / "model.pickle", tmp_path / "model.onnx")
    in_new_process(BY_ONNXRUNTIME, tmp_path / "model.onnx", tmp_path / "arrays.npz")
