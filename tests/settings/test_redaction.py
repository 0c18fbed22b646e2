import pytest

from hubblewatch.assemble import open_redaction
from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.settings import load_settings

KEY = "0123456789abcdef"


def hashed(settings, name="db.mybank.com"):
    line = Line(flow=Flow(destination_names=[name]))
    open_redaction(settings).redact([line])
    return line.flow.destination_names[0]


def test_by_default_names_are_readable_and_no_key_is_needed(settings_file):
    assert hashed(load_settings()) == "db.mybank.com"


def test_the_key_is_read_from_its_file_without_the_line_end(settings_file, tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    settings = load_settings(settings_file(f"redaction: {{names: hash, key_file: {path}}}"))
    monkeypatch.setenv("HUBBLEWATCH_REDACTION__NAMES", "hash")
    monkeypatch.setenv("HUBBLEWATCH_REDACTION__KEY", KEY)

    assert hashed(settings) == hashed(load_settings()) != "db.mybank.com"
    assert KEY not in repr(load_settings())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("names: hash", "needs key_file or key"),
        (f"names: hash, key: {KEY}, key_file: /k", "either key or key_file"),
        ("names: hash, key: short", "at least 16"),
        ("names: md5", "'keep' or 'hash'"),
        ('labels: [""]', "at least 1"),
        ("rejects: all", "'shape' or 'text'"),
    ],
)
def test_a_wrong_setting_is_told_without_the_key(settings_file, text, told):
    with pytest.raises(ConfigurationError, match=told) as caught:
        load_settings(settings_file(f"redaction: {{{text}}}"))

    assert KEY not in str(caught.value)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"short\n", "less than 16"), (b"k" * 5_000, "too large")],
)
def test_a_key_file_that_holds_no_key_is_refused(settings_file, tmp_path, content, told):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    settings = load_settings(settings_file(f"redaction: {{names: hash, key_file: {path}}}"))

    with pytest.raises(ConfigurationError, match=told):
        open_redaction(settings)


def test_a_worker_needs_no_key(settings_file):
    settings = load_settings(settings_file("redaction: {names: hash, key_file: /nowhere}"))

    open_redaction(settings, renames=False)


def test_the_clusters_domain_is_that_of_the_detector(settings_file):
    text = (
        f"redaction: {{names: hash, key: {KEY}, clear_names: [example.org]}}\n"
        "detectors: {dns-anomaly: {cluster_domain: corp.zone}}"
    )
    settings = load_settings(settings_file(text))

    assert hashed(settings, "db.corp.zone").endswith(".corp.zone")
    assert hashed(settings, "www.example.org") == "www.example.org"
