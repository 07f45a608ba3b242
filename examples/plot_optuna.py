"""
Strengths found by Optuna
=========================

Optuna's `OptunaSearchCV` works with skreg's estimators like any search. It draws ten
settings of L1, L2 and dropout at random, and then settings similar to the best ones so
far. Few of these score low, and the best one scores above the network's defaults.

This example needs ``pip install 'skreg[optuna]'``.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna_integration import OptunaSearchCV
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

X, y = load_diabetes(return_X_y=True)
folds = KFold(3, shuffle=True, random_state=0)
network = RegularizedMLPRegressor((64,), epochs=30, random_state=0)
model = Pipeline([("scale", StandardScaler()), ("network", network)])
default = cross_val_score(model, X, y, cv=folds).mean()

# %%
# `OptunaSearchCV` is experimental and uses a part of Optuna that is about to change.
# The warnings about both do not matter here.
strengths = {
    "network__l1": FloatDistribution(1e-5, 1.0, log=True),
    "network__l2": FloatDistribution(1e-5, 1.0, log=True),
    "network__dropout": FloatDistribution(0.0, 0.9),
}
optuna.logging.set_verbosity(optuna.logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", "`optuna.terminator`", FutureWarning)
    search = OptunaSearchCV(model, strengths, cv=folds, n_trials=30, random_state=0)
    search.fit(X, y)
best = {name.removeprefix("network__"): x for name, x in search.best_params_.items()}
print("best:", ", ".join(f"{name} = {value:.2g}" for name, value in best.items()))

# %%
scores = [trial.value for trial in search.trials_]
numbers = np.arange(1, len(scores) + 1)
fig, ax = plt.subplots(layout="constrained")
ax.plot(numbers, scores, "o", label="trial")
ax.step(numbers, np.maximum.accumulate(scores), where="post", label="best so far")
ax.axhline(default, color="black", linestyle="--", label="defaults of the network")
ax.set(xlabel="trial", ylabel="R2, mean over three folds")
ax.legend(loc="lower right")
fig.suptitle("Scores of Optuna's trials")
plt.show()
