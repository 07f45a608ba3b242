"""What X and y may be: arrays, frames and series of numbers, whatever holds them.

Each is to give the network that the same numbers give as a plain array: float64, C
order. None of them is to be written to.
"""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from problems import assert_same, assert_same_weights
from sklearn.linear_model import LogisticRegression

# All types below hold these numbers exactly.
WHOLE = np.random.default_rng(0).integers(-3, 4, (40, 4)).astype(float)
HALVES = WHOLE / 2
BITS = (WHOLE > 0).astype(float)
SOME = (HALVES @ [1, -1, 2, 0] > 0).astype(int)  # y for all of them
for shared in (WHOLE, HALVES, BITS, SOME):
    shared.setflags(write=False)
NAMES = list("abcd")


@pytest.fixture(scope="module", params=["mlp", "mlr"])
def make(request):
    return request.getfixturevalue(request.param)


def memmap(path, array, mode):
    np.save(path / "rows.npy", array)
    return np.load(path / "rows.npy", mmap_mode=mode)


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def backwards(array):
    """The same array with a negative stride on every axis."""
    steps = (slice(None, None, -1),) * array.ndim
    return array[steps].copy()[steps]


def every_other(array):
    """The same rows, which do not follow one another in memory."""
    return np.repeat(array, 2, axis=0)[::2]


def frame(*dtypes):
    """A pandas frame with columns of these dtypes in turn."""

    def convert(array):
        columns = pd.DataFrame(array, columns=NAMES)
        kinds = (dtypes * len(NAMES))[: len(NAMES)]
        return columns.astype(dict(zip(NAMES, kinds, strict=True)))

    return convert


def polars_frame(*dtypes):
    """A polars frame with columns of these dtypes in turn."""

    def convert(array):
        kinds = (dtypes * len(NAMES))[: len(NAMES)]
        columns = zip(NAMES, array.T, kinds, strict=True)
        return pl.DataFrame({n: pl.Series(c).cast(kind) for n, c, kind in columns})

    return convert


def mixed_objects(array):
    """Integers and floats side by side."""
    array = array.astype(object)
    array[::2] = array[::2].astype(int)
    return array


X_KINDS = {
    "float16": (HALVES, lambda X: X.astype(np.float16)),
    "longdouble": (HALVES, lambda X: X.astype(np.longdouble)),
    "int8": (WHOLE, lambda X: X.astype(np.int8)),
    "int64": (WHOLE, lambda X: X.astype(np.int64)),
    "uint16": (BITS, lambda X: X.astype(np.uint16)),
    "bool": (BITS, lambda X: X.astype(bool)),
    "object of floats": (HALVES, lambda X: X.astype(object)),
    "object of ints": (WHOLE, lambda X: X.astype(int).astype(object)),
    "object of both": (WHOLE, mixed_objects),
    "big-endian floats": (HALVES, lambda X: X.astype(">f8")),
    "big-endian ints": (WHOLE, lambda X: X.astype(">i2")),
    "Fortran order": (HALVES, np.asfortranarray),
    "backwards": (HALVES, backwards),
    "every other row": (HALVES, every_other),
    "read-only": (HALVES, read_only),
    "pandas float64": (HALVES, frame("float64")),
    "pandas int64": (WHOLE, frame("int64")),
    "pandas numbers": (BITS, frame("int8", "float32", "bool", "float64")),
    "pandas Int64": (WHOLE, frame("Int64")),
    "pandas Float64": (HALVES, frame("Float64")),
    "pandas boolean": (BITS, frame("boolean")),
    "pandas nullable": (BITS, frame("Int8", "Float64", "boolean", "float64")),
    "pandas category": (WHOLE, frame("category", "float64")),
    "pandas categories": (HALVES, frame("category")),
    "pandas object": (HALVES, frame("object", "float64")),
    "polars Float64": (HALVES, polars_frame(pl.Float64)),
    "polars Int32": (WHOLE, polars_frame(pl.Int32)),
    "polars Boolean": (BITS, polars_frame(pl.Boolean)),
    "polars numbers": (BITS, polars_frame(pl.UInt8, pl.Float32, pl.Boolean)),
}
SINGLE_KINDS = {
    "Fortran order": np.asfortranarray,
    "backwards": backwards,
    "read-only": read_only,
    "pandas": frame("float32"),
}


def check(make, plain, given):
    """Fit and predict with these rows as with the plain array of their numbers."""
    before = np.array(given)
    expected = make().fit(plain, SOME)
    est = make().fit(given, SOME)
    assert_same_weights(est, expected)
    assert est.coefs_[0].dtype == plain.dtype
    # Products round differently where the rows lie differently in memory.
    rounding = 10 * np.finfo(plain.dtype).eps
    np.testing.assert_allclose(est.predict(given), expected.predict(plain), rounding)
    np.testing.assert_array_equal(np.array(given), before, strict=True)


