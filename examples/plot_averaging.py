"""
What averaged weights gain
==========================

The last step of training depends on the few rows of its batch. With ``ema_momentum``
the network keeps a running average of the weights instead. At a high learning rate its
validation loss is lower and moves less from epoch to epoch. At a low one, where the
loss still falls when training ends, the average lags a little behind.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

X, y = make_friedman1(1000, noise=1.0, random_state=0)
X = StandardScaler().fit_transform(X)
X, y, X_val, y_val = X[:500], y[:500], X[500:], y[500:]

losses = {}
for rate in [0.001, 0.01]:
    for momentum in [None, 0.99]:
        network = RegularizedMLPRegressor(
            learning_rate=rate, ema_momentum=momentum, epochs=60, random_state=0
        ).fit(X, y, X_val=X_val, y_val=y_val)
        losses[rate, momentum] = network.history_["val_loss"]
        print(f"learning rate {rate}, {momentum}: {losses[rate, momentum][-1]:.3f}")

# %%
# The validation loss after every epoch.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for ax, rate in zip(axes, [0.001, 0.01], strict=True):
    ax.plot(losses[rate, None], "C0--", label="last weights")
    ax.plot(losses[rate, 0.99], "C1-", label="averaged, ema_momentum=0.99")
    ax.set(title=f"learning_rate={rate}", xlabel="epoch", yscale="log")
    ax.legend()
axes[0].set_ylabel("validation loss")
fig.suptitle("Validation losses with and without an average of the weights")
plt.show()
