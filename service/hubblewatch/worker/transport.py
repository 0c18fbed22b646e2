"""Faust's Kafka transport, fetching less often and more at once."""

from __future__ import annotations

from typing import Any

from faust.transport.drivers import aiokafka as driver

FETCH_MIN_BYTES = 256 * 1024
FETCH_MAX_WAIT_MILLISECONDS = 250
"""Each fetch costs the worker's two threads about as much as counting a hundred flows does, and a
broker that need not wait answers with a single envelope. A quarter of a second is nothing to
windows of a minute."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches; Faust has no settings for how."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes = FETCH_MIN_BYTES
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MILLISECONDS
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """What ``faust.App.transport`` is set to."""

    Consumer = _Consumer
