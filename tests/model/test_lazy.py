"""The heavy libraries come with a model, not with the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from hubblewatch.assemble import build_pipeline, open_model
from hubblewatch.settings import Settings
model = open_model(Settings(model={"enabled": %s}), lambda: 0.0)
build_pipeline(Settings(), models=model)
heavy = {"joblib", "numpy", "scipy", "skops", "sklearn"} & set(sys.modules)
assert not heavy, heavy
assert model is None or model.is_configured
"""


@pytest.mark.parametrize("enabled", ["False", "True"])
def test_a_pipeline_is_built_without_them(enabled: str, tmp_path: Path) -> None:
    """Even with a model, they are imported when there is first something to score."""
    subprocess.run([sys.executable, "-c", PROGRAM % enabled], check=True, cwd=tmp_path, timeout=60)
