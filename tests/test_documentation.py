"""README, docstrings and settings say what the code does."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from sklearn.base import clone

import skreg
from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


ESTIMATORS = [RegularizedMLPClassifier, RegularizedMLPRegressor]


def section(cls, name):
    """The names documented in a section of an estimator's docstring."""
    doc = inspect.getdoc(cls)
    text = re.search(rf"\n{name}\n-+\n(.*?)\n\n\w+( \w+)?\n-+\n", doc, re.DOTALL)[1]
    return re.findall(r"^(\w+) : ", text, re.MULTILINE)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_is_documented_in_its_order(cls):
    assert section(cls, "Parameters") == list(inspect.signature(cls).parameters)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_fitted_attribute_is_documented(cls, cancer):
    est = cls((8,), epochs=2).fit(*cancer)
    fitted = {n for n in vars(est) if n.endswith("_") and not n.startswith("_")}
    assert set(section(cls, "Attributes")) == fitted | {"model_", "feature_names_in_"}


DEFAULTS = {
    name: parameter.default
    for cls in ESTIMATORS
    for name, parameter in inspect.signature(cls).parameters.items()
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_table_of_parameters_has_the_defaults(name):
    default = DEFAULTS[name]
    shown = "1e-4" if default == 1e-4 else repr(default).replace("'", '"')
    assert re.search(rf"^\| `{name}` \| `{re.escape(shown)}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("dependency", SETTINGS["project"]["dependencies"])
def test_the_readme_has_the_minimums_of_the_package(dependency):
    name, version = dependency.split(">=")
    assert f"{name} {version}" in README


def test_the_example_of_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code.replace("epochs=50", "epochs=2"), names)
    assert names["search"].best_params_.keys() == names["grid"].keys()
    assert clone(names["search"].estimator) is not None


def test_all_that_is_public_is_named():
    assert set(skreg.__all__) <= set(dir(skreg))
    assert re.fullmatch(r"\d+\.\d+\.\d+", skreg.__version__)


def test_pre_commit_has_the_ruff_of_the_package():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    dev = SETTINGS["project"]["optional-dependencies"]["dev"]
    assert re.findall(r'"(ruff.*?)"', hooks) == [
        requirement for requirement in dev if requirement.startswith("ruff")
    ]
