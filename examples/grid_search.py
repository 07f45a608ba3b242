"""Choose L1, L2 and dropout like any other hyperparameter: by cross-validation.

scikit-learn's `GridSearchCV` ranks twelve settings of a network, in a Pipeline with a
scaler, on the breast cancer data. It trains as many networks at the same time as there
are cores, in threads. The best setting is then evaluated on held-out rows.
"""

import argparse

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=50)
parser.add_argument("--folds", type=int, default=5)
options = parser.parse_args()

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

network = RegularizedMLPClassifier((64, 64), epochs=options.epochs, random_state=0)
grid = {
    "network__l1": [0.0, 0.001],
    "network__l2": [0.0, 0.001, 0.01],
    "network__dropout": [0.0, 0.5],
}
# On this easy data, accuracies differ by a row or two and are often tied.
search = GridSearchCV(
    Pipeline([("scale", StandardScaler()), ("network", network)]),
    grid,
    scoring="neg_log_loss",
    cv=options.folds,
)
with joblib.parallel_config("threading", n_jobs=-1):
    search.fit(X_train, y_train)

names = [name.removeprefix("network__") for name in grid]
print("rank", *(f"{name:>8}" for name in names), " log-loss      std")
results = search.cv_results_
for i in results["rank_test_score"].argsort(kind="stable"):
    values = [f"{results['params'][i][name]:8}" for name in grid]
    mean, std = -results["mean_test_score"][i], results["std_test_score"][i]
    print(f"{results['rank_test_score'][i]:4}", *values, f"{mean:9.4f} {std:8.4f}")

best = [f"{name}={search.best_params_[f'network__{name}']}" for name in names]
log_loss = -search.score(X_test, y_test)
accuracy = search.best_estimator_.score(X_test, y_test)
print(f"\nBest setting: {', '.join(best)}")
print(
    f"On {len(y_test)} held-out rows: log-loss {log_loss:.4f}, accuracy {accuracy:.4f}"
)
