"""Which labels there are, and what a classifier's network makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix, issparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skreg._estimators.validation import is_missing
from skreg._training.objectives import BINARY, MULTICLASS, Loss

# A larger indicator matrix is held in CSR format if no more of it is ones, as a sparse
# one always is.
MAX_DENSE_LABELS = 1 << 24
MAX_LABEL_DENSITY = 1 / 16


def check_labels_are_known(y: Any) -> None:
    """Raise an error that says so if labels are missing, before others find that."""
    if y is None or issparse(y):
        return
    # In an array of text, NaN from a list would be the label "nan".
    labels = np.asarray(y, dtype=object if isinstance(y, list) else None)
    if labels.dtype == object and any(map(is_missing, labels.ravel())):
        raise ValueError(
            "Input y contains NaN or None: y must have a label in each row."
        )


@dataclass(frozen=True)
class Labels:
    """The labels of a classifier's targets.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted; where a row may have several labels, the numbers of their columns.
    multilabel : bool
        Whether a row may have several labels.
    sparse : bool
        Whether the indicator matrix was sparse, as predictions are to be then.
    csr_targets : bool
        Whether the network's targets are in CSR format.
    """

    classes: NDArray[Any]
    multilabel: bool
    sparse: bool
    csr_targets: bool

    @classmethod
    def learn(cls, y: Any, classes: ArrayLike | None) -> Labels:
        """The labels in `y`, or those of `classes`, of which `y` may lack some.

        Raises
        ------
        ValueError
            If `y` has no labels that a network can learn.
        """
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y must have one column of classes, or be an indicator matrix of "
                f"labels, got {y.shape[1]} columns of classes; a "
                "sklearn.multioutput.MultiOutputClassifier has a network for each."
            )
        if kind == "multilabel-indicator":
            numbers = np.arange(y.shape[1])
            if classes is not None and not np.array_equal(np.unique(classes), numbers):
                raise ValueError(
                    f"classes must be the numbers of the labels, {numbers!r}, where a "
                    f"row may have several, got {classes!r}."
                )
            few_ones = y.size > MAX_DENSE_LABELS and (
                np.count_nonzero(y) < MAX_LABEL_DENSITY * y.size
            )
            return cls(numbers, True, issparse(y), issparse(y) or few_ones)
        seen = column_or_1d(y, warn=True) if classes is None else classes
        return cls(np.unique(seen), False, False, False)

    def check_as_before(self, before: Labels) -> None:
        """Raise an error if rows had one label before, and may have several now."""
        if self.multilabel != before.multilabel:
            kinds = {True: "several labels per row", False: "one class per row"}
            raise ValueError(
                f"y must have {kinds[before.multilabel]}, as before, "
                f"got {kinds[self.multilabel]}."
            )

    @property
    def loss_and_outputs(self) -> tuple[Loss, int]:
        """The loss and the number of outputs."""
        n_classes = len(self.classes)
        if self.multilabel:
            return BINARY, n_classes
        return (BINARY, 1) if n_classes == 2 else (MULTICLASS, n_classes)

    def encode(self, y: Any, name: str) -> Any:
        """Labels as the network sees them, of shape (n_rows, 1 or n_labels).

        Raises
        ------
        ValueError
            If `y`, which the error calls `name`, has other labels.
        """
        if self.multilabel:
            return self._encode_indicators(y, name)
        if issparse(y) or (y.ndim > 1 and y.shape[1:] != (1,)):
            raise ValueError(
                f"{name} must have one class per row, as y has, "
                f"got a {type(y).__name__} of shape {y.shape}."
            )
        y = y.ravel()
        unknown = np.setdiff1d(y, self.classes)
        if unknown.size:
            raise ValueError(
                f"{name} must have no other classes than {self.classes!r}, which were "
                f"learned from y before, got also {unknown!r}."
            )
        codes = np.searchsorted(self.classes, y)
        two = len(self.classes) == 2
        return codes.astype(np.int8 if two else np.int32)[:, np.newaxis]

    def _encode_indicators(self, y: Any, name: str) -> Any:
        if y.ndim != 2 or y.shape[1] != len(self.classes):
            raise ValueError(
                f"{name} must have a column for each of {len(self.classes)} "
                f"labels, got shape {y.shape}."
            )
        # `learn` has looked at y.
        if name != "y" and type_of_target(y) != "multilabel-indicator":
            raise ValueError(
                f"{name} must be an indicator matrix, as y is, got {y.dtype} "
                "entries other than 0 and 1."
            )
        labels = y > 0
        if self.csr_targets:
            return csr_array(labels, dtype=np.int8)
        return (labels.toarray() if issparse(labels) else labels).view(np.int8)

    def decode(self, logits: NDArray[Any]) -> Any:
        """The labels that are predicted for rows, from logits (n_rows, n_outputs)."""
        if self.multilabel:
            labels = (logits > 0).astype(int)
            return csr_matrix(labels) if self.sparse else labels
        if logits.shape[1] > 1:
            return self.classes[logits.argmax(axis=1)]
        return self.classes[(logits[:, 0] > 0).astype(int)]

    def probabilities(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Probabilities of shape (n_rows, n_classes)."""
        if self.multilabel:
            return expit(logits)
        if logits.shape[1] > 1:
            return softmax(logits, axis=1)
        positive = expit(logits)
        return np.hstack([1 - positive, positive])

    def log_probabilities(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Their logarithms, exact for very small ones, too."""
        if self.multilabel:
            return log_expit(logits)
        if logits.shape[1] > 1:
            return log_softmax(logits, axis=1)
        return log_expit(np.hstack([-logits, logits]))

    def factors(
        self, class_weight: Any, targets: NDArray[Any], sample_weight: NDArray[Any]
    ) -> NDArray[np.float64] | None:
        """The factor of each class' loss weights, of shape (n_classes,).

        None if a row may have several labels: then all factors are 1.

        Parameters
        ----------
        class_weight : dict, "balanced" or None
            As the user gave it.
        targets : ndarray of shape (n_rows, 1)
            As `encode` gives them.
        sample_weight : ndarray of shape (n_rows,)

        Raises
        ------
        ValueError
            If `class_weight` does not suit the labels.
        """
        if self.multilabel:
            if class_weight is not None:
                raise ValueError(
                    "class_weight must be None where a row may have several labels, "
                    f"got {class_weight!r}."
                )
            return None
        if class_weight is None:
            return np.ones(len(self.classes))
        if isinstance(class_weight, str) and class_weight == "balanced":
            totals = np.bincount(
                targets[:, 0], sample_weight, minlength=len(self.classes)
            )
            # scikit-learn's n_samples / (n_classes * count), with weights for counts,
            # so that a weight of 2 is the same as a row given twice.
            present = totals > 0
            mean_total = totals.sum() / np.count_nonzero(present)
            return np.where(present, mean_total / np.where(present, totals, 1), 0)
        return self._given_factors(class_weight)

    def _given_factors(self, class_weight: Any) -> NDArray[np.float64]:
        if not isinstance(class_weight, Mapping):
            raise ValueError(
                "class_weight must be None, 'balanced' or a mapping of labels to "
                f"factors, got {class_weight!r}."
            )
        classes = self.classes.tolist()
        unweighted = [c for c in classes if c not in class_weight]
        # scikit-learn's rule, which finds mistyped labels and lets a fold lack a class.
        if unweighted and len(classes) - len(unweighted) != len(class_weight):
            raise ValueError(
                f"The classes, {unweighted}, are not in class_weight, got factors of "
                f"{list(class_weight)}."
            )
        factors = [class_weight.get(c, 1.0) for c in classes]
        if not all(isinstance(f, Real) and 0 <= float(f) < np.inf for f in factors):
            raise ValueError(
                "class_weight must have finite factors of at least 0, "
                f"got {class_weight!r}."
            )
        return np.array(factors, dtype=np.float64)
