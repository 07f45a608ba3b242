"""
Regularization that is chosen for you
=====================================

`~skreg.RegularizedMLPClassifierCV` tries many settings of L1, L2, group lasso, dropout
and learning rate, and predicts with the mean of several networks of the best. On 400
rows of the digits the mean has a lower loss than a grid by hand, and nearly all of its
errors are in the quarter of the rows where the networks disagree most.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X, X_test, y, y_test = train_test_split(
    X, y, train_size=400, stratify=y, random_state=0
)

mlp = RegularizedMLPClassifierCV((64,), random_state=0).fit(X, y)

network = RegularizedMLPClassifier((64,), epochs=54, random_state=0)
grid = {"l2": [0.0, 1e-4, 1e-3, 1e-2], "dropout": [0.0, 0.25, 0.5]}
by_hand = GridSearchCV(network, grid, scoring="neg_log_loss", cv=3).fit(X, y)

members = mlp.predict_members(X_test)
proba = mlp.predict_proba(X_test)
alone = [log_loss(y_test, member) for member in members]
print(f"grid by hand:        {log_loss(y_test, by_hand.predict_proba(X_test)):.3f}")
print(f"one of the networks: {np.mean(alone):.3f}")
print(f"mean of them:        {log_loss(y_test, proba):.3f}")

# %%
# Where the networks disagree about the class that is predicted, it is more often wrong.
# The test rows are sorted by the standard deviation of its probability.
predicted = proba.argmax(axis=1)
spread = members.std(axis=0)[np.arange(len(predicted)), predicted]
wrong = mlp.classes_[predicted] != y_test
quarters = np.array_split(np.argsort(spread), 4)
errors = [wrong[rows].mean() for rows in quarters]
print("share of errors, from the least to the largest spread:", np.round(errors, 3))

# %%
# The bars show the share of errors in each quarter of the test rows.
fig, ax = plt.subplots(layout="constrained")
ax.bar(["least", "second", "third", "largest"], 100 * np.array(errors))
ax.set(xlabel="quarter of the rows by spread", ylabel="wrong predictions, %")
fig.suptitle("Errors by the disagreement of the networks")
plt.show()
