"""Checks of skreg, one session each: ``nox -l`` lists them, ``nox -s`` runs one."""

import nox

SETTINGS = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(SETTINGS)
EXTRAS = SETTINGS["project"]["optional-dependencies"]
REQUIRED = sum(
    (EXTRAS[name] for name in EXTRAS if name not in ("docs", "dev")),
    SETTINGS["project"]["dependencies"],
)
OLDEST = [
    requirement.replace(">=", "==")
    for requirement in REQUIRED
    if not requirement.startswith("skreg[")
]
# Tests whose files do not import TensorFlow.
ON_ANY_BACKEND = (
    "ecosystem/test_conformance",
    "estimators/test_classifier",
    "estimators/test_early_stopping",
    "estimators/test_averaging",
)

nox.options.sessions = ["lint", "types", "tests"]


@nox.session(python=PYTHONS)
def tests(session):
    """Run the tests; arguments after ``--`` are passed to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def oldest(session):
    """Run the tests with the oldest supported versions."""
    session.install("-e", ".[test]", *OLDEST)
    # Old versions warn about newer versions of their own, unpinned dependencies.
    session.run("python", "-m", "pytest", "-W", "default", *session.posargs)


@nox.session(python=PYTHONS[-1])
def prerelease(session):
    """Run the tests with pre-releases of what skreg builds on."""
    session.install("-e", ".[test]")
    session.install("--pre", "--upgrade", *SETTINGS["project"]["dependencies"])
    session.run("python", "-m", "pytest", "-W", "default", *session.posargs)


@nox.session
@nox.parametrize("backend", ["jax", "torch"])
def backends(session, backend):
    """Run the tests of the Keras engine on another backend than TensorFlow."""
    session.install("-e", ".[test]", backend)
    names = "keras_engine/other_backends", *ON_ANY_BACKEND
    # Keras 3.15 and JAX have not followed NumPy 2's protocol for arrays.
    options = "-W", "ignore:__array__ implementation:DeprecationWarning"
    session.run(
        *("python", "-m", "pytest", *options),
        *(f"tests/{name}.py" for name in names),
        *session.posargs,
        env={
            "KERAS_BACKEND": backend,
            "JAX_COMPILATION_CACHE_DIR": session.create_tmp(),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
    )


@nox.session
def properties(session):
    """Try hundreds of settings that hypothesis draws, other ones each time."""
    session.install("-e", ".[test]")
    options = "--hypothesis-profile", "many", *session.posargs
    session.run(
        "python", "-m", "pytest", "tests/estimators/test_properties.py", *options
    )


@nox.session
def lint(session):
    """Check style and formatting."""
    session.install(*(tool for tool in EXTRAS["dev"] if tool.startswith("ruff")))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session):
    """Check the type hints, including how a type checker sees user code."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def docs(session):
    """Build the documentation in docs/_build/html without warnings; run its code."""
    session.install("-e", ".[docs,test]")
    session.run(
        *("python", "-m", "sphinx", "-W", "--keep-going"),
        *("-b", "html", "docs", "docs/_build/html"),
    )
    session.run("python", "-m", "pytest", "tests/documentation/test_documentation.py")


@nox.session
def benchmarks(session):
    """Run the benchmarks; ``-- --quick`` only tests that they run."""
    session.install("-e", ".[test]")
    for name in "minute", "peers", "start", "memory", "tables", "text":
        session.run("python", f"benchmarks/{name}.py", *session.posargs)


@nox.session(python=PYTHONS[0])
@nox.parametrize("action", ["save", "load"])
def pickles(session, action):
    """Save estimators with the oldest versions; load them with the newest."""
    session.install("-e", ".", *(OLDEST if action == "save" else []))
    folder = session.cache_dir / "pickles"
    session.run("python", "tests/ecosystem/across_versions.py", action, str(folder))
