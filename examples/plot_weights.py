"""
How L1 and L2 change the weights
================================

Both penalties make weights small, but differently. L1 separates the weights of the
hidden layers: most are exactly zero, and those that are needed stay large. L2 also
shrinks the weights that are needed, and makes none zero. The accuracy is about the
same.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, WeightDisplay

X, y = load_breast_cancer(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
penalties = {
    "no penalty": {"l2": 0.0},
    "L1 of 0.002": {"l1": 0.002, "l2": 0.0},
    "L2 of 0.01": {"l2": 0.01},
}
models = {}
for name, penalty in penalties.items():
    network = RegularizedMLPClassifier((32, 32), epochs=200, random_state=0, **penalty)
    models[name] = make_pipeline(StandardScaler(), network).fit(X, y)
    hidden = np.concatenate([w.ravel() for w in network.coefs_[:-1]])
    accuracy = models[name].score(X_test, y_test)
    print(f"{name:11} {np.mean(hidden == 0):4.0%} zero, accuracy {accuracy:.3f}")

# %%
# Neither penalty applies to the output layer unless a list of strengths includes it.
fig, axes = plt.subplots(1, 3, figsize=(9, 4), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    WeightDisplay.from_estimator(model, ax=ax)
    ax.set_title(name)
    ax.label_outer()
    ax.get_legend().remove()
handles, _ = axes[0].get_legend_handles_labels()
names = ["hidden layer 1", "hidden layer 2", "output layer"]
fig.legend(handles, names, loc="outside lower center", ncols=3)
fig.suptitle("Weights of networks with each penalty")
plt.show()
