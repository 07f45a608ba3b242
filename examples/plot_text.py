"""
Dropout for a bag of words
==========================

Which package does a docstring come from, given its first paragraph? A network with one
input column per word soon memorizes the training rows, and is overconfident on others.
With little or no L2, it takes a dropout rate of 0.8 to lower the log loss on held-out
rows, with hardly any change in accuracy. L2 of 0.01 alone has the same effect, and
dropout then does not help.
"""

import inspect
import re
from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline

from skreg import RegularizedMLPClassifier

PARTS = {
    "numpy": ["", ".fft", ".linalg", ".ma", ".random"],
    "scipy": [".fft", ".linalg", ".ndimage", ".optimize", ".signal", ".special"],
    "sklearn": [".cluster", ".datasets", ".linear_model", ".metrics", ".preprocessing"],
}
package = {}
for name, parts in PARTS.items():
    for part in parts:
        for thing in filter(callable, vars(import_module(name + part)).values()):
            paragraphs = re.split(r"\n\s*\n", inspect.getdoc(thing) or "")
            if re.match(r"\s*\w+\(", paragraphs[0]):  # the signature
                del paragraphs[0]
            if paragraphs:
                package.setdefault(paragraphs[0], name)
texts, y = list(package), list(package.values())

# %%
# The names of the packages would give the answer away. The bag of words is a sparse
# array, which the network uses without converting it.
names = ["numpy", "np", "scipy", "scikit", "sklearn"]
words = CountVectorizer(binary=True, stop_words=names, dtype=np.float32)
X = words.fit_transform(texts)
sparse = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
print(f"{X.shape[0]} rows, {X.shape[1]} words: {sparse / 1e6:.1f} MB sparse, ", end="")
print(f"{4 * X.shape[0] * X.shape[1] / 1e6:.1f} MB as a dense array")

network = RegularizedMLPClassifier(
    (16,), learning_rate=0.01, batch_size=100, epochs=50, random_state=0
)
rates, strengths = [0.0, 0.3, 0.6, 0.8, 0.9], [0.0, 0.001, 0.01]
search = GridSearchCV(
    Pipeline([("words", words), ("network", network)]),
    {"network__dropout": rates, "network__l2": strengths},
    scoring=["neg_log_loss", "accuracy"],
    refit=False,
    cv=StratifiedShuffleSplit(2, train_size=700, random_state=0),
)
results = search.fit(texts, y).cv_results_
losses = -results["mean_test_neg_log_loss"].reshape(len(rates), len(strengths))
accuracies = results["mean_test_accuracy"].reshape(losses.shape)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for values, ax in zip([losses, accuracies], axes, strict=True):
    for column, l2, style in zip(values.T, strengths, ["o-", "s--", "^:"], strict=True):
        ax.plot(rates, column, style, label=f"l2={l2}")
    ax.set(xlabel="dropout rate")
axes[0].set(ylabel="held-out log loss (nats per row)", ylim=(0, None))
axes[1].set(ylabel="held-out accuracy", ylim=(0, 1))
axes[1].legend()
fig.suptitle("Loss and accuracy over the dropout rate")
plt.show()
