import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.model import Settings
from hubblewatch.settings.variables import refuse_unknown_variables, variable_of


def complaint(*variables):
    with pytest.raises(ConfigurationError) as stopped:
        refuse_unknown_variables(dict.fromkeys(variables, "hunter2"), Settings)
    return str(stopped.value)


def test_the_variable_of_a_nested_field_has_its_path_in_capitals():
    assert variable_of(["window", "size_seconds"]) == "HUBBLEWATCH_WINDOW__SIZE_SECONDS"


@pytest.mark.parametrize(
    "variable",
    [
        "HUBBLEWATCH_CLUSTER",
        "hubblewatch_cluster",
        "HUBBLEWATCH_WINDOW__SIZE_SECONDS",
        "HUBBLEWATCH_CONFIG",
        "HUBBLEWATCH_REQUIRE_KAFKA",
        "PATH",
    ],
)
def test_variables_that_are_known_or_not_ours_pass(variable):
    refuse_unknown_variables({variable: "x"}, Settings)


@pytest.mark.parametrize(
    "variable",
    [
        "HUBBLEWATCH_SERVICE_HOST",
        "HUBBLEWATCH_SERVICE_PORT",
        "HUBBLEWATCH_SERVICE_PORT_METRICS",
        "HUBBLEWATCH_PORT",
        "HUBBLEWATCH_PORT_9464_TCP",
        "HUBBLEWATCH_PORT_9464_TCP_ADDR",
        "HUBBLEWATCH_WORKER_SERVICE_HOST",
    ],
)
def test_variables_that_kubernetes_makes_for_a_service_pass(variable):
    refuse_unknown_variables({variable: "tcp://10.0.0.1:9464"}, Settings)


def test_a_misspelt_variable_names_the_one_that_was_meant_and_no_value():
    assert complaint("HUBBLEWATCH_CLUSTR") == (
        "wrong settings\n"
        "  the variable HUBBLEWATCH_CLUSTR names no setting; did you mean HUBBLEWATCH_CLUSTER?"
    )


def test_an_unknown_block_lists_what_is_known():
    text = complaint("HUBBLEWATCH_ZZZ__SIZE")

    assert "HUBBLEWATCH_ZZZ__SIZE names no setting; known are HUBBLEWATCH_CLUSTER" in text


def test_every_unknown_variable_is_named():
    text = complaint("HUBBLEWATCH_FOO", "HUBBLEWATCH_BAR")

    assert "HUBBLEWATCH_FOO" in text
    assert "HUBBLEWATCH_BAR" in text
