from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.incident.suppression_list import parse_suppressions

NAMES = [detector.name for detector in build_detectors(DetectorSettings())]
DOCS = Path(__file__).parents[2] / "docs"


def test_every_settings_block_has_its_detector() -> None:
    aliases = {field.alias for field in DetectorSettings.model_fields.values()}
    assert set(NAMES) == aliases


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_can_be_switched_off(name: str) -> None:
    settings = DetectorSettings.model_validate({name: {"enabled": False}})
    assert name not in [detector.name for detector in build_detectors(settings)]


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_setting_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="tresholds"):
        DetectorSettings.model_validate({name: {"tresholds": 1}})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("inf"), float("nan"), True])
def test_numbers_of_a_detector_are_finite_and_numbers(name: str, value: float) -> None:
    block = type(getattr(DetectorSettings(), name.replace("-", "_")))
    numbers = [field for field, each in block.model_fields.items() if each.annotation is float]
    for field in numbers:
        with pytest.raises(ValidationError, match=r"finite number|must be a number"):
            block.model_validate({field: value})


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_has_a_runbook_and_a_row_in_the_overview(name: str) -> None:
    runbook = (DOCS / "runbooks" / f"{name}.md").read_text()
    assert runbook.startswith(f"# {name}")
    for section in ("## What it means", "## Check", "## What to do", "## Suppress"):
        assert section in runbook
    assert f"[`{name}`](runbooks/{name}.md)" in (DOCS / "detectors.md").read_text()


@pytest.mark.parametrize("name", [*NAMES, "overview"])
def test_the_suppressions_shown_in_the_pages_can_be_used(name: str) -> None:
    page = DOCS / ("detectors.md" if name == "overview" else f"runbooks/{name}.md")
    lists = [text for text in _yaml_of(page.read_text()) if text.startswith("- name:")]
    (entry,) = parse_suppressions(lists[0], str(page)).entries
    assert entry.detector == (name if name != "overview" else "port-scan")


def test_the_settings_shown_in_the_overview_can_be_used() -> None:
    (text,) = [t for t in _yaml_of((DOCS / "detectors.md").read_text()) if "detectors:" in t]
    settings = DetectorSettings.model_validate(yaml.safe_load(text)["detectors"])
    assert settings.udp_spike.excess_attempts == 300


def _yaml_of(markdown: str) -> list[str]:
    return [part.partition("```")[0] for part in markdown.split("```yaml\n")[1:]]


def test_no_detector_hides_itself_in_a_circle() -> None:
    for child, parents in PARENTS.items():
        for parent in parents:
            assert child not in PARENTS.get(parent, frozenset())
            assert child != parent
