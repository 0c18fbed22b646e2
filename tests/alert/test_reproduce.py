from __future__ import annotations

from tests.closings import finding

from hubblewatch.alert.reproduce import observe_command
from hubblewatch.detectors.finding import Unnamed

START = 1_772_438_400
"""2026-03-02T08:00:00Z"""


def test_the_command_begins_where_that_begins_what_is_told() -> None:
    command = observe_command(finding(since=START - 540), START, START + 60)
    assert command == (
        "hubble observe --since 2026-03-02T07:51:00Z --until 2026-03-02T08:01:00Z "
        "--from-pod shop/cart"
    )


def test_an_incident_that_began_earlier_is_shown_whole() -> None:
    command = observe_command(finding(since=START - 60), START - 540, START + 60)
    assert "--since 2026-03-02T07:51:00Z" in command


def test_ports_narrow_it_where_they_are_all() -> None:
    command = observe_command(finding(ports=[53, 123]), START, START + 60)
    assert command.endswith("--to-port 53 --to-port 123")


def test_ports_that_are_not_all_do_not_narrow_it() -> None:
    some = finding(ports=[53, 123], unnamed=Unnamed(ports=True))
    many = finding(ports=list(range(20, 26)))
    for each in (some, many):
        assert "--to-port" not in observe_command(each, START, START + 60)
