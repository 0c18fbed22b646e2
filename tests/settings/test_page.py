"""The page of settings says what the settings are."""

from __future__ import annotations

from tests.settings.page import PAGE, page


def test_the_page_is_made_from_the_settings_as_they_are() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.settings.page"


def test_every_setting_is_told_with_its_meaning() -> None:
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert all(len(row) == 4 and row[3].removesuffix(" |").strip() for row in rows)
