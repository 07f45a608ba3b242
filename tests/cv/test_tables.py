"""`preprocessing="auto"`: raw tables go in."""

import pickle
import warnings
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectFromModel
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
)
from skreg._cv.front_end import FrontEnds, column_kinds, front_end, source_columns

CV = RegularizedMLPClassifierCV(
    (8,), n_candidates=4, epochs=18, cv=2, ensemble_size=2, random_state=0
)
CVR = RegularizedMLPRegressorCV(
    (8,), n_candidates=4, epochs=18, cv=2, ensemble_size=2, random_state=0
)
N = 120


@pytest.fixture(scope="module")
def columns():
    """Columns as lists, with None where a value is missing."""
    rng = np.random.default_rng(0)
    age = rng.normal(50, 10, N)
    sizes = ["small", "large", None]
    return {
        "age": age.tolist(),
        "gap": [None if i % 5 == 0 else float(x) for i, x in enumerate(age)],
        "count": rng.integers(0, 9, N).tolist(),
        "size": [sizes[i] for i in rng.integers(0, 3, N)],
        "town": [f"town {i}" for i in rng.integers(0, 50, N)],
        "flag": (age > 52).tolist(),
        "constant": [1.0] * N,
        "nothing": [np.nan] * N,
    }


@pytest.fixture(scope="module")
def frame(columns):
    table = pd.DataFrame(columns).astype({"gap": float, "size": "category"})
    table["nullable"] = pd.array(columns["count"], dtype="Int64")
    table.loc[3, "nullable"] = pd.NA
    table["sure"] = pd.array(columns["flag"], dtype="boolean")
    table.loc[4, "sure"] = pd.NA
    return table


@pytest.fixture(scope="module")
def y(columns):
    return (np.array(columns["age"]) + 3 * np.array(columns["count"]) > 62).astype(int)


@pytest.fixture(scope="module")
def fitted(frame, y):
    """Not to be changed."""
    return clone(CV).fit(frame, y)


def test_a_raw_data_frame_goes_in(fitted, frame, y):
    proba = fitted.predict_proba(frame)
    assert log_loss(y, proba) < 0.7 * log_loss(y, np.full(N, y.mean()))
    assert type(fitted.preprocessor_) is ColumnTransformer
    rows = fitted.preprocessor_.transform(frame).astype(np.float32)
    np.testing.assert_array_equal(fitted.best_estimator_.predict_proba(rows), proba)
    np.testing.assert_allclose(fitted.model_(rows), proba[:, 1:], rtol=1e-5)
    assert "categories__size_small" in fitted.preprocessor_.get_feature_names_out()
    assert fitted.feature_names_in_.tolist() == list(frame)
    assert fitted.numeric_preprocessing_ in ("standard", "robust", "spline")
    assert get_allow_nan(fitted)


def get_allow_nan(est):
    return est.__sklearn_tags__().input_tags.allow_nan


def test_the_regressor_takes_one_too(frame, y):
    est = clone(CVR).fit(frame, y + np.array(frame["age"]))
    assert est.score(frame, y + np.array(frame["age"])) > 0.5
    assert clone(CVR).fit(frame, np.column_stack([y, -y])).predict(frame).shape == (
        N,
        2,
    )


def test_polars_gives_what_pandas_does(columns, y):
    table = pd.DataFrame(columns).astype({"gap": float})
    expected = clone(CV).fit(table, y).predict_proba(table)
    table = pl.DataFrame(columns, strict=False)
    got = clone(CV).fit(table, y)
    np.testing.assert_array_equal(got.predict_proba(table), expected)
    assert got.feature_names_in_.tolist() == list(columns)


def test_an_array_of_objects_has_numbers_and_categories(columns, y):
    table = pd.DataFrame({name: columns[name] for name in ("age", "size", "count")})
    expected = clone(CV).fit(table, y).predict_proba(table)
    X = table.to_numpy(dtype=object)
    np.testing.assert_array_equal(clone(CV).fit(X, y).predict_proba(X), expected)


def test_a_table_that_training_has_not_seen(fitted, frame):
    new = frame.iloc[:3].copy()
    new["size"] = ["huge", None, "small"]
    new["town"] = ["elsewhere", None, "town 1"]
    new["age"] = [np.nan, 1e6, 50.0]
    proba = fitted.predict_proba(new)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(
        fitted.predict_proba(new.iloc[[1]]), proba[[1]], rtol=1e-5
    )


