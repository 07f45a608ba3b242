"""From a raw table to the numbers that networks take: plain scikit-learn.

The columns that hold numbers are imputed and scaled, in one of the ways of
`NUMBER_FRONT_ENDS`; the others are encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
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

from skreg._estimators.validation import is_missing

# A column of more categories is encoded by the mean target of each.
MAX_ONE_HOT = 30
# Rarer categories share a column, with those that training has not seen.
MIN_ROWS = 3
# Mean targets are not learned if no class has more rows: `TargetEncoder` takes them in
# five folds, which before scikit-learn 1.9 are stratified, each with rows of a class.
MIN_ROWS_OF_A_CLASS = 10
# Knots of the splines: every eighth of the values lies between two of them.
N_KNOTS = 9
# A front end is not tried if its numbers, for all folds, would be more than that: each
# fold has a copy of all rows.
MAX_NUMBERS = 20_000_000
# What a column may hold.
NUMBERS, CATEGORIES, MANY_CATEGORIES = "numbers", "categories", "many_categories"


def smooth_clip(z: NDArray[Any]) -> NDArray[Any]:
    """Numbers between -3 and 3: nearly z itself around 0, flat far from it."""
    return z / np.sqrt(1 + (z / 3) ** 2)


def _robust() -> Any:
    clip = FunctionTransformer(smooth_clip, feature_names_out="one-to-one")
    return make_pipeline(RobustScaler(), clip)


def _spline() -> Any:
    pieces = SplineTransformer(
        N_KNOTS, degree=1, knots="quantile", extrapolation="constant"
    )
    return make_union(_robust(), pieces, n_jobs=1)


STANDARD = "standard"
NUMBER_FRONT_ENDS: dict[str, Callable[[], Any]] = {
    STANDARD: StandardScaler,
    "robust": _robust,
    "spline": _spline,
}


def front_end(
    kinds: Sequence[str], numbers: str, classifier: bool
) -> ColumnTransformer:
    """A front end for a table, not fitted yet.

    Parameters
    ----------
    kinds : sequence of {"numbers", "categories", "many_categories"}
        What each column of the table holds, see `column_kinds`.
    numbers : str
        One of `NUMBER_FRONT_ENDS`.
    classifier : bool
        Whether the targets are labels.
    """
    to_text = FunctionTransformer(as_text, feature_names_out="one-to-one")
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=MIN_ROWS,
        max_categories=MAX_ONE_HOT,
        sparse_output=False,
    )
    parts = {
        NUMBERS: make_pipeline(
            SimpleImputer(add_indicator=True, keep_empty_features=True),
            NUMBER_FRONT_ENDS[numbers](),
        ),
        CATEGORIES: make_pipeline(to_text, one_hot),
        MANY_CATEGORIES: make_pipeline(
            to_text, _target_encoder(classifier), StandardScaler()
        ),
    }
    where: dict[str, list[int]] = {name: [] for name in parts}
    for j, kind in enumerate(kinds):
        where[kind].append(j)
    return ColumnTransformer(
        [(name, part, where[name]) for name, part in parts.items() if where[name]],
        sparse_threshold=0,
        n_jobs=1,  # Networks are trained in parallel, this is not.
    ).set_output(transform="default")


def _target_encoder(classifier: bool) -> TargetEncoder:
    target_type = "auto" if classifier else "continuous"
    if TargetEncoder().shuffle != "deprecated":  # before scikit-learn 1.9
        return TargetEncoder(target_type=target_type, random_state=0)
    # Stratified folds would need five rows of each class.
    folds = KFold(5, shuffle=True, random_state=0)
    return TargetEncoder(target_type=target_type, cv=folds)


def check_table(X: Any) -> Any:
    """A data frame with dense columns, or a matrix of two dimensions, dense or CSR.

    Raises
    ------
    ValueError, TypeError
        If `X` is neither.
    """
    if issparse(X):
        return check_array(X, dtype=[np.float64, np.float32], accept_sparse="csr")
    if not is_frame(X):
        if isinstance(X, list | tuple):  # An array of text would be made of mixed rows.
            X = np.asarray(X, dtype=object)
        X = check_array(X, dtype=None, ensure_all_finite=False)
        if X.dtype == object:
            missing = [[type(value).__name__ == "NAType" for value in row] for row in X]
            X = np.where(missing, None, X)
        return X
    if not (X.shape[0] and X.shape[1]):
        raise ValueError(
            f"X must have one row and one column at least, got shape {X.shape}."
        )
    if len(set(X.columns)) < len(X.columns):
        raise ValueError(
            f"X must have columns of different names, got {list(X.columns)!r}."
        )
    sparse = [name for name in X.columns if hasattr(X[name].dtype, "fill_value")]
    return X.astype({name: X[name].dtype.subtype for name in sparse}) if sparse else X


def is_frame(X: Any) -> bool:
    """Whether X is a data frame in memory, such as one of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "shape") and not hasattr(X, "compute")