@pytest.mark.parametrize("kind", X_KINDS)
def test_rows_of_any_kind_train_the_same_network(make, kind):
    plain, convert = X_KINDS[kind]
    check(make, plain, convert(plain))


@pytest.mark.parametrize("kind", SINGLE_KINDS)
def test_single_precision_rows(make, kind):
    plain = HALVES.astype(np.float32)
    check(make, plain, SINGLE_KINDS[kind](plain))


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_rows_on_disk_train_the_same_network(make, tmp_path, dtype, mode):
    plain = HALVES.astype(dtype)
    given = memmap(tmp_path, plain, mode)
    assert isinstance(given, np.memmap)
    before = (tmp_path / "rows.npy").read_bytes()
    check(make, plain, given)
    given.flush()
    assert (tmp_path / "rows.npy").read_bytes() == before


def with_a_gap(given, gap):
    given = given.copy()
    given.iloc[5, 1] = gap
    return given


GAPS = {
    "pandas Int64": with_a_gap(frame("Int64")(WHOLE), pd.NA),
    "pandas Float64": with_a_gap(frame("Float64")(WHOLE), pd.NA),
    "pandas boolean": with_a_gap(frame("boolean")(BITS), pd.NA),
    "pandas nullable": with_a_gap(frame("Int8", "boolean", "float64")(BITS), pd.NA),
    "pandas category": with_a_gap(frame("category")(WHOLE), np.nan),
    "pandas object": with_a_gap(frame("object")(WHOLE), None),
    "polars Int64": polars_frame(pl.Int64)(WHOLE).with_columns(b=None),
    "polars Boolean": polars_frame(pl.Boolean)(BITS).with_columns(
        b=pl.Series([True, None] * 20)
    ),
    "object": np.where(WHOLE > 2, None, WHOLE),
}


@pytest.mark.parametrize("kind", GAPS)
def test_missing_values_in_rows_are_refused(make, kind):
    given = GAPS[kind]
    with pytest.raises(ValueError, match="Input X contains NaN"):
        make().fit(given, SOME)
    without = WHOLE if kind == "object" else frame("float64")(WHOLE)
    est = make().fit(without, SOME)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        est.predict(given)


WORDS = [["low", "high"][bit] for bit in SOME]


POLARS = polars_frame(pl.Float64)(WHOLE)
WITH_WORDS = {
    "str": frame("float64")(WHOLE).assign(b=WORDS),
    "category": frame("float64")(WHOLE).assign(b=pd.Categorical(WORDS)),
    "category, Int64": frame("Int64")(WHOLE).assign(b=pd.Categorical(WORDS)),
    "polars": POLARS.with_columns(b=pl.Series(WORDS)),
    "polars Categorical": POLARS.with_columns(b=pl.Series(WORDS, dtype=pl.Categorical)),
    "list": [[1.0, word] for word in WORDS],
}


@pytest.mark.parametrize("kind", WITH_WORDS)
def test_words_in_rows_are_refused(make, kind):
    message = "could not convert string to float"
    if kind == "category, Int64":  # pandas itself refuses words beside nullable columns
        message = r"Cannot cast \w+ dtype to float64"
    with pytest.raises(ValueError, match=message):
        make().fit(WITH_WORDS[kind], SOME)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_columns_are_known_by_their_names(make, library, early_stopping):
    columns = dict(zip(NAMES, HALVES.T, strict=True))
    est = make(early_stopping=early_stopping)
    expected = est.fit(HALVES, SOME).predict(HALVES)
    est.fit(library.DataFrame(columns), SOME)
    assert est.feature_names_in_.tolist() == NAMES
    for other in (pd, pl):
        predicted = est.predict(other.DataFrame(columns))
        np.testing.assert_array_equal(predicted, expected)
    moved = library.DataFrame({name: columns[name] for name in reversed(NAMES)})
    with pytest.raises(ValueError, match="must be in the same order"):
        est.predict(moved)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        est.predict(HALVES)
    assert not hasattr(est.fit(HALVES, SOME), "feature_names_in_")


def test_validation_rows_and_weights_of_any_kind(make):
    weight = 1 + BITS[:, 0]

    def fit(rows, column):
        return make().fit(
            rows(HALVES),
            column(SOME),
            column(weight),
            X_val=rows(HALVES[:9]),
            y_val=column(SOME[:9]),
            sample_weight_val=column(weight[:9]),
        )

    plain = fit(np.asarray, np.asarray)
    assert_same(fit(frame("Float64"), pd.Series), plain, atol=0)
    assert_same(fit(polars_frame(pl.Float64), pl.Series), plain, atol=0)


# Targets.

