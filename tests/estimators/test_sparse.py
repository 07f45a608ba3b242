"""Sparse rows train the same networks as dense rows."""

from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import is_classifier

from skreg._training import validating

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
CONTAINERS = [
    getattr(sparse, f"{name}_{kind}")
    for name in FORMATS
    for kind in ("array", "matrix")
]
PROBLEMS = ["two classes", "three classes", "labels", "number", "numbers"]


@pytest.fixture(scope="module")
def rows():
    """Dense rows, a fifth of their entries nonzero; two rows and a column are zero.

    Their number is not a multiple of the batch size of 32.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 12)) * (rng.random((70, 12)) < 0.2)
    X[[3, 40]] = 0
    X[:, 5] = 0
    X.setflags(write=False)
    return X


def targets(problem, X):
    total = X.sum(axis=1)
    if problem == "two classes":
        return (total > 0).astype(int)
    if problem == "three classes":
        return np.digitize(total, [-0.5, 0.5])
    if problem == "labels":
        return np.column_stack([total > 0, X[:, 0] != 0, X[:, 1] >= 0]).astype(int)
    if problem == "number":
        return 100 + 30 * total
    return np.column_stack([100 + 30 * total, -total])


@pytest.fixture
def make(mlp, mlr):
    """An estimator for a problem."""

    def of(problem, *args, **params):
        return (mlr if "number" in problem else mlp)(*args, **params)

    return of


@pytest.fixture(scope="module")
def fit_dense(mlp, rows):
    """Fit to the dense rows of two classes, once for each setting."""

    @cache
    def fit(**params):
        return mlp(**params).fit(rows, targets("two classes", rows))

    return fit


def read_only(X):
    """The rows as a read-only CSR array."""
    X = sparse.csr_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.setflags(write=False)
    return X


def outputs(est, X):
    return est.predict_proba(X) if is_classifier(est) else est.predict(X)


def assert_same(ours, theirs, X, atol=1e-9):
    """Two fits agree, and predict alike on dense and on sparse rows."""
    given = zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    )
    for a, b in given:
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=atol, atol=atol)
    assert ours.history_.keys() == theirs.history_.keys()
    for name, figures in theirs.history_.items():
        np.testing.assert_allclose(ours.history_[name], figures, rtol=atol, atol=atol)
    assert ours.best_epoch_ == theirs.best_epoch_
    expected = outputs(theirs, X)
    for given in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(outputs(ours, given), expected, rtol=atol, atol=atol)


DROPOUT = {"hidden_layer_sizes": (6, 4), "dropout": [0.2, 0.5], "l1": 0.01}
LINEAR = {"hidden_layer_sizes": (), "l2": 0.1, "shuffle": False, "batch_size": 1000}
STOPPING = {"early_stopping": True, "n_iter_no_change": 1, "batch_size": 25}


@pytest.mark.parametrize(
    ("engine", "problem", "params"),
    [
        *(("compiled", problem, DROPOUT) for problem in PROBLEMS),
        ("compiled", "two classes", LINEAR),
        ("compiled", "numbers", LINEAR),
        ("compiled", "three classes", STOPPING),
        ("compiled", "number", STOPPING),
        ("keras", "two classes", STOPPING),
        ("keras", "three classes", DROPOUT),
        ("keras", "labels", LINEAR),
        ("keras", "number", DROPOUT),
        ("keras", "numbers", STOPPING),
    ],
)
def test_the_fit_is_that_of_the_dense_rows(make, rows, engine, problem, params):
    y = targets(problem, rows)
    params = {**params, "engine": engine, "epochs": 2, "learning_rate": 0.02}
    dense = make(problem, **params).fit(rows, y)
    ours = make(problem, **params).fit(read_only(rows), y)
    assert_same(ours, dense, rows)


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda c: c.__name__)
def test_every_format_is_taken(mlp, rows, fit_dense, container):
    y = targets("two classes", rows)
    X = container(rows)
    est = mlp(dropout=0.3).fit(X, y)
    assert_same(est, fit_dense(dropout=0.3), rows)
    np.testing.assert_array_equal(est.predict(X), est.predict(rows))


@pytest.mark.parametrize("container", [sparse.csc_matrix, sparse.coo_array])
def test_other_formats_with_keras(mlp, rows, fit_dense, container):
    y = targets("two classes", rows)
    ours = mlp(engine="keras").fit(container(rows), y)
    assert_same(ours, fit_dense(engine="keras"), rows)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_indices_may_be_of_64_bits(mlp, rows, fit_dense, engine, container):
    y = targets("two classes", rows)
    X = container(rows)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    ours = mlp(engine=engine).fit(X, y)
    assert X.indices.dtype == X.indptr.dtype == np.int64
    assert_same(ours, fit_dense(engine=engine), rows)
    np.testing.assert_array_equal(ours.predict(X), ours.predict(rows))


@pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.uint8, np.int64])
def test_values_of_other_types(mlp, rows, engine, dtype):
    y = targets("two classes", rows)
    X = (10 * np.abs(rows)).astype(dtype)
    ours = mlp(engine=engine).fit(sparse.csr_array(X), y)
    trained_in = np.float32 if dtype is np.float32 else np.float64
    assert {w.dtype for w in ours.coefs_ + ours.intercepts_} == {np.dtype(trained_in)}
    atol = 1e-5 if dtype is np.float32 else 1e-9
    assert_same(ours, mlp(engine=engine).fit(X, y), X, atol)


@pytest.mark.parametrize("problem", ["two classes", "number"])
def test_rows_of_weight_0_are_left_out(make, rows, engine, problem):
    y = targets(problem, rows)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    counts = weight > 0
    params = {"engine": engine, "early_stopping": True, "epochs": 3}
    ours = make(problem, **params).fit(read_only(rows), y, weight)
    assert_same(ours, make(problem, **params).fit(rows, y, weight), rows)
    without = make(problem, **params)
    without.fit(read_only(rows[counts]), y[counts], weight[counts])
    assert_same(ours, without, rows)


@pytest.mark.parametrize("problem", ["three classes", "numbers"])
def test_validation_rows_may_be_sparse(make, rows, engine, problem, monkeypatch):
    # In several chunks, the last of them ragged.
    monkeypatch.setattr(validating, "VALIDATION_BATCH", 8)
    y = targets(problem, rows)
    weight = np.random.default_rng(1).integers(0, 3, 30)

    def fit(container):
        est = make(problem, engine=engine, early_stopping=True, epochs=4, dropout=0.2)
        validation = {"X_val": container(rows[40:]), "y_val": y[40:]}
        validation["sample_weight_val"] = weight
        return est.fit(container(rows[:40]), y[:40], **validation)

    ours = fit(read_only)
    assert "val_loss" in ours.history_
    assert_same(ours, fit(np.asarray), rows)


def test_either_of_training_and_validation_rows_may_be_sparse(mlp, rows, engine):
    X, X_val = rows[:40], rows[40:]
    y, y_val = np.split(targets("two classes", rows), [40])
    dense = mlp(engine=engine).fit(X, y, X_val=X_val, y_val=y_val)
    for given, given_val in ((read_only(X), X_val), (X, read_only(X_val))):
        ours = mlp(engine=engine).fit(given, y, X_val=given_val, y_val=y_val)
        assert_same(ours, dense, rows)


def test_batches_of_empty_rows_move_the_biases_alone(mlp, rows, engine):
    X, y = rows.copy(), targets("two classes", rows)
    X[:40] = 0  # the first two batches
    est = mlp(batch_size=20, shuffle=False, engine=engine)
    ours = est.fit(read_only(X), y)
    assert_same(ours, mlp(batch_size=20, shuffle=False, engine=engine).fit(X, y), X)


def test_a_matrix_without_entries(mlp, rows, engine):
    X, y = np.zeros_like(rows), targets("two classes", rows)
    given = read_only(X)
    assert given.nnz == 0
    ours = mlp((), engine=engine, l2=0.0).fit(given, y)
    assert_same(ours, mlp((), engine=engine, l2=0.0).fit(X, y), X)


def unsorted(X):
    """Columns of every row in falling order."""
    X = sparse.csr_matrix(X)
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        X.indices[start:stop] = X.indices[start:stop][::-1].copy()
        X.data[start:stop] = X.data[start:stop][::-1].copy()
    X.has_sorted_indices = False
    return X


def duplicated(X):
    """Every entry stored as three that sum to it."""
    X = sparse.coo_array(X)
    row, column = (np.tile(numbers, 3) for numbers in (X.row, X.col))
    values = np.concatenate([0.5 * X.data, 0.25 * X.data, 0.25 * X.data])
    return sparse.coo_array((values, (row, column)), X.shape)


def duplicated_csr(X):
    """Every entry stored as two in CSR format, which does not sum duplicates."""
    X = sparse.csr_array(X)
    values, columns = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2)
    return sparse.csr_array((values, columns, 2 * X.indptr), X.shape)


def explicit(X):
    """With every zero stored explicitly."""
    n_rows, n_columns = X.shape
    columns = np.tile(np.arange(n_columns), n_rows)
    indptr = np.arange(n_rows + 1) * n_columns
    return sparse.csr_array((X.ravel().copy(), columns, indptr), X.shape)


@pytest.mark.parametrize("given", [unsorted, duplicated, duplicated_csr, explicit])
def test_the_form_of_the_entries_does_not_matter(mlp, rows, fit_dense, engine, given):
    X, y = given(rows), targets("two classes", rows)
    np.testing.assert_allclose(X.toarray(), rows)
    params = {"engine": engine, "dropout": 0.3, "early_stopping": True}
    assert_same(mlp(**params).fit(X, y), fit_dense(**params), rows)


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda c: c.__name__)
def test_the_given_matrix_is_not_changed(mlp, rows, container):
    X, y = container(rows), targets("two classes", rows)
    before = {name: np.copy(part) for name, part in arrays(X).items()}
    est = mlp(early_stopping=True).fit(X, y, X_val=X, y_val=y)
    est.predict(X)
    assert arrays(X).keys() == before.keys()
    for name, part in arrays(X).items():
        np.testing.assert_array_equal(part, before[name])


def arrays(X):
    """The arrays that hold a sparse matrix."""
    if X.format == "dok":
        return {"items": np.array(sorted(X.items()), dtype=object)}
    names = ["data", "indices", "indptr", "rows", "offsets", "row", "col"]
    return {name: getattr(X, name) for name in names if hasattr(X, name)}


def test_unsorted_indices_stay_unsorted(mlp, rows, engine):
    X, y = unsorted(rows), targets("two classes", rows)
    before = X.indices.copy(), X.data.copy()
    mlp(engine=engine).fit(X, y, X_val=X, y_val=y).predict(X)
    np.testing.assert_array_equal(X.indices, before[0])
    np.testing.assert_array_equal(X.data, before[1])


@pytest.fixture
def dense_shapes(rows, monkeypatch):
    """Record the shapes of all dense arrays made from sparse rows."""
    shapes = []

    def recording(original):
        def recorded(self, *args, **kwargs):
            if self.shape[1] == rows.shape[1]:  # else targets, in scikit-learn
                shapes.append(self.shape)
            return original(self, *args, **kwargs)

        return recorded

    for container in CONTAINERS:
        for name in ("toarray", "todense"):
            original = recording(getattr(container, name))
            monkeypatch.setattr(container, name, original)
    return shapes


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_compiled_engine_makes_no_dense_array(make, rows, problem, dense_shapes):
    X, y = sparse.csc_matrix(rows), targets(problem, rows)
    weight = np.arange(len(y)) % 3
    est = make(problem, dropout=0.3, early_stopping=True, engine="compiled")
    est.fit(X, y, weight)
    est.set_params(warm_start=True).fit(X, y, X_val=X[:9], y_val=y[:9])
    outputs(est, X)
    assert dense_shapes == []


def test_rows_that_would_not_fit_the_memory(mlp):
    # As a dense array 80 GB.
    n_rows, n_columns = 10_000, 1_000_000
    rng = np.random.default_rng(0)
    columns = rng.integers(n_columns, size=3 * n_rows)
    columns[::3] = y = np.arange(n_rows) % 2
    indptr = np.arange(0, 3 * n_rows + 1, 3)
    X = sparse.csr_array((np.ones(3 * n_rows), columns, indptr), (n_rows, n_columns))
    est = mlp((), batch_size=1000, epochs=1, learning_rate=0.1).fit(X, y)
    assert est.score(X, y) > 0.99


def test_the_keras_engine_makes_one_batch_dense_at_a_time(
    mlp, rows, dense_shapes, monkeypatch
):
    monkeypatch.setattr(validating, "VALIDATION_BATCH", 8)
    X, y = read_only(rows[:50]), targets("two classes", rows)
    X_val = read_only(rows[50:])
    est = mlp(engine="keras", batch_size=15, epochs=2)
    est.fit(X, y[:50], X_val=X_val, y_val=y[50:])
    est.predict(X)
    # Batches, and chunks of validation rows. Keras may look at some twice.
    assert set(dense_shapes) == {(n, 12) for n in (15, 5, 8, 4)}
    assert dense_shapes.count((8, 12)) == 2 * 2
    assert dense_shapes.count((4, 12)) == 2
