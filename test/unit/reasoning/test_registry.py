# SPDX-License-Identifier: Apache-2.0
"""Back ends by name: what is wrong with a name or a setting is said before anything is loaded."""

from __future__ import annotations

import pytest

from spatialpin_ros.errors import BackendError
from spatialpin_ros.reasoning import backend_names, create_backend


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("gpt", {}, "there is: symbolic, openai, transformers, replay"),
        ("openai", {}, "needs the setting 'model'"),
        ("openai", {"modle": "x"}, "did you mean 'model'"),
        ("openai", {"model": "x", "timeout_s": "soon"}, "'timeout_s' must be float, got 'soon'"),
        ("openai", {"model": 4}, "'model' must be str"),
        ("openai", {"model": "x", "max_repairs": "two"}, "'max_repairs' must be int"),
        ("transformers", {}, "needs the setting 'model'"),
        ("transformers", {"model": "x", "devise": "cpu"}, "did you mean 'device'"),
        ("replay", {}, "needs the setting 'folder'"),
        ("symbolic", {"priors": "full"}, "has no setting 'priors'; there is: none"),
    ],
)
def test_what_is_wrong_with_a_setting_is_said(name, settings, said):
    pytest.importorskip("httpx")
    if name == "transformers":
        pytest.importorskip("torch")
        pytest.importorskip("llguidance")
    with pytest.raises(BackendError, match=said):
        create_backend(name, **settings)


def test_a_folder_without_prompts_is_refused(tmp_path):
    pytest.importorskip("httpx")
    (tmp_path / "answer.jinja2").write_text("{{ question }}")
    url = "http://localhost:9/v1"
    with pytest.raises(BackendError, match=r"lacks coarse\.jinja2"):
        create_backend("openai", model="x", base_url=url, prompts_folder=tmp_path)


def test_the_default_needs_nothing():
    assert backend_names()[0] == "symbolic"
    assert create_backend("symbolic").name == "symbolic"
