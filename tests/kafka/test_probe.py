import asyncio
import logging

import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka import probe as probing
from hubblewatch.kafka.probe import Cluster, probe, wait_for_kafka
from hubblewatch.kafka.topics import FoundTopic
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.settings import KafkaSettings

THERE = Cluster(("k:1",), {"flows": FoundTopic("flows", 1, 1)})
ABSENT = KafkaTroubleError(TroubleKind.UNREACHABLE, "nothing listens", "start it")
REFUSED = KafkaTroubleError(TroubleKind.AUTHENTICATION_FAILED, "refuses the login", "mend it")


class Clock:
    """Time that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wait(monkeypatch, clock):
    """Wait for a Kafka that gives the ``answers`` one after the other."""

    def start(*answers, jitter=0.0, topics=(), **options):
        left = list(answers)

        async def answer(settings, topics):
            told = left.pop(0)
            if isinstance(told, Exception):
                raise told
            return told

        monkeypatch.setattr(probing, "probe", answer)
        return wait_for_kafka(
            KafkaSettings(),
            topics,
            clock=clock,
            sleep=clock.sleep,
            jitter=lambda: jitter,
            **options,
        )

    return start


async def test_each_trouble_is_told(wait):
    told = []
    await wait(ABSENT, REFUSED, THERE, on_trouble=lambda: told.append(1))
    assert len(told) == 2


async def test_pauses_double_up_to_the_longest(wait, clock):
    assert await wait(*[ABSENT] * 7, THERE) is THERE

    assert clock.pauses == [0.5, 1, 2, 4, 8, 15, 15]


async def test_jitter_shortens_a_pause_by_up_to_half(wait, clock):
    await wait(ABSENT, ABSENT, THERE, jitter=1.0)

    assert clock.pauses == [0.25, 0.5]


async def test_the_same_trouble_is_logged_every_half_minute_only(wait, clock, caplog):
    caplog.set_level(logging.INFO)

    await wait(*[ABSENT] * 20, THERE)

    waited = [r for r in caplog.records if r.levelno == logging.WARNING]
    # Tries at 0, 0.5, 1.5, 3.5, 7.5 and 15.5 s, then every 15 s up to 225.5 s.
    assert len(waited) == 8
    assert "waiting for Kafka since 0 s: nothing listens; start it" in waited[0].getMessage()
    assert caplog.messages[-1].startswith("Kafka is there after")


async def test_a_new_trouble_is_logged_at_once(wait, caplog):
    await wait(ABSENT, REFUSED, THERE)

    warned = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert [message.partition(": ")[2] for message in warned] == [
        "nothing listens; start it",
        "refuses the login; mend it",
    ]


async def test_a_missing_topic_is_waited_for(wait, clock):
    await wait(Cluster(("k:1",)), THERE, topics=["flows"])

    assert clock.pauses == [0.5]


async def test_the_last_trouble_is_raised_when_the_time_is_over(wait, clock):
    with pytest.raises(KafkaTroubleError, match="refuses the login"):
        await wait(*[REFUSED] * 9, give_up_after_seconds=5)

    assert clock.now <= 5


async def test_settings_that_cannot_work_are_not_waited_for(wait, clock):
    with pytest.raises(ConfigurationError):
        await wait(ConfigurationError("no such file"))

    assert clock.pauses == []


@pytest.fixture
async def hangs_up():
    """The address of a server that closes every connection after the first bytes."""

    async def close(reader, writer):
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_hangs_up_is_told_with_the_likely_reason(hangs_up):
    with pytest.raises(KafkaTroubleError, match=f"the broker at {hangs_up} closed") as met:
        await probe(KafkaSettings(bootstrap_servers=hangs_up))

    assert "another protocol than PLAINTEXT" in met.value.remedy


async def test_each_bootstrap_server_is_tried(hangs_up):
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:1,{hangs_up}")

    with pytest.raises(KafkaTroubleError, match=r"nothing listens at 127\.0\.0\.1:1;"):
        await probe(settings)
