"""Links to the project's own pages: from one address, to pages that are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hubblewatch.incident.incidents import RUNBOOK

ROOT = Path(__file__).parents[2]
SOURCE: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
LINKING = ("Dockerfile", "README.md", "deploy/**/*.*", "docs/**/*.md", "service/**/*.py")
OURS = re.compile(r"https?://[^\s/]+/[^\s/]+/hubblewatch(?![\w-])[^\s\"'`)]*")


def links() -> dict[str, set[str]]:
    """Return the links to the project, by the file that has them."""
    return {
        str(path.relative_to(ROOT)): found
        for pattern in LINKING
        for path in ROOT.glob(pattern)
        if path.suffix in {"", ".json", ".md", ".py", ".yaml", ".yml"} and path.is_file()
        if (found := set(OURS.findall(path.read_text())))
    }


def test_links_to_the_project_begin_with_its_one_address() -> None:
    found = links()
    assert {"Dockerfile", "deploy/prometheus/rules/hubblewatch.yaml"} <= set(found)
    wrong = [
        f"{file}: {link}"
        for file, all_of_it in found.items()
        for link in all_of_it
        if link != SOURCE and not link.startswith(f"{SOURCE}/")
    ]
    assert wrong == []


def test_pages_that_are_linked_are_there() -> None:
    for file, all_of_it in links().items():
        for link in all_of_it:
            page = link.partition("#")[0].removeprefix(SOURCE).removeprefix("/blob/main")
            if "{" not in page:
                assert (ROOT / page.removeprefix("/")).exists(), f"{file}: {link}"


@pytest.mark.parametrize(
    "runbook", sorted((ROOT / "docs/runbooks").glob("*.md")), ids=lambda path: path.stem
)
def test_an_alert_links_the_runbook_of_its_detector(runbook: Path) -> None:
    link = RUNBOOK.format(detector=runbook.stem)
    assert link == f"{SOURCE}/blob/main/{runbook.relative_to(ROOT)}"