TARGETS = {
    "list": np.ndarray.tolist,
    "tuple": tuple,
    "pandas": lambda y: pd.Series(y, index=range(len(y), 0, -1)),
    "pandas Int64": lambda y: pd.Series(y, dtype="Int64"),
    "pandas Float64": lambda y: pd.Series(y, dtype="Float64"),
    "pandas category": lambda y: pd.Series(y, dtype="category"),
    "polars": pl.Series,
    "polars Float32": lambda y: pl.Series(y).cast(pl.Float32),
    "float16": lambda y: y.astype(np.float16),
    "float32": lambda y: y.astype(np.float32),
    "big-endian": lambda y: y.astype(">i4"),
    "backwards": backwards,
    "every other": every_other,
}


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_of_any_kind_train_the_same_network(make, kind):
    y = 3 * SOME - 1
    given = TARGETS[kind](y)
    before = np.array(given)
    est, expected = make().fit(HALVES, given), make().fit(HALVES, y)
    assert_same_weights(est, expected)
    np.testing.assert_array_equal(est.predict(HALVES), expected.predict(HALVES))
    assert est.score(HALVES, given) == expected.score(HALVES, y)
    np.testing.assert_array_equal(np.array(given), before, strict=True)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_targets_on_disk(make, tmp_path, mode):
    est = make().fit(HALVES, memmap(tmp_path, SOME, mode))
    assert_same_weights(est, make().fit(HALVES, SOME))
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), SOME)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(WORDS),
        np.array(WORDS, dtype=object),
        SOME.astype(bool),
        SOME.astype(np.uint8),
        10 * SOME - 3,
        2.0 * SOME,
        pd.Series(WORDS, index=SOME),
        pd.Series(WORDS, dtype="category"),
        pd.Series(SOME, dtype="boolean"),
        pd.Series(SOME, dtype="Int64"),
        pd.Series(WORDS, dtype="string"),
        pl.Series(WORDS),
        pl.Series(WORDS, dtype=pl.Categorical),
        pl.Series(SOME).cast(pl.Boolean),
    ],
    ids=lambda labels: f"{type(labels).__module__.split('.')[0]} {labels.dtype}",
)
def test_labels_come_back_as_from_scikit_learn(mlp, labels):
    ours = mlp(epochs=30, learning_rate=0.05).fit(HALVES, labels)
    theirs = LogisticRegression().fit(HALVES, labels)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_, strict=True)
    predicted = ours.predict(HALVES)
    assert predicted.dtype == theirs.predict(HALVES).dtype
    accuracy = np.mean(predicted == np.asarray(labels))
    assert ours.score(HALVES, labels) == accuracy > 0.9


OUTPUTS = {
    "list": np.ndarray.tolist,
    "Fortran order": np.asfortranarray,
    "backwards": backwards,
    "float32": lambda Y: Y.astype(np.float32),
    "bool": lambda Y: Y.astype(bool),
    "pandas": lambda Y: pd.DataFrame(Y, index=range(len(Y), 0, -1)),
    "pandas Int64": lambda Y: pd.DataFrame(Y, dtype="Int64"),
    "pandas boolean": lambda Y: pd.DataFrame(Y.astype(bool), dtype="boolean"),
    "polars": lambda Y: pl.DataFrame(Y, schema=["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_targets_of_several_columns(make, kind):
    Y = BITS[:, :3].astype(int)
    given = OUTPUTS[kind](Y)
    before = np.array(given)
    est, expected = make().fit(HALVES, given), make().fit(HALVES, Y)
    assert est.predict(HALVES).shape == Y.shape
    # Sums over a column depend on the order in which its entries lie in memory.
    assert_same_weights(est, expected, rtol=1e-12)
    np.testing.assert_array_equal(np.array(given), before, strict=True)


@pytest.mark.parametrize("holder", [np.array, pd.Series, pd.DataFrame])
def test_numbers_held_as_objects_are_targets_but_no_labels(mlp, mlr, holder):
    y = BITS[:, :2].astype(int) if holder is pd.DataFrame else SOME
    given = holder(y, dtype=object)
    assert_same_weights(mlr().fit(HALVES, given), mlr().fit(HALVES, y), rtol=1e-12)
    # scikit-learn refuses them, too: objects need not have an order.
    with pytest.raises(ValueError, match="Unknown label type: unknown"):
        mlp().fit(HALVES, given)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(SOME, dtype="Int64").replace(1, pd.NA),
        pd.Series(SOME, dtype="Float64").replace(1, pd.NA),
        pd.Series(SOME, dtype="boolean").replace(True, pd.NA),
        pl.Series([0, None, 1, 1] * 10),
        np.where(SOME, np.nan, 1.0),
    ],
    ids=["Int64", "Float64", "boolean", "polars", "float64"],
)
def test_missing_values_in_targets_are_refused(make, y):
    with pytest.raises(ValueError, match="Input y contains NaN"):
        make().fit(HALVES, y)
