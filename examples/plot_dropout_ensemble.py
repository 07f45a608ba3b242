"""
Dropout as an ensemble of thinned networks
==========================================

With a dropout rate of 0.5, each training step updates a different thinned network,
without about half of the hidden units. To predict, one could average the probabilities
of many of them [1]_. `predict_proba` runs the full network once, which gives their
geometric mean: exactly with one hidden layer [2]_, approximately with two, as here.

.. [1] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov,
   "Dropout: a simple way to prevent neural networks from overfitting", Journal of
   Machine Learning Research 15, 2014, section 7.5.
.. [2] G. Hinton, N. Srivastava, A. Krizhevsky, I. Sutskever and R. Salakhutdinov,
   "Improving neural networks by preventing co-adaptation of feature detectors", 2012,
   `arXiv:1207.0580 <https://arxiv.org/abs/1207.0580>`_.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

RATE = 0.5

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype(np.float32), y, train_size=500, stratify=y, random_state=0
)
network = RegularizedMLPClassifier(
    (128, 128), dropout=RATE, l2=0.0, epochs=60, random_state=0
)
model = make_pipeline(StandardScaler(), network).fit(X, y)
whole = log_loss(y_test, model.predict_proba(X_test))

# %%
# Weights are plain arrays, so a thinned network takes a few lines of NumPy. As in
# training, half of a layer's units are set to zero and the others doubled.
X_test = model[:-1].transform(X_test)
rng = np.random.default_rng(0)


def thinned_logits(n):
    """Logits of n networks without a random half of their hidden units."""
    hidden = X_test
    for kernel, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        kept = rng.random((n, 1, len(bias))) >= RATE
        hidden = np.maximum(np.tensordot(hidden, kernel, 1) + bias, 0) * kept
        hidden /= 1 - RATE
    return np.tensordot(hidden, network.coefs_[-1], 1) + network.intercepts_[-1]


# %%
# Average 1 to 50 thinned networks, ten times: their probabilities, and their logits,
# which gives the geometric mean of the probabilities.
sizes = [1, 2, 5, 10, 20, 50]
losses = {"mean": [], "geometric mean": []}
for _ in range(10):
    logits = thinned_logits(sizes[-1])
    means = [softmax(logits[:n], axis=2).mean(axis=0) for n in sizes]
    losses["mean"].append([log_loss(y_test, mean) for mean in means])
    means = [softmax(logits[:n].mean(axis=0), axis=1) for n in sizes]
    losses["geometric mean"].append([log_loss(y_test, mean) for mean in means])

fig, ax = plt.subplots(layout="constrained")
for (name, values), style in zip(losses.items(), ["o-", "s-."], strict=True):
    ax.fill_between(sizes, np.min(values, axis=0), np.max(values, axis=0), alpha=0.2)
    ax.plot(sizes, np.mean(values, axis=0), style, label=f"{name} of thinned networks")
ax.axhline(whole, color="black", linestyle="--", label="full network")
ax.set(xscale="log", xlabel="thinned networks", ylabel="held-out log loss (nats)")
ax.set_xticks(sizes, sizes)
ax.legend(title="lines: mean of ten draws; areas: range")
fig.suptitle("Log-loss of means of thinned networks")
plt.show()
