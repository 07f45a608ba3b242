"""Types that several public signatures have in common."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix

if TYPE_CHECKING:
    import keras

    Method = TypeVar("Method", bound=Callable[..., Any])

    def available_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
        """scikit-learn's own has no types: a decorated method would have none."""
else:
    from sklearn.utils.metaestimators import available_if  # noqa: F401

MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix
PerLayer: TypeAlias = float | Sequence[float] | NDArray[np.floating]
Optimizer: TypeAlias = "str | keras.optimizers.Optimizer"
LearningRate: TypeAlias = (
    "float | keras.optimizers.schedules.LearningRateSchedule | None"
)
Callbacks: TypeAlias = (
    "keras.callbacks.Callback | list[keras.callbacks.Callback] | None"
)
Engine: TypeAlias = Literal["auto", "compiled", "keras"]
RandomState: TypeAlias = int | np.integer | np.random.RandomState | None
LayerSizes: TypeAlias = int | Sequence[int] | NDArray[np.integer]
