"""Public methods have type hints; mypy checks that they are right."""

import inspect
from importlib.resources import files

import pytest

import skreg


def public_methods(cls):
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        ours = method.__module__.startswith("skreg.")
        if ours and (name == "__init__" or not name.startswith("_")):
            yield method


@pytest.mark.parametrize("name", skreg.__all__)
def test_every_argument_and_return_has_a_type(name):
    methods = list(public_methods(getattr(skreg, name)))
    assert len(methods) > 1
    for method in methods:
        signature = inspect.signature(method)
        _, *arguments = signature.parameters.values()
        types = [a.annotation for a in arguments] + [signature.return_annotation]
        assert inspect.Signature.empty not in types, method


def test_the_package_says_that_it_is_typed():
    assert files(skreg).joinpath("py.typed").is_file()
