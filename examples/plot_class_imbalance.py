"""
Balanced class weights change probabilities, not the ranking
============================================================

One row in 22 is positive. With ``class_weight="balanced"`` the network finds three
quarters of the positives instead of half, but only because its probabilities are
higher: they are far above the observed frequencies, and the ranking of the rows is no
better. A lower threshold on the unweighted network finds as many positives with no less
precision.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import precision_recall_curve
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

X, y = make_classification(
    20_000,
    n_informative=8,
    n_clusters_per_class=3,
    weights=[0.96],
    flip_y=0.01,
    random_state=0,
)
X, X_test, y, y_test = train_test_split(
    X, y, train_size=5000, stratify=y, random_state=0
)
probabilities = {}
for weights in [None, "balanced"]:
    network = RegularizedMLPClassifier(
        (32,), class_weight=weights, epochs=50, random_state=0
    )
    model = make_pipeline(StandardScaler(), network).fit(X, y)
    probabilities[weights] = model.predict_proba(X_test)[:, 1]

# %%
# Left: precision and recall at each threshold, with 0.5 marked. Right: the observed
# share of positives among rows with similar predicted probabilities.
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for (weights, p), style in zip(probabilities.items(), ["o-", "s--"], strict=True):
    precision, recall, thresholds = precision_recall_curve(y_test, p)
    label = f"class_weight={weights!r}"
    default = np.searchsorted(thresholds, 0.5)
    left.plot(recall, precision, style, markevery=[default], markersize=9, label=label)
    observed, predicted = calibration_curve(y_test, p, n_bins=10)
    right.plot(predicted, observed, style, label=label)
right.plot([0, 1], [0, 1], color="black", linestyle=":", label="calibrated")
left.set(xlabel="recall", ylabel="precision", title="marked: threshold 0.5")
right.set(
    xlabel="predicted probability", ylabel="share of positives", title="calibration"
)
for ax in (left, right):
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend()
fig.suptitle("Ranking and calibration with and without class weights")
plt.show()
