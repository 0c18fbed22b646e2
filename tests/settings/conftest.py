import os

import pytest


@pytest.fixture(autouse=True)
def _no_variables_from_outside(monkeypatch):
    for variable in list(os.environ):
        if variable.upper().startswith("HUBBLEWATCH_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        path = tmp_path / "hubblewatch.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
