"""How the classifier and the regressor are fitted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import is_classifier
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from skreg._estimators.callback_support import FitTasks, with_callbacks
from skreg._estimators.common import (
    FLOATS,
    all_or_nothing,
    draw_seed,
    numbers_explained,
)
from skreg._estimators.fitted_network import FittedNetwork
from skreg._estimators.labels import check_labels_are_known
from skreg._estimators.parameters import Settings, resolve
from skreg._estimators.types import MatrixLike
from skreg._estimators.validation import (
    check_weights,
    drop_zero_weight_rows,
    held_out_split,
    mean_one,
)
from skreg._training.task import (
    SPLIT,
    Architecture,
    OutputScale,
    Plan,
    ResumePoint,
    Rows,
    Task,
    TrainedNetwork,
    Watchers,
    derived_seed,
)

if TYPE_CHECKING:
    from skreg._training.objectives import Loss


class RegularizedMLP(FittedNetwork):
    """Base class; the classes below differ in targets, loss and prediction only."""

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
            Labels, or an indicator matrix, dense or sparse, where a row may have
            several labels; for a regressor numbers, in any unit.
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
            The estimator is then left as it was; with ``warm_start=True`` it keeps the
            epochs that it has run.
        """
        resume = bool(self.warm_start) and self.__sklearn_is_fitted__()
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, *validation, resume=resume)

    def _can_partial_fit(self) -> bool:
        """Whether there is `partial_fit`, or an error that says why not."""
        if self.early_stopping:
            raise AttributeError(
                "early_stopping=True is not supported by partial_fit, which runs one "
                "epoch at a time."
            )
        return True

    def _fit(self, *data: Any, **mode: Any) -> Self:
        """Fit from fresh weights, or go on; see `_prepare_task`."""
        with all_or_nothing(self):
            trained = self._train(*data, **mode)
        if trained.interrupted:  # and kept what it had learned
            raise KeyboardInterrupt
        return self

    @with_callbacks
    def _train(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        *validation: Any,
        **mode: Any,
    ) -> TrainedNetwork:
        # Imported here, as it imports Numba: predicting has no need of it.
        from skreg._training.dispatch import train

        task = self._prepare_task(X, y, sample_weight, *validation, **mode)
        tasks = FitTasks(self, task, X, y, sample_weight)
        trained = train(tasks.task)
        self._set_fitted_attributes(task, trained)
        if not trained.interrupted:
            tasks.end()
        return trained

    @abstractmethod
    def _learn_targets(self, y, *, resume, partial, classes):
        """Learn what the targets are, or check that they are what they were."""

    @abstractmethod
    def _loss_and_outputs(self) -> tuple[Loss, int]:
        """The loss and the number of outputs."""

    @abstractmethod
    def _encode(self, y, name, dtype):
        """Targets as the network sees them, of shape (n_samples, n_outputs)."""

    @abstractmethod
    def _class_factors(
        self, targets: NDArray[Any], sample_weight: NDArray[Any]
    ) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """A function that gives, for targets, the factor of each row's loss weight."""

    @abstractmethod
    def _strata(self, targets: NDArray[Any]) -> NDArray[Any]:
        """What a held-out fraction is stratified by, of shape (n_samples,)."""

    def _learn_units(self, training: Rows, *, resume: bool, partial: bool) -> None:
        """Learn in which units the network is to see the targets.

        With `resume`, the output layer is changed so that predictions stay the same.
        """

    def _to_network_units(self, targets: NDArray[Any], dtype: np.dtype) -> NDArray[Any]:
        """Targets in the network's units and dtype."""
        return targets

    def _constant_outputs(self) -> tuple[int, ...]:
        """The outputs whose targets are all 0 in the network's units."""
        return ()

    def _output_scale(self) -> OutputScale | None:
        """The user's units of the targets, where they are not the network's."""
        return None

    def _prepare_task(
        self,
        X: MatrixLike,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
        X_val: MatrixLike | None = None,
        y_val: MatrixLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        *,
        resume: bool = False,
        partial: bool = False,
        classes: ArrayLike | None = None,
    ) -> Task:
        """Validate everything, and say what is to be trained, as a `Task`.

        With `resume` training goes on from the present weights. With `partial` it takes
        one epoch, and `classes` are those of all rows to come.
        """
        settings = resolve(self)
        if is_classifier(self):
            check_labels_are_known(y)
        with numbers_explained(self):
            X, y = validate_data(
                self,
                X,
                y,
                dtype=self._kernels[0].dtype if resume else FLOATS,
                accept_sparse="csr",
                multi_output=True,
                reset=not resume,
            )
        self._learn_targets(y, resume=resume, partial=partial, classes=classes)
        loss, n_outputs = self._loss_and_outputs()
        targets = self._encode(y, "y", X.dtype)
        weights = check_weights(sample_weight, X.shape[0], "sample_weight")
        factors = self._class_factors(targets, weights)
        training = drop_zero_weight_rows(X, targets, weights, factors, "sample_weight")
        seed = self._seed if resume else draw_seed(self.random_state)
        validation = None
        if not (X_val is None and y_val is None and sample_weight_val is None):
            validation = self._given_validation(
                X, X_val, y_val, sample_weight_val, factors
            )
        elif settings.early_stopping is not None:
            kept, held_out = held_out_split(
                self._strata(training.targets),
                settings.validation_fraction,
                derived_seed(seed, SPLIT),
            )
            training, validation = training.take(kept), training.take(held_out)
            if not validation.weight.any():
                raise ValueError(
                    "early_stopping needs two rows or more of a class whose "
                    "class_weight is not 0, to hold some out; give fit X_val and "
                    "y_val instead."
                )
        self._learn_units(training, resume=resume, partial=partial)
        architecture = Architecture(
            n_features=X.shape[1],
            hidden_layer_sizes=settings.hidden_layer_sizes,
            n_outputs=n_outputs,
            activation=settings.activation,
            output_activation=loss.activation,
            dtype=X.dtype.name,
        )
        return self._task(
            settings,
            architecture,
            loss,
            training,
            validation,
            seed=seed,
            resume=self._resume_point(architecture) if resume else None,
            partial=partial,
        )

    def _task(
        self,
        settings: Settings,
        architecture: Architecture,
        loss: Loss,
        training: Rows,
        validation: Rows | None,
        *,
        seed: int,
        resume: ResumePoint | None,
        partial: bool,
    ) -> Task:
        batch_size = 32 if settings.batch_size == "auto" else int(settings.batch_size)
        if validation is not None:
            validation = self._for_network(validation, loss)
        plan = Plan(
            batch_size=min(batch_size, len(training)),
            epochs=1 if partial else settings.epochs,
            shuffle=settings.shuffle,
            ema_momentum=settings.ema_momentum,
            early_stopping=settings.early_stopping,
            resumable=settings.warm_start or partial,
        )
        return Task(
            architecture=architecture,
            regularization=settings.regularization,
            loss=loss,
            optimizer=settings.optimizer,
            training=self._for_network(training, loss),
            validation=validation,
            plan=plan,
            watchers=Watchers(
                settings.callbacks, settings.verbose, self._output_scale()
            ),
            engine=settings.engine,
            seed=seed,
            constant_outputs=self._constant_outputs(),
            resume=resume,
        )

    def _given_validation(
        self, X: Any, X_val: Any, y_val: Any, sample_weight_val: Any, factors: Any
    ) -> Rows:
        if X_val is None or y_val is None:
            absent = "X_val" if X_val is None else "y_val"
            raise ValueError(
                "X_val and y_val must be given together, and sample_weight_val only "
                f"with them, got {absent}=None."
            )
        dtype, given = X.dtype, X_val
        # Not all by validate_data, whose errors would name X and y.
        X_val = check_array(given, dtype=dtype, input_name="X_val", accept_sparse="csr")
        if X_val.shape[1] != X.shape[1]:
            raise ValueError(
                f"X_val has {X_val.shape[1]} features, but {type(self).__name__} is "
                f"expecting {X.shape[1]} features as input."
            )
        validate_data(self, given, reset=False, skip_check_array=True)  # column names
        y_val = check_array(
            y_val, dtype=None, input_name="y_val", accept_sparse="csr", ensure_2d=False
        )
        check_consistent_length(X_val, y_val)
        if issparse(X) != issparse(X_val):  # an engine has rows of one kind
            X_val = csr_array(X_val) if issparse(X) else X_val.toarray()
        targets = self._encode(y_val, "y_val", dtype)
        weights = check_weights(sample_weight_val, X_val.shape[0], "sample_weight_val")
        return drop_zero_weight_rows(
            X_val, targets, weights, factors, "sample_weight_val"
        )

    def _for_network(self, rows: Rows, loss: Loss) -> Rows:
        """Rows for an engine: targets in its units, weights scaled to mean 1."""
        dtype = rows.table.dtype
        score_weight = mean_one(rows.score_weight, dtype)
        # Targets may be very many of these units away. It shows in the losses.
        with np.errstate(over="ignore", invalid="ignore"):
            targets = self._to_network_units(rows.targets, dtype)
            score_weight = loss.score_weights(score_weight, targets)
        return replace(
            rows,
            targets=targets,
            weight=mean_one(rows.weight, dtype),
            score_weight=score_weight,
        )

    def _resume_point(self, architecture: Architecture) -> ResumePoint:
        sizes = [kernel.shape for kernel in self._kernels]
        if sizes != architecture.kernel_shapes:
            raise ValueError(
                "hidden_layer_sizes and the number of outputs must be what they were "
                f"to go on training, with kernels of shapes {sizes}, got "
                f"{architecture.kernel_shapes}."
            )
        return ResumePoint(
            self._kernels,
            self._biases,
            optimizer_state=getattr(self, "_optimizer_state", None),
            epochs=self.n_iter_,
            wait=getattr(self, "_wait", 0),
        )

    def _set_fitted_attributes(self, task: Task, trained: TrainedNetwork) -> None:
        # In the network's units: rounded to those of the user, weights in float32 would
        # lose what tells large targets apart, and lose it again whenever they go on.
        self._kernels, self._biases = trained.kernels, trained.biases
        earlier: dict[str, list[float]] = {} if task.resume is None else self.history_
        n_new = len(trained.history["loss"])
        self.history_: dict[
            str, list[float]
        ] = {  # NaN where one run validated and the other did not
            name: earlier.get(name, [np.nan] * task.first_epoch)
            + trained.history.get(name, [np.nan] * n_new)
            for name in {**earlier, **trained.history}
        }
        self.loss_curve_ = self.history_["loss"]
        self.validation_scores_ = self.history_.get("val_score")
        self.n_iter_ = task.first_epoch + n_new
        if trained.best_epoch:  # else what was kept before is still the best
            self.best_epoch_ = task.first_epoch + trained.best_epoch
        self._architecture = task.architecture
        self._regularization = task.regularization
        self._seed = task.seed
        for name in ("_optimizer_state", "_wait"):
            self.__dict__.pop(name, None)
        if task.plan.resumable:
            self._optimizer_state = trained.optimizer_state
            self._wait = trained.wait
        self.__dict__.pop("model_", None)  # of an earlier fit
