"""
Which strength to choose
========================

This example searches over L2 and dropout on 200 rows, with 100 columns of noise beside
the 30 informative ones. The heatmap shows what two separate curves would not: either
can replace the other. Without L2, a dropout rate of 0.6 lowers the loss; with L2 of
0.01 it gains next to nothing; and high values of both are worst.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, SearchDisplay

X, y = load_breast_cancer(return_X_y=True)
X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 100))])
X, _, y, _ = train_test_split(X, y, train_size=200, stratify=y, random_state=0)

network = RegularizedMLPClassifier((64,), epochs=40, random_state=0)
search = GridSearchCV(
    Pipeline([("scale", StandardScaler()), ("network", network)]),
    {
        "network__l2": [0.0, 0.0001, 0.001, 0.01, 0.1],
        "network__dropout": [0.0, 0.3, 0.6, 0.9],
    },
    scoring="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
)
search.fit(X, y)

# %%
# Scores are negative losses: higher is better. The error bars are wide because a fold
# of 40 rows may be easy or hard for all candidates. Differences of 0.01 do not count.
fig = plt.figure(figsize=(7.5, 8), layout="constrained")
for part, kind in zip(fig.subfigures(2, 1), ["line", "heatmap"], strict=True):
    ax = part.subplots()
    SearchDisplay.from_search(search, x="l2", hue="dropout", kind=kind, ax=ax)
fig.suptitle("Scores over L2 and dropout")
plt.show()
