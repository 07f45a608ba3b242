"""
Intervals from two quantiles
============================

Two regressors with ``loss="quantile"`` give the 5 % and the 95 % quantile of the target
given the columns, and between them an interval that has nine of ten targets.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPRegressorCV

rng = np.random.default_rng(0)
X = rng.uniform(0, 10, size=(1200, 1))
# The noise grows with x, and is skewed.
y = np.sin(X[:, 0]) + 0.05 * X[:, 0] * rng.gumbel(size=1200)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)

quantiles = (0.05, 0.95)
low, high = (
    RegularizedMLPRegressorCV(
        (64, 64), loss="quantile", quantile=q, n_candidates=9, random_state=0
    ).fit(X, y)
    for q in quantiles
)
bounds = low.predict(X_test), high.predict(X_test)
coverage = np.mean((bounds[0] <= y_test) & (y_test <= bounds[1]))
print(f"share of the held-out targets in the interval: {coverage:.3f}")
for q, bound in zip(quantiles, bounds, strict=True):
    loss = mean_pinball_loss(y_test, bound, alpha=q)
    alone = mean_pinball_loss(y_test, np.full(len(y_test), np.quantile(y, q)), alpha=q)
    print(
        f"pinball loss of the {q:.0%} quantile: {loss:.4f}, of a constant {alone:.4f}"
    )

# %%
# The interval is wider where the noise is larger, and wider above than below.
grid = np.linspace(0, 10, 200)[:, np.newaxis]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(X_test, y_test, ".", color="0.6", ms=3, label="held-out rows")
ax.fill_between(
    grid[:, 0],
    low.predict(grid),
    high.predict(grid),
    alpha=0.4,
    label=f"5 % to 95 % (coverage {coverage:.0%})",
)
ax.set(xlabel="x", ylabel="y")
ax.legend()
fig.suptitle("An interval of two quantiles")
plt.show()
