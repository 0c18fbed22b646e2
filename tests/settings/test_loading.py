import pytest
from pydantic import ValidationError

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import load_settings


def complaint(config=None):
    with pytest.raises(ConfigurationError) as stopped:
        load_settings(config)
    return str(stopped.value)


def test_without_file_and_variables_the_defaults_hold():
    settings = load_settings()

    assert settings.cluster == "default"
    assert settings.suppressions is None
    assert settings.window.size_seconds == 60
    assert settings.window.lateness_seconds == 10
    assert settings.serve.host == "127.0.0.1"
    assert settings.log.format == "text"


def test_the_file_goes_before_the_defaults_field_by_field(settings_file):
    settings = load_settings(settings_file("window:\n  size_seconds: 30\n"))

    assert settings.window.size_seconds == 30
    assert settings.window.lateness_seconds == 10


def test_a_variable_goes_before_the_file_field_by_field(settings_file, monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_WINDOW__SIZE_SECONDS", "20")

    settings = load_settings(settings_file("window: {size_seconds: 30, lateness_seconds: 5}\n"))

    assert settings.window.size_seconds == 20
    assert settings.window.lateness_seconds == 5


def test_settings_do_not_change_after_the_start():
    settings = load_settings()

    with pytest.raises(ValidationError):
        settings.window.size_seconds = 5


def test_a_wrong_value_in_the_file_is_named_with_field_file_value_and_remedy(settings_file):
    path = settings_file("window: {size_seconds: 0}\n")

    assert complaint(path) == (
        f"wrong settings\n  window.size_seconds (in {path}) = 0: must be greater than or equal to 1"
    )


def test_a_wrong_value_in_a_variable_is_named_with_the_variable(settings_file, monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_LOG__FORMAT", "xml")

    assert complaint(settings_file("cluster: prod\n")) == (
        "wrong settings\n"
        "  log.format (from HUBBLEWATCH_LOG__FORMAT) = 'xml': must be 'text' or 'json'"
    )


def test_every_wrong_field_is_named_at_once(settings_file):
    path = settings_file("cluster: ''\nserve: {port: 70000}\nlog: {level: loud}\n")

    text = complaint(path)

    assert "  cluster (" in text
    assert "  serve.port (" in text
    assert "  log.level (" in text


def test_an_unknown_field_names_the_one_that_was_meant_and_hides_its_value(settings_file):
    text = complaint(settings_file("window: {size_second: hunter2}\n"))

    assert "window.size_second" in text
    assert "did you mean window.size_seconds?" in text
    assert "hunter2" not in text


def test_an_unknown_field_unlike_any_other_lists_what_is_known(settings_file):
    text = complaint(settings_file("log: {zzz: 1}\n"))

    assert "log.zzz" in text
    assert "known are level, format" in text


def test_an_unknown_field_from_a_variable_is_refused(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_SERVE__PROT", "1")

    text = complaint()

    assert "(from HUBBLEWATCH_SERVE__PROT) is no setting; did you mean serve.port?" in text


def test_a_list_where_a_block_belongs_is_not_shown(settings_file):
    text = complaint(settings_file("serve: [hunter2]\n"))

    assert "serve (" in text
    assert "is a list: must be a block of 'name: value' lines" in text
    assert "hunter2" not in text


def test_a_variable_may_hold_a_block_as_json(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_SERVE", '{"port": 9000}')

    assert load_settings().serve.port == 9000


def test_a_variable_with_a_block_that_is_no_json_is_named(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_SERVE", "{9000")

    assert "HUBBLEWATCH_SERVE must be JSON" in complaint()


def test_variables_with_lists_that_are_no_json_are_all_named(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ONLY__NAMESPACES", "shop")
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ONLY__PODS", '["shop/cart"]')
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__WITHOUT__VERDICTS", "dropped,error")
    monkeypatch.setenv("hubblewatch_detectors__new_edge__sensitive_ports", "22,3389")

    assert complaint() == (
        "wrong settings\n"
        '  HUBBLEWATCH_HUBBLE__ONLY__NAMESPACES must be a list, such as ["shop"]\n'
        '  HUBBLEWATCH_HUBBLE__WITHOUT__VERDICTS must be a list, such as ["shop"]\n'
        "  hubblewatch_detectors__new_edge__sensitive_ports must be a list, such as [443]"
    )


def test_a_block_inside_a_block_that_is_no_json_is_told_by_the_outer_one(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ONLY__NAMESPACES", '["shop"]')
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__TLS", "{on")

    assert "HUBBLEWATCH_HUBBLE must be JSON" in complaint()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("serve: {port: yes}", "serve.port"),
        ("hubble: {connect_timeout_seconds: on}", "hubble.connect_timeout_seconds"),
        ("model: {alerts_per_day: true}", "model.alerts_per_day"),
        ("hubble: {only: {ports: [443, yes]}}", "hubble.only.ports"),
        ("detectors: {connectivity-errors: {failures: yes}}", "connectivity_errors.failures"),
        ("detectors: {new_edge: {sensitive_ports: [on]}}", "new_edge.sensitive_ports"),
    ],
)
def test_yes_and_no_are_no_numbers(settings_file, text, field):
    shown = complaint(settings_file(text))

    assert f"{field} (in " in shown
    assert "must be a number, not true or false" in shown


def test_yes_and_no_go_on_to_be_switches(settings_file, monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_SERVE__PORT", "1")
    monkeypatch.setenv("HUBBLEWATCH_MODEL__SHADOW", "yes")

    settings = load_settings(settings_file("model: {enabled: no}"))

    assert (settings.serve.port, settings.model.enabled, settings.model.shadow) == (1, False, True)


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_numbers_of_detectors_are_finite(settings_file, value):
    path = settings_file(f"detectors: {{connectivity-errors: {{deviations: {value}}}}}")

    assert "connectivity_errors.deviations (in " in complaint(path)
