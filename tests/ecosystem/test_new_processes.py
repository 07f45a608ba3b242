"""What skreg imports, changes, computes and prints in a new process."""

import inspect
import json
import pickle

import fresh_process
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


# This is one test, so that pytest-xdist starts one process for it.
def test_a_new_process_changes_nothing_global_and_gives_the_same_bits(in_new_process):
    code = inspect.getsource(fresh_process)
    *printed, report = in_new_process(code).splitlines()
    report = json.loads(report)
    assert report["changed by importing"] == []
    assert report["changed by fitting"] == []
    assert printed == []
    here = fresh_process.seeded_digests()
    assert report["digests"] == here
    assert len(set(here)) == len(here) == 3


WITHOUT_KERAS = """
import pickle
import sys
import warnings

for name in ("keras", "scikeras", "tensorflow"):
    sys.modules[name] = None  # an import would fail

import numpy as np
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_html_repr

import skreg

warnings.simplefilter("error")
X, y = load_iris(return_X_y=True)
mlp = skreg.RegularizedMLPClassifier((8,), epochs=2, random_state=0)
print(mlp, len(estimator_html_repr(mlp)) > 100)
for optimizer in ("adam", "AdamW", "nadam", "adamax", "adagrad", "rmsprop", "lion"):
    mlp.set_params(optimizer=optimizer).fit(X, y)
mlp.set_params(optimizer="sgd", learning_rate=0.1, early_stopping=True).fit(X, y)
mlp.set_params(l1=0.01, dropout=0.2, ema_momentum=0.9, warm_start=True).fit(X, y)
again = pickle.loads(pickle.dumps(mlp)).set_params(early_stopping=False)
again.partial_fit(csr_array(X), y)
again.predict_proba(X), again.score(X, y), clone(again).fit(X, y)
print(again)
mlr = skreg.RegularizedMLPRegressor((8,), epochs=2, loss="huber")
rows, numbers = load_diabetes(return_X_y=True)
two = np.column_stack([numbers, numbers])
mlr.fit(rows, two, X_val=rows[:9], y_val=two[:9])
cross_val_score(mlr, rows, numbers)
with parallel_config("threading", n_jobs=2):
    search = GridSearchCV(mlp, {"l2": [0.0, 0.1]}, cv=3).fit(X, y)
estimators = {
    skreg.RegularizedMLPClassifierCV: (X, y),
    skreg.RegularizedMLPRegressorCV: (rows, numbers),
}
for cls, data in estimators.items():
    est = cls((8,), n_candidates=3, epochs=3, cv=2, ensemble_size=2, random_state=0)
    print(est, len(estimator_html_repr(est)) > 100)
    est = pickle.loads(pickle.dumps(est.fit(*data)))
    est.predict(data[0])
try:
    mlp.set_params(engine="keras").fit(X, y)
except ImportError:
    print("needs Keras")
"""


def test_only_the_keras_engine_needs_keras(in_new_process):
    printed = in_new_process(WITHOUT_KERAS)
    assert printed.count(" True\n") == 3
    assert printed.endswith("needs Keras\n")


IMPORTED = """
import sys
import numpy as np
import skreg

mlp = skreg.RegularizedMLPClassifier((4,), epochs=1)
mlp.fit(np.eye(4), [0, 0, 1, 1]).predict(np.eye(4))
print({"keras", "scikeras", "tensorflow", "matplotlib"} & set(sys.modules))
"""


def test_a_fit_imports_nothing_that_is_slow_to_import(in_new_process):
    assert in_new_process(IMPORTED) == "set()\n"


PREDICT = """
import pickle
import sys
from pathlib import Path

path = Path(sys.argv[1])
calls = pickle.loads(path.read_bytes())
path.write_bytes(pickle.dumps([predict(X) for predict, X in calls]))
slow_to_import = {"keras", "scikeras", "tensorflow", "numba", "skreg._cv.base"}
print(slow_to_import & set(sys.modules))
"""


def test_pickles_predict_in_another_process_without_keras(
    mlp, mlr, cancer, diabetes, tmp_path, in_new_process
):
    X, y = cancer
    alone = mlp().fit(X, y)
    classifier = make_pipeline(StandardScaler(), mlp(activation="gelu")).fit(X, y)
    regressor = make_pipeline(StandardScaler(), mlr(activation="gelu")).fit(*diabetes)
    calls = [
        (alone.predict_proba, X),
        (classifier.predict_proba, X),
        (regressor.predict, diabetes[0]),
    ]
    path = tmp_path / "calls.pickle"
    path.write_bytes(pickle.dumps(calls))
    assert in_new_process(PREDICT, str(path)) == "set()\n"
    got = pickle.loads(path.read_bytes())
    np.testing.assert_array_equal(got[0], alone.predict_proba(X))
    for predicted, (predict, rows) in zip(got, calls, strict=True):
        np.testing.assert_allclose(predicted, predict(rows), rtol=1e-12)
