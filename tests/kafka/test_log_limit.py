import logging

import pytest

from hubblewatch.kafka.log_limit import LogLimit, limit_logs


@pytest.fixture
def written():
    """Log through a limit with a clock of its own; the list holds what came out."""
    messages = []
    now = [0.0]

    class Collected(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    collected = Collected()
    logger = logging.getLogger("a_library_of_this_test")
    logger.addHandler(collected)
    limit = LogLimit(burst=2, period_seconds=30, clock=lambda: now[0])
    logger.addFilter(limit)

    def retry(at, count):
        now[0] = at
        for number in range(count):
            logger.error("no connection to %s", number)

    yield logger, retry, messages
    logger.removeHandler(collected)
    logger.removeFilter(limit)


def test_a_line_that_repeats_is_written_so_often_a_period(written):
    _, retry, messages = written

    retry(at=0, count=1000)

    assert messages == ["no connection to 0", "no connection to 1"]


def test_the_next_period_tells_how_many_were_left_out(written):
    _, retry, messages = written

    retry(at=0, count=1000)
    retry(at=30, count=1)
    retry(at=60, count=1)

    assert messages[2:] == ["no connection to 0 (998 more like this)", "no connection to 0"]


def test_another_line_has_a_count_of_its_own(written):
    logger, retry, messages = written
    retry(at=0, count=1000)

    logger.error("something else")

    assert messages[-1] == "something else"


def test_every_logger_below_the_library_is_limited_once():
    child = logging.getLogger("some_library.consumer.fetcher")
    stranger = logging.getLogger("some_library_of_others")

    limit_logs(["some_library"])
    limit_logs(["some_library"])

    assert [type(present) for present in child.filters] == [LogLimit]
    assert stranger.filters == []
