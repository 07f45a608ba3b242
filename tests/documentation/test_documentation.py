"""README, docstrings and settings say what the code does."""

import ast
import doctest
import inspect
import operator
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator, validate
from problems import ignores_copy_warning
from sklearn import datasets
from sklearn.base import clone

import skreg
from skreg import (
    LossCurveDisplay,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
    SearchDisplay,
    WeightDisplay,
)
from skreg._plotting.loss_curve import LOSS_NAMES
from skreg._training.objectives import REGRESSION

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
NOXFILE = (ROOT / "noxfile.py").read_text()
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


SMALL = {"hidden_layer_sizes": (8,), "epochs": 2}
ESTIMATORS = [
    RegularizedMLPClassifier(**SMALL),
    RegularizedMLPRegressor(**SMALL),
    RegularizedMLPClassifierCV(**SMALL, n_candidates=2, ensemble_size=2),
    RegularizedMLPRegressorCV(**SMALL, n_candidates=2, ensemble_size=2),
    MLPEnsembleClassifier(RegularizedMLPClassifier(**SMALL), [{}]),
    MLPEnsembleRegressor(RegularizedMLPRegressor(**SMALL), [{}]),
]
DISPLAYS = [
    LossCurveDisplay(loss=[1.0], data_loss=[1.0]),
    WeightDisplay(magnitudes=[1.0], shares=[[1.0]], n_weights=[1], n_zeros=[0]),
    SearchDisplay(x_name="l2", x_values=[1.0], test_scores=[[[0.5]]]),
]
PAGES = sorted(set(DOCS.glob("*.rst")) | set(DOCS.glob("guide/*.rst")))
if find_spec("sklearn.callback") is None:  # before scikit-learn 1.9
    PAGES.remove(DOCS / "guide" / "callbacks.rst")


def public_objects():
    """The names of all public classes and of their members that are defined here."""
    for name in skreg.__all__:
        yield f"skreg.{name}"
        for cls in getattr(skreg, name).__mro__:
            if cls.__module__.partition(".")[0] == "skreg":
                # Not set_fit_request and its like, which scikit-learn adds to a class.
                members = [m for m in vars(cls) if not m.startswith(("_", "set_"))]
                yield from (f"skreg.{name}.{member}" for member in members)


PUBLIC = sorted(set(public_objects()))


# numpydoc asks this of every object; here only classes need it.
FOR_CLASSES_ONLY = {
    "ES01",  # an extended summary
    "SA01",  # a section "See Also"
    "EX01",  # an example: that of the class shows its methods
    "RT02",  # no name for what is returned: scikit-learn has "self : object"
}


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_are_complete(name, monkeypatch):
    # Python 3.13 looks for a class in the file of its `__module__`, which is "skreg".
    monkeypatch.setattr(Validator, "source_file_def_line", None)
    ignored = FOR_CLASSES_ONLY if name.count(".") > 1 else set()
    assert [e for e in validate(name)["errors"] if e[0] not in ignored] == []


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.endswith("_")])
def test_docstrings_have_the_defaults(name):
    obj = operator.attrgetter(name.removeprefix("skreg."))(skreg)
    documented = {p.name: p.type for p in get_doc_object(obj)["Parameters"]}
    for parameter in inspect.signature(obj).parameters.values():
        if parameter.default is not parameter.empty:
            shown = documented[parameter.name].partition("default=")[2]
            value = np.nan if shown == "nan" else ast.literal_eval(shown)
            np.testing.assert_equal(value, parameter.default)


def attributes(cls):
    return {attribute.name for attribute in get_doc_object(cls)["Attributes"]}


def fitted(obj):
    return {n for n in vars(obj) if n.endswith("_") and not n.startswith("_")}


@pytest.mark.parametrize("est", ESTIMATORS, ids=lambda est: type(est).__name__)
def test_every_fitted_attribute_is_documented(est, cancer):
    cls, names = type(est), fitted(clone(est).fit(*cancer))
    names |= {name for name in dir(cls) if name.endswith("_") and name[0] != "_"}
    if not isinstance(est, MLPEnsembleClassifier | MLPEnsembleRegressor):
        names.add("feature_names_in_")
    assert attributes(cls) == names


@pytest.mark.parametrize("name", skreg.__all__)
def test_the_examples_of_docstrings_run(name):
    runner = doctest.DocTestRunner()
    for examples in doctest.DocTestFinder().find(getattr(skreg, name), name):
        runner.run(examples)
    plt.close("all")
    assert runner.tries > 0
    assert runner.failures == 0