def test_columns_are_those_of_the_fit(fitted, frame):
    other = frame[frame.columns[::-1]]
    with pytest.raises(ValueError, match="must be in the same order as they were"):
        fitted.predict(other)
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now mis"):
        fitted.predict(frame.drop(columns="age"))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(frame.to_numpy(dtype=object, na_value=None))


def test_two_columns_of_one_name_are_an_error(frame, y):
    twice = frame[["age", "size"]].set_axis(["a", "a"], axis=1)
    with pytest.raises(ValueError, match=r"different names, got \['a', 'a'\]"):
        clone(CV).fit(twice, y)


@pytest.mark.parametrize(
    "values",
    [
        pd.date_range("2026-01-01", periods=N),
        pd.date_range("2026-01-01", periods=N, tz="UTC"),
        pd.to_timedelta(np.arange(N), unit="s"),
        pd.period_range("2026-01-01", periods=N),
        pd.array(np.arange(N) + 1j),
    ],
    ids=lambda values: str(values.dtype),
)
def test_a_column_of_no_numbers_is_named(frame, y, values):
    with pytest.raises(ValueError, match="numbers or of categories, got column 'when'"):
        clone(CV).fit(frame.assign(when=values), y)


def test_a_column_of_lists_is_named(frame, columns, y):
    lists = [[1, 2]] * N
    others = {
        "tuple": [(1, [2])] * N,
        "list": lists,
        "date": [date(2026, 1, 1)] * N,
        "ndarray": [np.ones(2)] * N,
    }
    for kind, values in others.items():
        message = f"strings or numbers in column 'many', got {kind}"
        with pytest.raises(TypeError, match=message):
            clone(CV).fit(frame.assign(many=values), y)
    for dtype, values in {"List": lists, "Date": ["2026-01-01"] * N}.items():
        series = pl.Series("many", values)
        series = series.str.to_date() if dtype == "Date" else series
        with pytest.raises(ValueError, match=f"got column 'many' of {dtype}"):
            clone(CV).fit(pl.DataFrame({"age": columns["age"]}).with_columns(series), y)


def test_categories_of_pandas_may_be_of_any_type(y):
    table = pd.DataFrame({"x": pd.cut(np.where(y, 1.0, 3.0), 2)})
    assert clone(CV).fit(table, y).score(table, y) == 1


def test_missing_labels_are_named(frame, y):
    network = RegularizedMLPClassifier((4,), epochs=1)
    for missing in (None, np.nan, pd.NA):
        labels = np.array(["a" if one else missing for one in y], dtype=object)
        for given in (labels, pd.Series(labels, dtype="string"), labels.tolist()):
            with pytest.raises(ValueError, match="y must have a label in each row"):
                clone(CV).fit(frame, given)
            with pytest.raises(ValueError, match="y must have a label in each row"):
                network.fit(np.ones((N, 1)), given)


