"""
Balanced class weights move probabilities, not the ranking
==========================================================

One row in 22 is positive. With ``class_weight="balanced"`` the network finds
three positives of four, where it found half, but only because its probabilities rise:
they are far above the shares of positives, and rows are ranked no better. A lower
threshold on the network without weights finds as many, at no less precision.
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
# Left, what each threshold gives, with the usual one marked. Right, which share of the
# rows that are given about a probability are positive.
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for (weights, p), style in zip(probabilities.items(), ["o-", "s--"], strict=True):
    precision, recall, thresholds = precision_recall_curve(y_test, p)
    label = f"class_weight={weights!r}"
    usual = np.searchsorted(thresholds, 0.5)
    left.plot(recall, precision, style, markevery=[usual], markersize=9, label=label)
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
plt.show()
