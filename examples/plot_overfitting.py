"""
Overfitting, and its cure
=========================

A network with two large layers learns digits from 100 rows. Without regularization the
training loss goes to zero, while the validation loss falls for some epochs only and
then rises until the end of training. With L2 and dropout the training loss stays above
zero, and the validation loss falls further and stays low.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skreg import LossCurveDisplay, RegularizedMLPClassifier

X, y = load_digits(return_X_y=True)
X, X_val, y, y_val = train_test_split(
    X.astype(np.float32), y, train_size=100, stratify=y, random_state=0
)
scaler = StandardScaler().fit(X)
X, X_val = scaler.transform(X), scaler.transform(X_val)

# %%
# The minimized loss includes the penalty, the validation loss does not: compare it with
# the training loss without the penalty.
fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), sharey=True, layout="constrained")
validation_losses = []
for ax, (l2, dropout) in zip(axes, [(0.0, 0.0), (0.01, 0.5)], strict=True):
    network = RegularizedMLPClassifier(
        (256, 256), l2=l2, dropout=dropout, epochs=150, random_state=0
    )
    network.fit(X, y, X_val=X_val, y_val=y_val)
    LossCurveDisplay.from_estimator(network, ax=ax)
    ax.set(title=f"l2={l2}, dropout={dropout}", ylim=(0, 2))
    ax.label_outer()
    validation_losses.append(network.history_["val_loss"])
fig.suptitle("Losses without and with regularization")
plt.show()
