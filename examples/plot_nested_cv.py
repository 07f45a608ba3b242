"""
The best score of a search is optimistic
========================================

`best_score_` is the maximum of many noisy scores and therefore biased upwards, more so
with fewer rows and more candidates. Nested cross-validation runs the whole search
inside each fold of an outer cross-validation, whose test rows play no part in the
selection. A large held-out part of the data shows which of the two is closer.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

X, y = load_diabetes(return_X_y=True)
y = y > np.median(y)
grid = {
    "network__l2": [0.0, 0.1],
    "network__dropout": [0.0, 0.3, 0.6],
    "network__learning_rate": [0.01, 0.03, 0.1],
}

# %%
# Each repetition draws 60 of the 442 patients, and new folds.
columns = ["best_score_", "nested\ncross-validation", "the 382 other rows"]
scores = []
for seed in range(8):
    X_train, X_rest, y_train, y_rest = train_test_split(
        X, y, train_size=60, stratify=y, random_state=seed
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    network = RegularizedMLPClassifier((16,), epochs=20, random_state=seed)
    model = Pipeline([("scale", StandardScaler()), ("network", network)])
    search = GridSearchCV(model, grid, cv=folds).fit(X_train, y_train)
    nested = cross_val_score(search, X_train, y_train, cv=folds).mean()
    scores.append([search.best_score_, nested, search.score(X_rest, y_rest)])
scores = np.array(scores)

# %%
# Nested scores vary, like any score on 60 rows. Their mean is close to the right value,
# and a little below it, since the networks have a third fewer rows to train on.
means = scores.mean(axis=0)
fig, ax = plt.subplots(layout="constrained")
lines = ax.plot(columns, scores.T, ".-", color="0.75")
lines[0].set_label("one repetition")
ax.plot(columns, means, "Dk", label="mean of eight repetitions")
for column, mean in zip(columns, means, strict=True):
    where = {"xytext": (10, 10), "textcoords": "offset points", "zorder": 3}
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.annotate(f"{mean:.3f}", (column, mean), **where, bbox=box)
ax.margins(x=0.2)
ax.set(xlabel="estimate of the accuracy", ylabel="accuracy")
ax.legend()
fig.suptitle("Estimates of the accuracy after a search")
plt.show()
