import io
import json
import logging
import sys

import pytest

from hubblewatch.log import configure_logging, without_secrets
from hubblewatch.settings import LogSettings


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was():
    root, ours = logging.getLogger(), logging.getLogger("hubblewatch")
    before = root.handlers[:], root.level, ours.level
    yield
    logging.captureWarnings(False)
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def logged(write, **settings):
    stream = io.StringIO()
    configure_logging(LogSettings(**settings), stream)
    write(logging.getLogger("hubblewatch.worker"))
    return stream.getvalue()


def test_a_json_line_holds_time_level_logger_message_and_what_was_added():
    line = logged(lambda log: log.warning("lag %d", 7, extra={"partition": 3}), format="json")

    entry = json.loads(line)
    time = entry.pop("time")
    assert entry == {
        "level": "warning",
        "logger": "hubblewatch.worker",
        "message": "lag 7",
        "partition": 3,
    }
    assert len(time) == len("2026-01-31T09:00:00.123Z")
    assert time.endswith("Z")


def test_a_text_line_shows_what_was_added_as_pairs():
    line = logged(lambda log: log.info("assigned", extra={"partition": 3}))

    assert line.endswith("Z INFO hubblewatch.worker: assigned partition=3\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_message_with_line_breaks_stays_one_line(form):
    line = logged(lambda log: log.info("pod a\nERROR forged"), format=form)

    assert line.count("\n") == 1


def test_a_message_does_not_command_the_terminal():
    line = logged(lambda log: log.info("pod \x1b[2J\x9b\r\n"))

    assert line.endswith("pod \\x1b[2J\\x9b\\r\\n\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_traceback_of_an_exception_is_kept(form):
    def write(log):
        try:
            raise ValueError("odd flow")
        except ValueError:
            log.exception("cannot go on")

    line = logged(write, format=form)

    assert "ValueError: odd flow" in line
    assert "Traceback" in line


def test_below_the_chosen_level_nothing_is_written():
    assert logged(lambda log: log.info("quiet"), level="warning") == ""


def test_libraries_are_heard_from_warning_on(monkeypatch):
    # Commands run by other tests in this process limit what it may say.
    library = logging.getLogger("aiokafka")
    for name, value in (("filters", []), ("disabled", False), ("propagate", True)):
        monkeypatch.setattr(library, name, value)
    library.setLevel(logging.NOTSET)

    def write(_):
        logging.getLogger("aiokafka").info("chatter")
        logging.getLogger("aiokafka").warning("broker gone")

    lines = logged(write)

    assert "chatter" not in lines
    assert "broker gone" in lines


def test_the_log_goes_to_standard_error_by_default(capsys):
    configure_logging(LogSettings())
    logging.getLogger("hubblewatch").info("hello")

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "hello" in shown.err
    assert logging.getLogger().handlers[0].stream is sys.stderr


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("kafka://me:hunter2@broker:9092", "kafka://***@broker:9092"),
        ("sasl password=hunter2, retry", "sasl password=***, retry"),
        ("{'sasl_password': 'hunter two'}", "{'sasl_password': ***}"),
        ("Token: hunter2", "Token: ***"),
        ("http://hubble.example/path@x", "http://hubble.example/path@x"),
    ],
)
def test_secrets_are_masked_and_nothing_else_is(text, masked):
    assert without_secrets(text) == masked


@pytest.mark.parametrize(
    "extra",
    [
        {"password": "hunter2"},
        {"settings": {"sasl_password": "hunter2"}},
        {"brokers": ["kafka://me:hunter2@broker"]},
    ],
)
def test_secrets_in_what_was_added_are_masked(extra):
    line = logged(lambda log: log.info("settings", extra=extra), format="json")

    assert "hunter2" not in line
    assert "***" in json.loads(line).__repr__()


def test_a_value_that_is_no_json_is_written_as_text():
    line = logged(lambda log: log.info("seen", extra={"peers": {1}, "raw": b"x"}), format="json")

    assert json.loads(line)["peers"] == "{1}"
