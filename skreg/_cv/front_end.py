"""From a raw table to the numbers that networks take: plain scikit-learn.

The columns that hold numbers are imputed and scaled, in one of the ways of
`NUMBER_FRONT_ENDS`; the others are encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import _safe_indexing, check_array

# A column of more categories is encoded by the mean target of each.
MAX_ONE_HOT = 30
# Rarer categories share a column, with those that training has not seen.
MIN_ROWS = 3
# Knots of the hats: every eighth of the values lies between two of them.
N_KNOTS = 9
# Hats are not tried where there would be more numbers than that: this bounds memory.
MAX_HATS = 10_000_000


def smooth_clip(z: NDArray[Any]) -> NDArray[Any]:
    """Numbers between -3 and 3: nearly z itself around 0, flat far from it."""
    return z / np.sqrt(1 + (z / 3) ** 2)


def _robust() -> Any:
    clip = FunctionTransformer(smooth_clip, feature_names_out="one-to-one")
    return make_pipeline(RobustScaler(), clip)


def _hats() -> Any:
    hats = SplineTransformer(
        N_KNOTS, degree=1, knots="quantile", extrapolation="constant"
    )
    return make_union(_robust(), hats, n_jobs=1)


STANDARD = "standard"
NUMBER_FRONT_ENDS: dict[str, Callable[[], Any]] = {
    STANDARD: StandardScaler,
    "robust": _robust,
    "hats": _hats,
}


def front_end(table: Any, y: Any, numbers: str, classifier: bool) -> ColumnTransformer:
    """A front end for a table, not fitted yet.

    Parameters
    ----------
    table : data frame, or array of shape (n_rows, n_columns)
        As `check_table` returns it.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets: those of one output can encode categories.
    numbers : str
        One of `NUMBER_FRONT_ENDS`.
    classifier : bool
        Whether `y` are labels.

    Raises
    ------
    ValueError, TypeError
        If a column holds neither numbers nor categories.
    """
    columns = [_column(table, j) for j in range(table.shape[1])]
    is_number = [_is_number(column, name) for name, column in columns]
    imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=MIN_ROWS,
        max_categories=MAX_ONE_HOT,
        sparse_output=False,
    )
    parts = {"numbers": make_pipeline(imputer, NUMBER_FRONT_ENDS[numbers]())}
    as_text = FunctionTransformer(_as_text, feature_names_out="one-to-one")
    parts["categories"] = make_pipeline(as_text, encoder)
    parts["many_categories"] = make_pipeline(
        as_text, _target_encoder(classifier), StandardScaler()
    )
    can_encode = np.ndim(y) == 1
    where: dict[str, list[int]] = {name: [] for name in parts}
    for j, (name, column) in enumerate(columns):
        if is_number[j]:
            where["numbers"].append(j)
        else:
            many = len(_categories(column, name)) > MAX_ONE_HOT
            where["many_categories" if many and can_encode else "categories"].append(j)
    return ColumnTransformer(
        [(name, part, where[name]) for name, part in parts.items() if where[name]],
        sparse_threshold=0,
        n_jobs=1,  # Networks are trained in parallel, this is not.
    ).set_output(transform="default")


def _target_encoder(classifier: bool) -> TargetEncoder:
    target_type = "auto" if classifier else "continuous"
    if TargetEncoder().shuffle != "deprecated":  # before scikit-learn 1.9
        return TargetEncoder(target_type=target_type, random_state=0)
    folds = StratifiedKFold if classifier else KFold
    return TargetEncoder(
        target_type=target_type, cv=folds(5, shuffle=True, random_state=0)
    )


def has_numbers(transformer: ColumnTransformer | None) -> bool:
    """Whether a front end has columns of numbers."""
    return transformer is not None and transformer.transformers[0][0] == "numbers"


def check_table(X: Any) -> Any:
    """A data frame as it is, or a matrix of two dimensions, dense or CSR.

    Raises
    ------
    ValueError, TypeError
        If `X` is neither.
    """
    if is_frame(X):
        if not (X.shape[0] and X.shape[1]):
            raise ValueError(
                f"X must have one row and one column at least, got shape {X.shape}."
            )
        if len(set(X.columns)) < len(X.columns):
            raise ValueError(
                f"X must have columns of different names, got {list(X.columns)!r}."
            )
        return X
    if issparse(X):
        return check_array(X, dtype=[np.float64, np.float32], accept_sparse="csr")
    return check_array(X, dtype=None, ensure_all_finite=False)


def is_frame(X: Any) -> bool:
    """Whether X is a data frame in memory, such as one of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "shape") and not hasattr(X, "compute")


def _column(table: Any, j: int) -> tuple[Any, Any]:
    """Name and values of a column."""
    if hasattr(table, "columns"):
        return table.columns[j], table[table.columns[j]]
    return j, table[:, j]


