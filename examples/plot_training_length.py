"""
How long to train
=================

`~skreg.RegularizedMLPRegressorCV` trains its candidates in rungs, and goes on to a
longer rung as long as that pays. On a noisy table it ends early; on a smooth one it
goes on to thousands of steps.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1

from skreg import RegularizedMLPRegressorCV

tables = {
    "noisy: diabetes": load_diabetes(return_X_y=True),
    "smooth: Friedman 1, no noise": make_friedman1(442, random_state=0),
}
fitted = {}
for name, (X, y) in tables.items():
    mlp = RegularizedMLPRegressorCV((64,), n_candidates=18, random_state=0)
    fitted[name] = mlp.fit(X, y)
    print(f"{name}: rungs of {fitted[name].n_resources_} epochs")
    print("  chosen:", sorted({p["epochs"] for p in fitted[name].ensemble_params_}))

# %%
# A line is a candidate: its error out of fold at the end of each of its rungs. Most
# candidates have only one point, as the best third alone goes on.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, (name, mlp) in zip(axes, fitted.items(), strict=True):
    lines = {}
    results = mlp.cv_results_
    names = "params", "numeric_preprocessing", "mean_test_score"
    for params, front_end, score in zip(*map(results.get, names), strict=True):
        line = lines.setdefault((params["l2"], front_end), [])
        line.append((params["epochs"], score))
    deviation = np.std(tables[name][1])
    for points in lines.values():
        epochs, scores = np.transpose(points)
        ax.plot(epochs, np.sqrt(-scores) / deviation, "o-", ms=3)
    ax.axvline(mlp.epochs_, color="black", ls=":", label="the best candidate's")
    ax.set(xscale="log", xlabel="epochs", ylabel="RMSE / standard deviation")
    ax.set_xticks(mlp.n_resources_, mlp.n_resources_)
    ax.minorticks_off()
    ax.set_title(name)
    ax.legend()
fig.suptitle("Errors of the candidates over their epochs")
plt.show()
