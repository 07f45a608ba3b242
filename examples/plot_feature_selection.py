"""
Columns that a network does not use
===================================

``group_l1`` removes whole columns from the network. In Friedman's first problem five of
twenty columns matter: two through their product, one through its square, two linearly.
The lasso, a linear model, misses the square. The ``feature_importances_`` of the
network put these five first; ``used_features_`` keeps some others, with small weights.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LassoCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor, SearchDisplay

X, y = make_friedman1(1000, n_features=20, noise=1.0, random_state=0)
X = StandardScaler().fit_transform(X)
X, y, X_test, y_test = X[:500], y[:500], X[500:], y[500:]

lasso = LassoCV(random_state=0).fit(X, y)
network = RegularizedMLPRegressor(
    (64, 64), l2=1e-3, ema_momentum=0.99, epochs=100, random_state=0
)
strengths = {"group_l1": [0.0, 0.02, 0.05, 0.1, 0.2]}


def n_columns(model, X, y):
    """Number of columns that a fitted network uses."""
    return model.used_features_.sum()


scoring = {"R2": "r2", "columns": n_columns}
search = GridSearchCV(network, strengths, scoring=scoring, refit="R2", cv=3)
best = search.fit(X, y).best_estimator_
without = network.fit(X, y)
for name, model in {"lasso": lasso, "no group_l1": without, "group_l1": best}.items():
    print(f"{name:12} R2 {r2_score(y_test, model.predict(X_test)):.3f}")
print("group_l1 keeps the columns", np.flatnonzero(best.used_features_))

# %%
# `SelectFromModel` works with the lasso and with the network alike.
for model in (lasso, best):
    selector = SelectFromModel(model, prefit=True, threshold=1e-10)
    print(type(model).__name__, np.flatnonzero(selector.get_support()))

# %%
# The search is a regularization path: above, the score and the number of columns in use
# along it. Below, the importances; nearly all of the network's are those of the five
# columns that matter.
columns = np.arange(X.shape[1])
fig, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
for ax, metric in zip(axes[0], scoring, strict=True):
    SearchDisplay.from_search(search, x="group_l1", metric=metric, ax=ax)
    ax.get_legend().remove()
importances = {"lasso": abs(lasso.coef_), "group_l1": best.feature_importances_}
for ax, (name, heights) in zip(axes[1], importances.items(), strict=True):
    ax.axvspan(-0.5, 4.5, color="0.9", zorder=0)
    ax.bar(columns, heights / heights.sum())
    ax.set(title=name, xlabel="column", ylabel="share of the importances")
fig.suptitle("Columns that the lasso and the network use")
plt.show()
