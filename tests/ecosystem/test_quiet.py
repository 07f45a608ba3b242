"""Neither engine writes anything that was not asked for."""

import os
import subprocess
import sys

FITS = """
import sys
import warnings

import keras
import numpy as np
import tensorflow as tf

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

warnings.simplefilter("error")
tf.function(tf.square)(tf.ones(1))
# TensorFlow writes the lines before this one.
print("started", file=sys.stderr, flush=True)

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def make(cls=RegularizedMLPClassifier, **params):
    return cls((4,), **{"engine": "keras", "epochs": 12, **params})


for n_rows in range(33, 41):  # one step per call
    make(batch_size=40).partial_fit(X[:n_rows], y[:n_rows], classes=[0, 1])
for epochs in (1, 4, 12, 12):  # short fits trace no step
    make(dropout=0.5, epochs=epochs).fit(X, y)
make(early_stopping=True, n_iter_no_change=1, tol=9.0).fit(X, y)
est = make(RegularizedMLPRegressor, warm_start=True, optimizer="rmsprop").fit(X, X)
est.fit(X, X).partial_fit(X, X).predict(X)
for targets in (y, y + (X[:, 1] > 0), np.stack([y, 1 - y], 1)):
    make(engine="compiled", dropout=0.5).fit(X, targets)
make(RegularizedMLPRegressor, engine="compiled", dropout=0.5).fit(X, X)
try:
    make(optimizer="sgd", learning_rate=1e30).fit(X, y)
except ValueError as error:
    assert "non-finite" in str(error)
try:
    make(callbacks=[Interrupt()]).fit(X, y)
except KeyboardInterrupt as error:
    left = error  # this keeps the frames until Python ends
"""


def test_fits_are_silent_to_the_end_of_the_process():
    done = subprocess.run(
        [sys.executable, "-c", FITS],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "1"},  # warnings are shown
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    # TensorFlow 2.20 shows information whatever the level, and says so.
    others = ("I0000 ", "WARNING: All log messages before absl::InitializeLog()")
    lines = done.stderr.partition("started\n")[2].splitlines()
    assert [line for line in lines if not line.startswith(others)] == []
