"""README, docstrings and settings say what the code does."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from sklearn.base import clone

import skreg
from skreg import RegularizedMLPClassifier

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


def section(name):
    """The names documented in a section of the estimator's docstring."""
    doc = inspect.getdoc(RegularizedMLPClassifier)
    text = re.search(rf"\n{name}\n-+\n(.*?)\n\n\w+( \w+)?\n-+\n", doc, re.DOTALL)[1]
    return re.findall(r"^(\w+) : ", text, re.MULTILINE)


def test_every_parameter_is_documented_in_its_order():
    signature = list(inspect.signature(RegularizedMLPClassifier).parameters)
    assert section("Parameters") == signature


def test_every_fitted_attribute_is_documented(mlp, cancer):
    est = mlp().fit(*cancer)
    fitted = {n for n in vars(est) if n.endswith("_") and not n.startswith("_")}
    assert set(section("Attributes")) == fitted | {"model_", "feature_names_in_"}


@pytest.mark.parametrize("name", inspect.signature(RegularizedMLPClassifier).parameters)
def test_the_table_of_parameters_has_the_defaults(name):
    default = inspect.signature(RegularizedMLPClassifier).parameters[name].default
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
