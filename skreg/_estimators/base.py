"""What the classifier and the regressor share: validation, fit, fitted attributes."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from contextlib import contextmanager
from functools import cached_property
from typing import Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimators.parameters import resolve
from skreg._estimators.types import MatrixLike
from skreg._estimators.validation import check_weights, mean_one
from skreg._training.dispatch import train
from skreg._training.network import build_network, forward, set_weights
from skreg._training.task import SPLIT, Architecture, Rows, Start, Task, derived_seed

FLOATS = [np.float64, np.float32]  # the first is what any other dtype becomes
# Of what is pickled; to be raised when an older skreg could not read it any more.
STATE_FORMAT = 1


@contextmanager
def all_or_nothing(estimator):
    """Undo every change to the estimator's attributes if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class Documented:
    """Goes before scikit-learn's base classes: whither their HTML diagrams link."""

    _doc_link_module = "skreg"
    _doc_link_template = (
        "https://skreg.readthedocs.io/en/latest/generated/"
        "{estimator_module}.{estimator_name}.html"
    )


class RegularizedMLP(Documented, BaseEstimator, metaclass=ABCMeta):
    """Base class; those below it differ in targets, loss and prediction only."""

    def fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: MatrixLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 is trained in float32, anything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, or an indicator matrix, perhaps sparse, of several labels a row; for
            a regressor numbers, in any unit.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; None means 1 each. Rows of weight 0 are
            left out.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to validate on after every epoch. In a `Pipeline`, they are
            transformed as `X` is with ``transform_input=["X_val"]``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of `X_val`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable, or if the network's weights
            became non-finite. The estimator is then left as it was.
        KeyboardInterrupt
            The estimator is then left as it was, but with ``warm_start=True``, where
            it keeps the epochs that it has run.
        """
        goes_on = bool(self.warm_start) and hasattr(self, "coefs_")
        validation = X_val, y_val, sample_weight_val
        return self._train(X, y, sample_weight, validation, goes_on=goes_on)

    def _can_go_on(self):
        """Whether there is `partial_fit`; what stands in its way, as an error."""
        if self.early_stopping:
            raise ValueError(
                "early_stopping=True is not supported by partial_fit, which runs one "
                "epoch at a time."
            )
        return True

    def _partial_fit(self, X, y, sample_weight, classes=None):
        goes_on = hasattr(self, "coefs_")
        return self._train(
            X, y, sample_weight, goes_on=goes_on, partial=True, classes=classes
        )

    def _train(self, X, y, sample_weight, validation=(None,) * 3, **mode):
        """Fit from fresh weights, or go on; see `_prepare`."""
        with all_or_nothing(self):
            task = self._prepare(X, y, sample_weight, *validation, **mode)
            trained = train(task)
            self._adopt(task, trained)
        if trained.interrupted:  # and kept what it had learned
            raise KeyboardInterrupt
        return self

    @abstractmethod
    def _learn_targets(self, y, *, goes_on, partial, classes):
        """Learn what the targets are, or check that they are what they were."""

    @abstractmethod
    def _loss(self):
        """The loss and the number of outputs."""

    @abstractmethod
    def _encode(self, y, name, dtype):
        """Targets as the network sees them, of shape (n_samples, n_outputs)."""

    @abstractmethod
    def _weighting(self, targets, sample_weight, *, partial):
        """A function that gives, for targets, the factor a row of its loss weight."""

    @abstractmethod
    def _strata(self, targets):
        """What a held-out fraction is stratified by, of shape (n_samples,)."""

    def _learn_scale(self, targets, weight):
        """Learn in which units the network is to see the targets."""

    def _in_units(self, targets, dtype):
        """Targets in the network's units and dtype."""
        return targets

    def _weights_in(self, kernels, biases, *, inward):
        """Weights for the user's units of the targets from those for the network's.

        `inward`: the other way round.
        """
        return kernels, biases

    def _prepare(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        *,
        goes_on=False,
        partial=False,
        classes=None,
    ):
        """Validate everything, and say what is to be trained, as a `Task`.

        `goes_on`: from the weights that there are; `partial`: for one epoch, and then
        `classes` are those of all rows to come.
        """
        settings = resolve(self)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=self.coefs_[0].dtype if goes_on else FLOATS,
            accept_sparse="csr",
            multi_output=True,
            reset=not goes_on,
        )
        self._learn_targets(y, goes_on=goes_on, partial=partial, classes=classes)
        loss, n_outputs = self._loss()
        targets = self._encode(y, "y", X.dtype)
        weights = check_weights(sample_weight, X.shape[0], "sample_weight")
        factor = self._weighting(targets, weights, partial=partial)
        training = _counting_rows(X, targets, weights, factor, "sample_weight")
        if goes_on:
            seed = self._seed
        else:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        validation = None
        if not (X_val is None and y_val is None and sample_weight_val is None):
            validation = self._given_validation(
                X, X_val, y_val, sample_weight_val, factor
            )
        elif settings.stopping is not None:
            training, validation = self._split(
                training, settings.validation_fraction, seed
            )
        if not goes_on:
            self._learn_scale(training[1], training[2])
        architecture = Architecture(
            n_features=X.shape[1],
            hidden_layer_sizes=settings.hidden_layer_sizes,
            n_outputs=n_outputs,
            activation=settings.activation,
            output_activation=loss.activation,
            l1=settings.l1,
            l2=settings.l2,
            dropout=settings.dropout,
            dtype=X.dtype.name,
        )
        batch_size = 32 if settings.batch_size == "auto" else settings.batch_size
        return Task(
            architecture=architecture,
            loss=loss,
            optimizer=settings.optimizer,
            training=self._rows(training, loss),
            validation=None if validation is None else self._rows(validation, loss),
            stopping=settings.stopping,
            batch_size=min(batch_size, training[0].shape[0]),
            epochs=1 if partial else settings.epochs,
            shuffle=settings.shuffle,
            seed=seed,
            engine=settings.engine,
            callbacks=settings.callbacks,
            verbose=settings.verbose,
            start=self._start(architecture) if goes_on else None,
            keeps_interrupted=settings.warm_start or partial,
        )

    def _given_validation(self, X, X_val, y_val, sample_weight_val, factor):
        dtype, sparse_rows = X.dtype, issparse(X)
        if X_val is None or y_val is None:
            absent = "X_val" if X_val is None else "y_val"
            raise ValueError(
                "X_val and y_val must be given together, and sample_weight_val only "
                f"with them, got {absent}=None."
            )
        # So that errors name it.
        check_array(X_val, dtype=dtype, input_name="X_val", accept_sparse="csr")
        X_val, y_val = validate_data(
            self,
            X_val,
            y_val,
            reset=False,
            dtype=dtype,
            accept_sparse="csr",
            multi_output=True,
        )
        if sparse_rows != issparse(X_val):  # an engine has rows of one kind
            X_val = csr_array(X_val) if sparse_rows else X_val.toarray()
        targets = self._encode(y_val, "y_val", dtype)
        weights = check_weights(sample_weight_val, X_val.shape[0], "sample_weight_val")
        return _counting_rows(X_val, targets, weights, factor, "sample_weight_val")

    def _split(self, rows, fraction, seed):
        """Hold out a fraction of the rows for validation."""
        kept, held_out = held_out_split(
            self._strata(rows[1]), fraction, derived_seed(seed, SPLIT)
        )
        return [tuple(part[side] for part in rows) for side in (kept, held_out)]

    def _rows(self, rows, loss):
        """Rows for an engine: targets in its units, weights scaled to mean 1."""
        X, targets, weight, score_weight = rows
        targets = self._in_units(targets, X.dtype)
        score_weight = mean_one(score_weight, X.dtype)
        return Rows(
            X,
            targets,
            mean_one(weight, X.dtype),
            loss.score_weights(score_weight, targets),
        )

    def _start(self, architecture):
        """Where the training goes on."""
        sizes = [kernel.shape for kernel in self.coefs_]
        if sizes != architecture.kernel_shapes:
            raise ValueError(
                "hidden_layer_sizes and the number of outputs must be what they were "
                f"to go on training, with kernels of shapes {sizes}, got "
                f"{architecture.kernel_shapes}."
            )
        return Start(
            *self._weights_in(self.coefs_, self.intercepts_, inward=True),
            optimizer=getattr(self, "_optimizer_state", None),
            epochs=self.n_iter_,
        )

    def _adopt(self, task, trained):
        """Set the fitted attributes."""
        self.coefs_, self.intercepts_ = self._weights_in(
            trained.kernels, trained.biases, inward=False
        )
        earlier = {} if task.start is None else self.history_
        n_new = len(trained.history["loss"])
        self.history_ = {  # NaN where one run validated and the other did not
            name: earlier.get(name, [np.nan] * task.first_epoch)
            + trained.history.get(name, [np.nan] * n_new)
            for name in {**earlier, **trained.history}
        }
        self.loss_curve_ = self.history_["loss"]
        self.validation_scores_ = self.history_.get("val_score")
        self.n_iter_ = task.first_epoch + n_new
        self.best_epoch_ = task.first_epoch + trained.best_epoch
        self._architecture = task.architecture
        self._seed = task.seed
        vars(self).pop("_optimizer_state", None)
        if task.keeps_interrupted:  # then it may go on
            self._optimizer_state = trained.optimizer
        vars(self).pop("model_", None)  # of an earlier fit

    @cached_property
    def model_(self) -> keras.Sequential:
        """The fitted network, a plain `keras.Sequential` with the fitted weights.

        Built when it is first asked for: a live network costs more than the fit of
        a small one, and a search discards nearly all of them.
        """
        check_is_fitted(self)
        network = build_network(self._architecture, seed=0)
        set_weights(network, self.coefs_, self.intercepts_)
        return network

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("model_", None)  # rebuilt from the weights when asked for
        return {**state, "_state_format": STATE_FORMAT}

    def __setstate__(self, state):
        state = dict(state)
        state_format = state.pop("_state_format", None)
        if state_format != STATE_FORMAT:
            raise ValueError(
                f"{type(self).__name__} was saved by another version of skreg, whose "
                f"format is {state_format!r}; this one reads format {STATE_FORMAT}. "
                "Load it with that version, and save its model_ or fit it anew."
            )
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _outputs(self, X):
        """The output layer before its activation, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(
            self, X, reset=False, dtype=self.coefs_[0].dtype, accept_sparse="csr"
        )
        return forward(self.coefs_, self.intercepts_, self._architecture.activation, X)


def held_out_split(strata, fraction, seed):
    """Row numbers to train on and to validate on, stratified.

    Few rows must not fail: every stratum of two rows or more has one on each side
    at least, whatever the fraction, and the only row of a stratum is trained on.
    """
    from sklearn.model_selection import train_test_split  # slow to import

    _, stratum, counts = np.unique(strata, return_inverse=True, return_counts=True)
    single = counts[stratum] == 1
    rows = np.flatnonzero(~single)
    n_strata = np.count_nonzero(counts > 1)
    if not n_strata:
        raise ValueError(
            "early_stopping needs two rows or more, of one class for a classifier, to "
            "hold some out, got single rows only; give fit X_val and y_val instead."
        )
    n_held_out = int(np.ceil(fraction * len(strata)))
    n_held_out = min(max(n_held_out, n_strata), len(rows) - n_strata)
    kept, held_out = train_test_split(
        rows, test_size=n_held_out, random_state=seed, stratify=stratum[rows]
    )
    return np.concatenate([kept, np.flatnonzero(single)]), held_out


def _counting_rows(X, targets, sample_weight, factor, name):
    """X, targets, weights for loss and score; without the rows of weight 0."""
    weight = sample_weight * factor(targets)
    counts = weight > 0
    if not counts.any():
        raise ValueError(f"{name} times class_weight must not be zero for all rows.")
    rows = (X, targets, weight, sample_weight)
    return rows if counts.all() else tuple(part[counts] for part in rows)
