from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError, field_validator

from hubblewatch.settings import Settings
from hubblewatch.settings.block import SettingsBlock
from hubblewatch.settings.complaint import MAX_SHOWN_CHARACTERS, complaints


class Sasl(SettingsBlock):
    user: str = Field(default="", max_length=5)
    password: SecretStr = Field(default=SecretStr(""), max_length=3)


class Broker(SettingsBlock):
    address: str = Field(default="", max_length=3)
    sasl: Sasl | None = None

    @field_validator("address")
    @classmethod
    def _is_no_web_page(cls, address):
        if address == "web":
            raise ValueError("must be a broker, not a web page")
        return address


def complain(values, variables=None):
    with pytest.raises(ValidationError) as stopped:
        Broker.model_validate(values)
    return list(complaints(stopped.value, Broker, None, variables or {}))


@pytest.mark.parametrize("password", ["hunter2", 5, ["hunter2"]])
def test_a_secret_is_never_shown_whatever_is_wrong_with_it(password):
    [line] = complain({"sasl": {"password": password}})

    assert line.startswith("  sasl.password (by default): ")
    assert "hunter2" not in line


def test_a_field_beside_a_secret_is_shown():
    [line] = complain({"sasl": {"user": "maximilian"}})

    assert "sasl.user (by default) = 'maximilian':" in line


@pytest.mark.parametrize("scheme", ["kafka://", ""])
@pytest.mark.parametrize("password", ["hunter2", "hunter2/x", "hunter2@x", "a hunter2,"])
def test_a_login_in_an_address_is_masked(scheme, password):
    [line] = complain({"address": f"{scheme}me:{password}@broker"})

    assert f"= '{scheme}***@broker'" in line
    assert "hunter2" not in line


def test_a_long_value_is_cut():
    [line] = complain({"address": "x" * 1000})

    assert "…" in line
    assert len(line) < MAX_SHOWN_CHARACTERS + 100


def test_a_block_that_holds_a_secret_is_not_shown_as_a_whole():
    [line] = complain({"address": {"password": "hunter2"}})

    assert "is a group of values" in line
    assert "hunter2" not in line


def test_a_check_of_our_own_is_told_in_its_own_words():
    assert complain({"address": "web"}) == [
        "  address (by default) = 'web': must be a broker, not a web page"
    ]


def test_a_block_set_as_json_is_named_by_its_variable():
    [line] = complain({"address": "long"}, {"HUBBLEWATCH_ADDRESS": "long"})

    assert "(from HUBBLEWATCH_ADDRESS)" in line


def test_what_is_wrong_with_a_block_is_told_by_what_was_set_in_it():
    variables = {"HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL": "SASL_SSL"}
    with pytest.raises(ValidationError) as stopped:
        Settings.model_validate({"kafka": {"security": {"protocol": "SASL_SSL"}}})

    [line] = complaints(stopped.value, Settings, None, variables)
    assert "kafka.security (from HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL)" in line
    assert line.endswith("protocol SASL_SSL needs a username")
    [line] = complaints(stopped.value, Settings, Path("a.yaml"), variables)
    assert "(in a.yaml and from HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL)" in line


def test_what_a_text_must_be_is_told_like_any_other_value():
    with pytest.raises(ValidationError) as stopped:
        Settings.model_validate({"cluster": "", "kafka": {"topic_prefix": "a b"}})

    told = list(complaints(stopped.value, Settings, None, {}))
    assert all(": must " in line for line in told)
