"""The gain from regularization where a network overfits, by repeated cross-validation.

Five networks learn the breast cancer data with 300 columns of noise added, ten for each
real column. All are trained on the same folds, so that the gain over the plain network
is computed fold by fold.
"""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

NETWORKS = {
    "plain": {"l2": 0.0},
    "L1": {"l1": 0.003, "l2": 0.0},
    "L2": {"l2": 0.01},
    "dropout": {"l2": 0.0, "dropout": 0.5},
    "L2 and dropout": {"l2": 0.01, "dropout": 0.5},
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--repeats", type=int, default=5)
options = parser.parse_args()

X, y = load_breast_cancer(return_X_y=True)
X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 300))])
folds = RepeatedStratifiedKFold(
    n_splits=options.folds, n_repeats=options.repeats, random_state=0
)

print("                       accuracy       gain over plain")
print("network              mean      std       mean      std")
accuracy = {}
for name, regularization in NETWORKS.items():
    network = RegularizedMLPClassifier(
        (64, 64), epochs=options.epochs, random_state=0, **regularization
    )
    model = make_pipeline(StandardScaler(), network)
    accuracy[name] = cross_val_score(model, X, y, cv=folds)
    gain = accuracy[name] - accuracy["plain"]
    print(
        f"{name:16} {accuracy[name].mean():8.4f} {accuracy[name].std():8.4f}"
        f"   {gain.mean():+8.4f} {gain.std():8.4f}"
    )