def _is_number(column: Any, name: Any) -> bool:
    """Whether a column holds numbers; if not, it holds categories."""
    dtype = column.dtype
    if hasattr(dtype, "is_numeric"):  # polars
        kind = "f" if dtype.is_numeric() else "O" if _is_text(dtype) else "?"
    else:
        kind = dtype.kind
    if kind in "iuf":
        return True
    if kind in "bOUST" and not str(dtype).startswith(("period", "interval")):
        _categories(column, name)
        return kind == "O" and _holds_numbers(column)
    raise ValueError(
        f"X must have columns of numbers or of categories, got column {name!r} of "
        f"{dtype}; make numbers of it, such as the days since a date."
    )


def _is_text(dtype: Any) -> bool:
    return str(dtype).startswith(("Boolean", "String", "Categorical", "Enum", "Null"))


def _holds_numbers(column: Any) -> bool:
    """Whether an array of objects, not of a data frame, holds numbers only."""
    if not isinstance(column, np.ndarray):
        return False
    try:
        column.astype(np.float64)
    except ValueError:
        return False
    return True


def _categories(column: Any, name: Any) -> set[str]:
    """The distinct values of a column, as text."""
    try:
        return {_text(value) for value in set(_values(column))}
    except TypeError as error:
        raise TypeError(
            f"X must have numbers or categories, got column {name!r} with objects "
            f"that are not hashable: {error}; argument must be a string or a number."
        ) from None


def _as_text(table: Any) -> NDArray[np.object_]:
    """Categories as text, whatever they are; a missing one is a category, too."""
    columns = []
    for j in range(table.shape[1]):
        values = _values(_column(table, j)[1])
        text = {value: _text(value) for value in set(values)}
        columns.append([text[value] for value in values])
    return np.array(columns, dtype=object).T.reshape(table.shape)


def _values(column: Any) -> list[Any]:
    return np.asarray(column, dtype=object).tolist()


def _text(value: Any) -> str:
    is_missing = value is None or type(value).__name__ == "NAType" or value != value
    return "(missing)" if is_missing else str(value)


@dataclass(frozen=True)
class FrontEnds:
    """Front ends of one table, which differ in what they do to numbers.

    Attributes
    ----------
    table : data frame, or array of shape (n_rows, n_columns)
        As `check_table` returns it.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Its targets.
    classifier : bool
        Whether these are labels.
    """

    table: Any
    y: NDArray[Any]
    classifier: bool

    @property
    def others(self) -> list[str]:
        """What the standard front end is compared with."""
        large = self.table.shape[0] * self.table.shape[1] * N_KNOTS > MAX_HATS
        return ["robust"] if large else ["robust", "hats"]

    def fitted(self, numbers: str) -> tuple[ColumnTransformer, NDArray[np.float32]]:
        """A front end fitted to all rows, and what it makes of them."""
        transformer = front_end(self.table, self.y, numbers, self.classifier)
        rows = transformer.fit_transform(self.table, self.y)
        return transformer, np.asarray(rows, np.float32)

    def fold_rows(
        self, numbers: str, splits: list[tuple[Any, Any]]
    ) -> list[NDArray[np.float32]]:
        """What front ends make of all rows, each fitted to a fold's training rows."""
        transformer = front_end(self.table, self.y, numbers, self.classifier)
        folds = []
        for train, test in splits:
            fresh = clone(transformer)
            y = _safe_indexing(self.y, train)
            first = fresh.fit_transform(_safe_indexing(self.table, train), y)
            rows = np.zeros((len(self.y), first.shape[1]), np.float32)
            rows[train] = first
            rows[test] = transform(fresh, _safe_indexing(self.table, test))
            folds.append(rows)
        return folds


def transform(transformer: ColumnTransformer, table: Any) -> NDArray[np.float32]:
    """The numbers that networks take for the rows of a table."""
    table = table.toarray() if issparse(table) else table
    return np.asarray(transformer.transform(table), np.float32)


def source_columns(transformer: ColumnTransformer) -> NDArray[np.integer]:
    """The column of the table from which each column comes that networks take."""
    sources = []
    for name, part, columns in transformer.transformers_:
        if name == "remainder":
            continue
        source = np.asarray(columns)
        if name == "numbers":
            imputer = part[0]
            if imputer.indicator_ is not None:
                gaps = source[imputer.indicator_.features_]
                source = np.concatenate([source, gaps])
            if isinstance(part[-1], FeatureUnion):
                source = np.concatenate([source, np.repeat(source, N_KNOTS)])
        elif name == "categories":
            each = [f"{j} " for j in range(len(source))]
            outputs = part[-1].get_feature_names_out(each)
            source = source[[int(output.partition(" ")[0]) for output in outputs]]
        else:
            source = np.repeat(source, part[-1].n_features_in_ // len(source))
        sources.append(source)
    return np.concatenate(sources)