def test_targets_of_a_regressor_must_be_numbers(frame):
    with pytest.raises(ValueError, match=r"y must have numbers only: .*'[ab]'"):
        clone(CVR).fit(frame, ["a", "b"] * (N // 2))


def test_very_few_rows_are_only_standardized():
    X, y = np.arange(9.0).reshape(3, 3), np.arange(3.0)
    assert clone(CVR).fit(X, y).numeric_preprocessing_ == "standard"


def test_infinity_and_an_empty_table_are_errors(fitted, frame, y):
    with pytest.raises(ValueError, match="contains infinity"):
        clone(CV).fit(frame.assign(age=np.inf), y)
    with pytest.raises(ValueError, match=r"one row and one column .* got shape \(0, "):
        fitted.predict(frame.iloc[:0])
    with pytest.raises(ValueError, match="preprocessing must be 'auto' or None, got 1"):
        clone(CV).set_params(preprocessing=1).fit(frame, y)


def test_without_preprocessing_there_are_numbers_only(frame, y):
    est = clone(CV).set_params(preprocessing=None)
    assert not get_allow_nan(est)
    with pytest.raises(ValueError, match=r"numbers only: .* use preprocessing='auto'"):
        est.fit(frame[["size"]].astype(object), y)
    with pytest.raises(ValueError, match=r"NaN, which .* or use preprocessing='auto'"):
        est.fit(np.full((N, 1), np.nan), y)
    est.fit(frame[["age"]], y)
    assert est.preprocessor_ is est.numeric_preprocessing_ is None


def test_sparse_rows_are_used_as_they_are(frame, y):
    X = sparse.csr_array(frame[["age", "count"]].to_numpy() / 50)
    est, as_it_is = clone(CV), clone(CV).set_params(preprocessing=None)
    assert est.fit(X, y).preprocessor_ is None
    np.testing.assert_array_equal(
        est.predict_proba(X), as_it_is.fit(X, y).predict_proba(X)
    )
    dense = clone(CV).fit(X.toarray(), y)
    np.testing.assert_array_equal(
        dense.predict_proba(X), dense.predict_proba(X.toarray())
    )


@pytest.mark.parametrize("numbers", ["standard", "robust", "spline"])
def test_each_fold_has_a_front_end_of_its_own(frame, y, numbers):
    front_ends = FrontEnds(frame, y, classifier=True)
    splits = list(StratifiedKFold(2).split(frame, y))
    for rows, (train, test) in zip(
        front_ends.fold_rows(numbers, splits), splits, strict=True
    ):
        expected = front_end(column_kinds(frame, True), numbers, classifier=True)
        expected.fit(frame.iloc[train], y[train])
        np.testing.assert_allclose(
            rows[test], expected.transform(frame.iloc[test]), rtol=1e-5, atol=1e-6
        )
        assert np.isfinite(rows).all()


@pytest.mark.parametrize("numbers", ["standard", "robust", "spline"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_importances_are_those_of_the_columns_of_the_table(
    frame, y, numbers, n_classes
):
    target = y if n_classes == 2 else np.arange(N) % 3
    transformer = front_end(column_kinds(frame, True), numbers, classifier=True)
    transformer.fit(frame, target)
    names = transformer.get_feature_names_out()
    for name, source in zip(names, source_columns(transformer), strict=True):
        assert f"_{frame.columns[source]}" in name


def test_feature_selection_selects_columns_of_the_table(fitted, frame, y):
    importances = fitted.feature_importances_
    assert importances.shape == fitted.used_features_.shape == (frame.shape[1],)
    assert importances.sum() == pytest.approx(1)
    assert not fitted.used_features_[list(frame).index("constant")] or importances.any()
    selected = SelectFromModel(fitted, prefit=True, max_features=3, threshold=-np.inf)
    assert selected.get_support().sum() == 3


def test_the_front_end_is_chosen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = np.sin(4 * X[:, 0]) + X[:, 1]
    est = clone(CVR).set_params(hidden_layer_sizes=(32,), cv=KFold(3))
    far = est.fit(np.exp(3 * X), y)  # of very different sizes
    assert far.numeric_preprocessing_ != "standard"
    of_rows = np.array(far.cv_results_["numeric_preprocessing"])
    assert set(of_rows) == {"standard", far.numeric_preprocessing_}
    rows = of_rows == far.numeric_preprocessing_
    assert rows[far.best_index_]
    assert rows[far.ensemble_indices_].all()
    near = clone(est).fit(X, X @ [1.0, 2.0])
    assert near.numeric_preprocessing_ == "standard"
    assert far.n_candidates_[0] == near.n_candidates_[0] == 4


def test_categories_that_are_encoded_by_the_target_give_the_same_bits(frame, y):
    towns = frame[["town", "age"]]
    first, second = (clone(CV).fit(towns, y).predict_proba(towns) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_pickle_and_a_clone(fitted, frame, y):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        loaded.predict_proba(frame), fitted.predict_proba(frame)
    )
    again = clone(fitted).set_params(n_jobs=1).fit(frame, y)
    np.testing.assert_array_equal(
        again.predict_proba(frame), fitted.predict_proba(frame)
    )


def test_too_little_time_leaves_the_standard_front_end(frame, y):
    est = clone(CV).set_params(time_limit=1e-9)
    with pytest.warns(UserWarning, match="too few to compare"):
        est.fit(frame, y)
    assert np.isfinite(est.predict_proba(frame)).all()


def test_no_warnings_of_a_global_output_configuration(frame, y):
    from sklearn import config_context

    with config_context(transform_output="pandas"), warnings.catch_warnings():
        warnings.simplefilter("error")
        est = clone(CV).fit(frame[["age", "count"]], y)
    assert np.isfinite(est.predict_proba(frame[["age", "count"]])).all()


def test_class_weights_reach_the_score(frame, y):
    weighted = clone(CV).set_params(class_weight={0: 100.0, 1: 0.01}).fit(frame, y)
    assert (weighted.predict(frame) == 0).mean() > 0.9


@pytest.mark.parametrize(
    ("fitted_to", "predicted"),
    [
        (pd.Categorical([0, 1, 2] * 40), pd.Categorical([0, 1, 2, None] * 30)),
        (pd.Categorical([0, 1, 2, None] * 30), pd.Categorical([0, 1, 2] * 40)),
        (np.array([0, 1, 2] * 40, object), np.array([0, 1.0, 2.0, None] * 30, object)),
        (pd.array([True, False, None] * 40), np.array([1, 0, 1] * 40, object)),
    ],
)
def test_a_category_is_the_same_beside_a_gap(fitted_to, predicted):
    table = pd.DataFrame({"c": fitted_to})
    y = (table["c"] == 1).fillna(False).astype(bool).to_numpy()
    est = clone(CV).set_params(epochs=60).fit(table, y)
    new = pd.DataFrame({"c": predicted})
    expected = (new["c"] == 1).fillna(False).astype(bool).to_numpy()
    np.testing.assert_array_equal(est.predict(new), expected)


@pytest.mark.parametrize(
    ("labels", "encoding"),
    [
        (np.repeat(np.arange(10), 6), "categories"),
        (np.where(np.arange(60) < 3, 1, 0), "many_categories"),
    ],
)
def test_many_categories_and_few_rows_of_a_class(labels, encoding):
    table = pd.DataFrame({"x": [str(i) for i in range(60)], "z": np.arange(60.0)})
    est = clone(CV).set_params(cv=3).fit(table, labels)
    assert encoding in est.preprocessor_.named_transformers_
    assert np.isfinite(est.predict_proba(table)).all()


def test_mixed_lists_and_objects_keep_their_numbers(y):
    rows = [[i * 1.5, "k" if i % 2 else "l"] for i in range(N)]
    est = clone(CV).fit(rows, y)
    assert [name for name, *_ in est.preprocessor_.transformers] == [
        "numbers",
        "categories",
    ]
    nullable = pd.DataFrame({"x": pd.array([None, 1, 2] * 40, dtype="Int64")})
    est = clone(CV).fit(nullable.to_numpy(), y)
    assert est.preprocessor_.transformers[0][0] == "numbers"
    assert est.predict(np.array([[pd.NA], [1]], object)).shape == (2,)


def test_sparse_columns_of_a_frame_are_made_dense(y):
    x = np.random.default_rng(0).normal(size=N)
    table = pd.DataFrame({"x": pd.arrays.SparseArray(x), "z": x})
    dense = pd.DataFrame({"x": x, "z": x})
    np.testing.assert_array_equal(
        clone(CV).fit(table, y).predict_proba(table),
        clone(CV).fit(dense, y).predict_proba(dense),
    )


def test_numbers_too_large_to_scale_are_an_error(y):
    X = np.random.default_rng(0).normal(size=(N, 2)) * 1e200
    with pytest.raises(ValueError, match="X must have numbers that can be squared"):
        clone(CV).fit(X, y)


def test_a_fold_without_a_score_does_not_stop_the_choice():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = np.sin(4 * X[:, 0]) + X[:, 1]
    rows = np.arange(400)
    cv = [(rows[:200], rows[200:]), (rows[200:], rows[:200]), (rows[:200], rows[200:])]

    def scorer(est, X, y):
        seen.add(X.shape[1])
        scorer.n += 1
        return np.nan if scorer.n % 3 == 0 else -np.mean((est.predict(X) - y) ** 2)

    scorer.n, seen = 0, set()
    est = clone(CVR).set_params(hidden_layer_sizes=(32,), cv=cv, n_jobs=1)
    with pytest.warns(UserWarning, match="left out"):
        est.set_params(scoring=scorer, ensemble_size=None).fit(np.exp(3 * X), y)
    assert est.numeric_preprocessing_ != "standard"


def test_balanced_weights_are_those_of_the_loss(frame, y):
    weights = np.where(y == 1, 1, 3)
    once = clone(CV).set_params(class_weight="balanced", preprocessing=None)
    X = np.array(frame[["age"]])
    rows = np.arange(N) % 2 == 0
    cv = [(np.flatnonzero(rows), np.flatnonzero(~rows))]
    weighted = clone(once).set_params(cv=cv).fit(X, y, sample_weight=weights)
    by_hand = np.where(y == 1, weights.sum() / (y == 1).sum(), 0)
    by_hand = by_hand + np.where(y == 0, weights.sum() / (3 * (y == 0).sum()), 0)
    expected = clone(once).set_params(class_weight=None, cv=cv)
    expected.fit(X, y, sample_weight=weights * by_hand)
    np.testing.assert_allclose(
        weighted.cv_results_["mean_test_score"][0],
        expected.cv_results_["mean_test_score"][0],
        rtol=0.05,
    )
