"""How estimators show themselves: the diagram in a notebook, and repr."""

import re

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

import skreg
from skreg import RegularizedMLPClassifier

NAMES = [name for name in skreg.__all__ if not name.endswith("Display")]
PAGE = "https://skreg.readthedocs.io/en/latest/generated/skreg.{}.html"


def estimator(name):
    cls = getattr(skreg, name)
    if name.startswith("Regularized"):
        return cls()
    return cls(RegularizedMLPClassifier(), {"l2": [0.0, 0.1]})


@pytest.mark.parametrize("name", NAMES)
def test_the_diagram_in_a_pipeline_links_to_the_page_of_the_class(name):
    pipeline = make_pipeline(StandardScaler(), estimator(name))
    links = re.findall('href="([^"#]*)', estimator_html_repr(pipeline))
    assert PAGE.format(name) in links
    # The links of scikit-learn's own estimators stay as they are.
    assert any(link.endswith("StandardScaler.html") for link in links)


@pytest.mark.parametrize("fit", [False, True])
def test_the_diagram_tells_whether_it_is_fitted(mlp, cancer, fit):
    est = mlp(l2=0.25)
    if fit:
        est.fit(*cancer)
    html = estimator_html_repr(est)
    assert "RegularizedMLPClassifier" in html
    assert ("<span>Fitted</span>" in html) == fit
    assert ("<span>Not fitted</span>" in html) != fit