@ignores_copy_warning  # where a page saves a network
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_code_of_the_pages_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where they write files
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize(
    "display", DISPLAYS, ids=lambda display: type(display).__name__
)
def test_every_attribute_of_a_display_is_documented(display):
    display.plot(Figure().subplots())
    assert attributes(type(display)) == fitted(display)


@pytest.mark.parametrize("dependency", SETTINGS["project"]["dependencies"])
def test_the_readme_has_the_minimums_of_the_package(dependency):
    name, version = dependency.split(">=")
    assert f"{name} {version}" in README


def test_the_readme_has_the_supported_versions_of_python():
    project = SETTINGS["project"]
    oldest, after = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", project["requires-python"]
    ).groups()
    minors = range(int(oldest), int(after))
    assert f"Python 3.{minors[0]} to 3.{minors[-1]}," in README
    ours = [c for c in project["classifiers"] if re.search(r"Python :: \d", c)]
    assert ours == [f"Programming Language :: Python :: 3.{n}" for n in minors]
    assert SETTINGS["tool"]["mypy"]["python_version"] == f"3.{oldest}"
    assert SETTINGS["tool"]["ruff"]["target-version"] == f"py3{oldest}"


def test_documented_extras_are_those_of_the_package():
    extras = set(SETTINGS["project"]["optional-dependencies"])
    assert set(re.findall(r"'\.\[(\w+)\]'", README)) == extras - {"docs", "dev"}
    texts = [CONTRIBUTING, *(page.read_text() for page in PAGES)]
    named = {n for text in texts for n in re.findall(r"(?:skreg|\.)\[(\w+)\]", text)}
    assert named <= extras


def test_contributors_find_every_file_and_every_session():
    files = {file.stem for file in ROOT.glob("skreg/*/*.py")} - {"__init__"}
    sessions = re.findall(r"@nox\.session.*\n(?:@.*\n)*def (\w+)", NOXFILE)
    assert files | set(sessions) <= set(re.findall(r"\w+", CONTRIBUTING))


def test_the_examples_of_the_readme_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    X, y = datasets.load_breast_cancer(return_X_y=True)
    few = X[::4], y[::4]
    monkeypatch.setattr(datasets, "load_breast_cancer", lambda return_X_y: few)
    codes = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    for code in codes:  # each continues the previous one
        exec(code.replace("epochs=50", "epochs=2"), names)
    plt.close("all")
    assert names["search"].best_params_.keys() == names["grid"].keys()
    assert clone(names["search"].estimator) is not None


def test_the_links_of_the_readme_lead_somewhere():
    relative = re.findall(r"\]\((?!https:)(.*?)\)", README)
    assert relative
    assert all((ROOT / link).is_file() for link in relative)


def test_the_readme_has_no_relative_links_on_pypi():
    text = README
    hook = SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    for substitution in hook["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    assert re.findall(r"\]\((?!https:).*?\)", text) == []


def test_all_that_is_public_is_named():
    assert dir(skreg) == skreg.__all__
    assert all(inspect.isclass(getattr(skreg, name)) for name in skreg.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", skreg.__version__)


def test_the_reference_has_all_that_is_public():
    reference = (DOCS / "api.rst").read_text()
    assert sorted(re.findall(r"^   (\w+)$", reference, re.MULTILINE)) == skreg.__all__
    assert {type(display).__name__ for display in DISPLAYS} == {
        name for name in skreg.__all__ if name.endswith("Display")
    }


@pytest.mark.parametrize(
    "cls", [RegularizedMLPRegressor, skreg.RegularizedMLPRegressorCV]
)
def test_signatures_docstrings_and_displays_have_every_loss(cls):
    annotation = inspect.get_annotations(cls.__init__, eval_str=True)["loss"]
    documented = {p.name: p.type for p in get_doc_object(cls)["Parameters"]}["loss"]
    assert set(get_args(annotation)) == set(REGRESSION)
    assert set(re.findall(r'"(\w+)"', documented.partition("}")[0])) == set(REGRESSION)
    assert LOSS_NAMES.keys() == {"cross-entropy", *REGRESSION}


def test_pre_commit_has_the_ruff_of_the_package():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    dev = SETTINGS["project"]["optional-dependencies"]["dev"]
    assert re.findall(r'"(ruff.*?)"', hooks) == [
        requirement for requirement in dev if requirement.startswith("ruff")
    ]