def column_kinds(table: Any, can_encode: bool) -> list[str]:
    """What each column holds: numbers, categories, or many of them.

    Parameters
    ----------
    table : data frame, or array of shape (n_rows, n_columns)
        As `check_table` returns it.
    can_encode : bool
        Whether the means of a target can stand for many categories.

    Raises
    ------
    ValueError, TypeError
        If a column holds neither.
    """
    kinds = []
    for j in range(table.shape[1]):
        name, column = _column(table, j)
        if _has_number_dtype(column, name):
            kinds.append(NUMBERS)
            continue
        values = _distinct(column, name)
        # In an array, the columns have one dtype; in a data frame, their own.
        if isinstance(column, np.ndarray) and all(map(_is_number_or_none, values)):
            kinds.append(NUMBERS)
            continue
        many = can_encode and len(set(map(_text, values))) > MAX_ONE_HOT
        kinds.append(MANY_CATEGORIES if many else CATEGORIES)
    return kinds


def _column(table: Any, j: int) -> tuple[Any, Any]:
    """Name and values of a column."""
    if hasattr(table, "columns"):
        return table.columns[j], table[table.columns[j]]
    return j, table[:, j]


def _has_number_dtype(column: Any, name: Any) -> bool:
    """Whether a column has a dtype of numbers; an error if it is not of categories."""
    dtype = column.dtype
    if hasattr(dtype, "is_numeric"):  # polars
        texts = "Boolean", "String", "Categorical", "Enum", "Null"
        is_text = str(dtype).startswith(texts)
        kind = "f" if dtype.is_numeric() else "O" if is_text else "?"
    else:
        kind = dtype.kind
    if kind not in "iufbOUST" or str(dtype).startswith(("period", "interval")):
        raise ValueError(
            f"X must have columns of numbers or of categories, got column {name!r} of "
            f"{dtype}; make numbers of it, such as the days since a date."
        )
    return kind in "iuf"


def _is_number_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _distinct(column: Any, name: Any) -> set[Any]:
    """The distinct values of a column, which must be numbers or categories."""
    values = _values(column)
    if hasattr(getattr(column, "cat", None), "codes"):
        return set(values)  # Categories of pandas may be of any type.
    for value in {type(value): value for value in values}.values():
        if isinstance(value, str | bytes | Real) or (
            isinstance(value, Hashable) and is_missing(value)
        ):
            continue
        date = "; make numbers of dates, such as days" if hasattr(value, "year") else ""
        raise TypeError(
            f"X must have strings or numbers in column {name!r}, got "
            f"{type(value).__name__}{date}."
        )
    return set(values)


def _values(column: Any) -> list[Any]:
    """The entries of a column: categories as they are, where some are missing, too."""
    categories: Any = getattr(column, "cat", None)
    if hasattr(categories, "codes"):  # pandas makes floats of integers beside gaps
        known = [*categories.categories.tolist(), None]
        return [known[code] for code in categories.codes]
    return np.asarray(column, dtype=object).tolist()


