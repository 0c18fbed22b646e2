"""Reads what an exporter wrote, bit by bit, without keeping more than names and sums."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.topics import topic_names
from hubblewatch.settings import KafkaSettings
from hubblewatch.window.completeness import STREAM_GAP


class FlowTopic:
    """What is in the flow topic so far; ``read_on`` goes on where it ended."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.flows: Counter[str] = Counter()
        """How often each flow is there, by uuid."""
        self.order: list[list[str]] = [[] for _ in range(settings.partitions)]
        """Uuids of each partition by first appearance."""
        self.states: list[set[tuple[str, str]]] = [set() for _ in range(settings.partitions)]
        """Changes of nodes' states in each partition: name of the change, and node."""
        self.gaps: set[tuple[str, int, int]] = set()
        """Gaps told: node, begin and end in epoch nanoseconds."""
        self._lost: list[dict[tuple[str, str, str], int]] = [{} for _ in range(settings.partitions)]
        self._consumer = AIOKafkaConsumer(
            auto_offset_reset="earliest", **connection_arguments(settings)
        )
        topic = topic_names(settings).flows
        self._places = [TopicPartition(topic, number) for number in range(settings.partitions)]

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._places)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()

    def losses(self) -> list[dict[str, int]]:
        """The events lost by source in each partition, gaps apart; one that is there twice counts
        once."""
        sums = []
        for lost in self._lost:
            found: Counter[str] = Counter()
            for (_, source, _), count in lost.items():
                found[source] += count
            sums.append(dict(found))
        return sums

    async def read_on(self) -> None:
        """Read to the present end."""
        ends = await self._consumer.end_offsets(self._places)
        while any([await self._consumer.position(x) < ends[x] for x in self._places]):
            for place, records in (await self._consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    lines = decode_lines(record.value.split(b"\n"), print)
                    for line in lines:
                        self._take(place.partition, line)

    def _take(self, partition: int, line: Line) -> None:
        if line.flow is not None:
            uuid = line.flow.uuid
            self.flows[uuid] += 1
            if self.flows[uuid] == 1:
                self.order[partition].append(uuid)
        elif (lost := line.lost_events) is not None:
            if lost.source == STREAM_GAP:
                self.gaps.add((line.node_name, parse_ns(lost.first), parse_ns(lost.last)))
                return
            key = (line.node_name, str(lost.source), line.time)
            self._lost[partition][key] = int(lost.num_events_lost)
        elif (status := line.node_status) is not None:
            self.states[partition] |= {
                (str(status.state_change), node) for node in status.node_names
            }
