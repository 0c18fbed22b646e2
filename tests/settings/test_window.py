import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import load_settings


def complaint(monkeypatch, **fields):
    for field, value in fields.items():
        monkeypatch.setenv(f"HUBBLEWATCH_WINDOW__{field.upper()}", str(value))
    with pytest.raises(ConfigurationError) as stopped:
        load_settings()
    return str(stopped.value)


def test_lateness_above_the_window_is_refused(monkeypatch):
    text = complaint(monkeypatch, lateness_seconds=61)

    assert "lateness_seconds (61) must not be above size_seconds (60)" in text


def test_settling_longer_than_the_lateness_is_refused(monkeypatch):
    text = complaint(monkeypatch, settle_seconds=11)

    assert "settle_seconds (11) must not be above lateness_seconds (10)" in text


def test_connections_that_end_before_their_window_can_close_are_refused(monkeypatch):
    text = complaint(monkeypatch, connection_idle_seconds=69)

    assert "connection_idle_seconds (69) must be at least" in text
    assert "(70)" in text


def test_the_bounds_themselves_are_allowed(monkeypatch):
    for field, value in {
        "lateness_seconds": 60,
        "settle_seconds": 60,
        "connection_idle_seconds": 120,
    }.items():
        monkeypatch.setenv(f"HUBBLEWATCH_WINDOW__{field.upper()}", str(value))

    assert load_settings().window.lateness_seconds == 60
