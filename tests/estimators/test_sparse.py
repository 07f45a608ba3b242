"""Sparse rows train the same networks as dense rows."""

from functools import cache
from itertools import product

import numpy as np
import problems
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
    """A factory of estimators for a problem."""

    return lambda problem, **params: (mlr if "number" in problem else mlp)(**params)


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
    problems.assert_same(ours, theirs, atol)
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


def parts(X):
    """Copies of the arrays that hold a sparse matrix."""
    if X.format == "dok":
        return {"items": np.array(sorted(X.items()), dtype=object)}
    names = ["data", "indices", "indptr", "rows", "offsets", "row", "col"]
    return {name: np.copy(getattr(X, name)) for name in names if hasattr(X, name)}


@pytest.fixture
def unchanged():
    """Returns the matrices given to it, which are compared after the test."""
    given = []

    def watch(X):
        given.append((X, parts(X)))
        return X

    yield watch
    for X, before in given:
        after = parts(X)
        assert after.keys() == before.keys()
        for name, part in before.items():
            np.testing.assert_array_equal(after[name], part, strict=True)


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda c: c.__name__)
def test_every_format_is_taken_and_left_as_it_was(mlp, rows, container, unchanged):
    y, X = targets("two classes", rows), unchanged(container(rows))
    params = {"dropout": 0.3, "early_stopping": True}
    est = mlp(**params).fit(X, y, X_val=X, y_val=y)
    assert_same(est, mlp(**params).fit(rows, y, X_val=rows, y_val=y), rows)
    np.testing.assert_array_equal(est.predict(X), est.predict(rows))


@pytest.mark.parametrize("container", [sparse.csc_matrix, sparse.coo_array])
def test_other_formats_with_keras(mlp, rows, fit_dense, container):
    y = targets("two classes", rows)
    ours = mlp(engine="keras").fit(container(rows), y)
    assert_same(ours, fit_dense(engine="keras"), rows)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_indices_may_be_of_64_bits(mlp, rows, fit_dense, engine, container, unchanged):
    y = targets("two classes", rows)
    X = container(rows)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    ours = mlp(engine=engine).fit(unchanged(X), y)
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
    params = {"engine": engine, "early_stopping": True, "dropout": 0.2, "epochs": 3}
    ours = make(problem, **params).fit(read_only(rows), y, weight)
    assert_same(ours, make(problem, **params).fit(rows, y, weight), rows)
    without = make(problem, **params)
    without.fit(read_only(rows[counts]), y[counts], weight[counts])
    assert_same(ours, without, rows)


@pytest.mark.parametrize("problem", ["three classes", "numbers"])
def test_validation_rows_may_be_sparse(make, rows, engine, problem, monkeypatch):
    # The validation rows take several chunks, the last of them a smaller one.
    monkeypatch.setattr(validating, "VALIDATION_BATCH", 8)
    y = targets(problem, rows)
    weight = np.random.default_rng(1).integers(0, 3, 30)

    def fit(container, val_container):
        est = make(problem, engine=engine, early_stopping=True, epochs=4, dropout=0.2)
        validation = {"X_val": val_container(rows[40:]), "y_val": y[40:]}
        validation["sample_weight_val"] = weight
        return est.fit(container(rows[:40]), y[:40], **validation)

    dense = fit(np.asarray, np.asarray)
    assert "val_loss" in dense.history_
    for kinds in product((read_only, np.asarray), repeat=2):
        assert_same(fit(*kinds), dense, rows)


@pytest.mark.parametrize(
    ("n_empty", "params"), [(40, {}), (70, {"hidden_layer_sizes": (), "l2": 0.0})]
)
def test_whole_batches_may_be_empty_rows(mlp, rows, engine, n_empty, params):
    X, y = rows.copy(), targets("two classes", rows)
    X[:n_empty] = 0  # the first two batches, or all of them
    params = {"batch_size": 20, "shuffle": False, "engine": engine, **params}
    ours = mlp(**params).fit(read_only(X), y)
    assert_same(ours, mlp(**params).fit(X, y), X)


def unsorted(X):
    """The same matrix, with the columns of every row in descending order."""
    X = sparse.csr_matrix(X)
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        X.indices[start:stop] = X.indices[start:stop][::-1].copy()
        X.data[start:stop] = X.data[start:stop][::-1].copy()
    X.has_sorted_indices = False
    return X


def duplicated(X):
    """The same matrix, with every entry stored as three that sum to it."""
    X = sparse.coo_array(X)
    row, column = (np.tile(numbers, 3) for numbers in (X.row, X.col))
    values = np.concatenate([0.5 * X.data, 0.25 * X.data, 0.25 * X.data])
    return sparse.coo_array((values, (row, column)), X.shape)


def duplicated_csr(X):
    """The same matrix in CSR format, with every entry stored as two."""
    X = sparse.csr_array(X)
    values, columns = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2)
    return sparse.csr_array((values, columns, 2 * X.indptr), X.shape)


def explicit(X):
    """The same matrix, with every zero stored explicitly."""
    n_rows, n_columns = X.shape
    columns = np.tile(np.arange(n_columns), n_rows)
    indptr = np.arange(n_rows + 1) * n_columns
    return sparse.csr_array((X.ravel().copy(), columns, indptr), X.shape)


@pytest.mark.parametrize("given", [unsorted, duplicated, duplicated_csr, explicit])
def test_the_form_of_the_entries_does_not_matter(mlp, rows, engine, given, unchanged):
    X, y = unchanged(given(rows)), targets("two classes", rows)
    np.testing.assert_allclose(X.toarray(), rows)
    params = {"engine": engine, "dropout": 0.3, "early_stopping": True}
    dense = mlp(**params).fit(rows, y, X_val=rows, y_val=y)
    ours = mlp(**params).fit(X, y, X_val=X, y_val=y)
    assert_same(ours, dense, rows)
    np.testing.assert_array_equal(ours.predict(X), dense.predict(rows))


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
    # A dense array would take 80 GB.
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
    # These are batches and chunks of validation rows. Keras may read some twice.
    assert set(dense_shapes) == {(n, 12) for n in (15, 5, 8, 4)}
    assert dense_shapes.count((8, 12)) == 2 * 2
    assert dense_shapes.count((4, 12)) == 2
