"""
Data that do not fit into memory
================================

`partial_fit` trains one epoch on the rows that it is given, and the next call continues
from there. With several passes over the chunks of a file, the network becomes as
accurate as with `fit` on all rows in memory for as many epochs.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

N_PASSES, CHUNK = 8, 2000

X, y = make_classification(
    14_000, 40, n_informative=15, n_classes=5, class_sep=1.5, random_state=0
)
X_train, y_train = X[:10_000].astype(np.float32), y[:10_000]
X_test, y_test = X[10_000:].astype(np.float32), y[10_000:]

# %%
# The file stands for one that is larger than memory, with its rows in random order. A
# memory-mapped array reads only the current chunk.
with tempfile.TemporaryFile() as file:
    rows = np.memmap(file, np.float32, mode="w+", shape=X_train.shape)
rows[:] = X_train


def chunks():
    """One pass over the file, chunk by chunk."""
    for start in range(0, len(rows), CHUNK):
        yield np.array(rows[start : start + CHUNK]), y_train[start : start + CHUNK]


# %%
# The scaler needs a first pass, with its own `partial_fit`.
scaler = StandardScaler()
for X_chunk, _ in chunks():
    scaler.partial_fit(X_chunk)

network = RegularizedMLPClassifier((64,), l2=1e-4, random_state=0)
accuracy = []
for _ in range(N_PASSES):
    for X_chunk, y_chunk in chunks():
        network.partial_fit(scaler.transform(X_chunk), y_chunk, classes=range(5))
        accuracy.append(network.score(scaler.transform(X_test), y_test))

model = make_pipeline(StandardScaler(), network.set_params(epochs=N_PASSES))
full = model.fit(X_train, y_train).score(X_test, y_test)

passes = np.arange(1, len(accuracy) + 1) * CHUNK / len(rows)
fig, ax = plt.subplots(layout="constrained")
ax.plot(passes, accuracy, "o-", markersize=4, label="partial_fit, after each chunk")
ax.axhline(full, color="black", linestyle="--", label=f"fit, {N_PASSES} epochs")
ax.set(xlabel="passes over the rows", ylabel="held-out accuracy")
ax.legend()
fig.suptitle("Accuracy of partial_fit over the passes")
plt.show()