def as_text(table: Any) -> NDArray[np.object_]:
    """Categories as text, whatever they are; a missing one is a category, too."""
    columns = []
    for j in range(table.shape[1]):
        values = _values(_column(table, j)[1])
        text = {value: _text(value) for value in set(values)}
        columns.append([text[value] for value in values])
    return np.array(columns, dtype=object).T.reshape(table.shape)


# Pickles call them so, and name no file that may move.
smooth_clip.__module__ = as_text.__module__ = "skreg"


def _text(value: Any) -> str:
    if is_missing(value):
        return "(missing)"
    if isinstance(value, Real) and float(value).is_integer():
        return str(int(float(value)))  # 1, 1.0 and True are one category
    return str(value)


@dataclass(frozen=True)
class FrontEnds:
    """Front ends of one table, which differ in what they do to numbers.

    Attributes
    ----------
    table : data frame, or array of shape (n_rows, n_columns)
        As `check_table` returns it.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs), or CSR
        Its targets.
    classifier : bool
        Whether these are labels.
    """

    table: Any
    y: Any
    classifier: bool

    @cached_property
    def kinds(self) -> list[str]:
        """What each column of the table holds."""
        can_encode = np.ndim(self.y) == 1
        if can_encode and self.classifier:
            _, counts = np.unique(self.y, return_counts=True)
            can_encode = counts.max() >= MIN_ROWS_OF_A_CLASS
        return column_kinds(self.table, can_encode)

    def others(self, splits: list[tuple[Any, Any]]) -> list[str]:
        """The front ends that the standard one is compared with on these folds."""
        n_numbers = self.table.shape[0] * self.kinds.count(NUMBERS) * len(splits)
        if not n_numbers or min(len(train) for train, _ in splits) < N_KNOTS:
            return []
        widths = {"robust": 1, "spline": 1 + N_KNOTS}
        return [name for name, w in widths.items() if n_numbers * w <= MAX_NUMBERS]

    def fitted(self, numbers: str) -> tuple[ColumnTransformer, NDArray[np.float32]]:
        """A front end fitted to all rows, and what it makes of them."""
        transformer = front_end(self.kinds, numbers, self.classifier)
        with np.errstate(over="ignore", invalid="ignore"):
            rows = transformer.fit_transform(self.table, self.y).astype(np.float32)
        if not np.isfinite(rows).all():
            raise ValueError(
                "X must have numbers that can be squared and averaged, got larger ones."
            )
        return transformer, rows

    def fold_rows(
        self, numbers: str, splits: list[tuple[Any, Any]]
    ) -> list[NDArray[np.float32]]:
        """What front ends make of all rows, each fitted to a fold's training rows."""
        transformer = front_end(self.kinds, numbers, self.classifier)
        folds = []
        for train, test in splits:
            fresh = clone(transformer)
            y = _safe_indexing(self.y, train)
            first = fresh.fit_transform(_safe_indexing(self.table, train), y)
            rows = np.zeros((self.table.shape[0], first.shape[1]), np.float32)
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
        if name == NUMBERS:
            imputer = part[0]
            if imputer.indicator_ is not None:
                gaps = source[imputer.indicator_.features_]
                source = np.concatenate([source, gaps])
            if isinstance(part[-1], FeatureUnion):
                source = np.concatenate([source, np.repeat(source, N_KNOTS)])
        elif name == CATEGORIES:
            each = [f"{j} " for j in range(len(source))]
            outputs = part[-1].get_feature_names_out(each)
            source = source[[int(output.partition(" ")[0]) for output in outputs]]
        else:
            source = np.repeat(source, part[-1].n_features_in_ // len(source))
        sources.append(source)
    return np.concatenate(sources)
