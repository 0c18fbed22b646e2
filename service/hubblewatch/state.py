"""What a pipeline remembers, as records with typed keys: written at a closing, read at a start.

A key is a JSON list of its kind and parts, so that no name can be taken for another. Values are
MessagePack of the memory's own Structs; a value of None deletes the key. A record of an unknown
kind is passed over, so that an older service can read a newer one's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct, field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import NamespaceMemory, StreamMemory, SubjectMemory
from hubblewatch.baseline.week import Week
from hubblewatch.incident.incidents import Incident
from hubblewatch.pipeline import Pipeline, Resume
from hubblewatch.window.closed import Subject

VERSION = 1

Record = tuple[bytes, bytes | None]


class Checkpoint(Struct):
    """How far a stream was closed; ``offset`` is the safe one, to be read from after a restart.

    ``resume`` is the state of the stream at that offset.
    """

    closed_through: int
    offset: int
    resume: Resume
    version: int = VERSION


class Restored(Struct):
    """What was found; ``records`` counts them, ``skipped`` those of an unknown kind or version."""

    checkpoint: Checkpoint | None = None
    records: int = 0
    skipped: int = 0
    broken: list[str] = field(default_factory=list)


class _PodName(Struct, array_like=True):
    """The workload of a pod whose name misleads; ``last_seen`` is a window's number."""

    workload: str
    learned_at: int
    last_seen: int = -1


_encode = msgspec.msgpack.Encoder().encode
_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode
_subject = msgspec.msgpack.Decoder(SubjectMemory).decode
_namespace = msgspec.msgpack.Decoder(NamespaceMemory).decode
_stream = msgspec.msgpack.Decoder(StreamMemory).decode
_week = msgspec.msgpack.Decoder(Week).decode
_incident = msgspec.msgpack.Decoder(Incident).decode
_name = msgspec.msgpack.Decoder(_PodName).decode


def checkpoint_record(checkpoint: Checkpoint) -> Record:
    """Give the record of a checkpoint."""
    return encode_key("checkpoint"), _encode(checkpoint)


def changes(pipeline: Pipeline) -> Iterator[Record]:
    """Give the records of all that changed since ``changes`` was last drained."""
    memory, incidents = pipeline.memory, pipeline.incidents
    for changed in sorted(memory.drain_changed(), key=str):
        if isinstance(changed, Subject):
            subject = memory.subjects.get(changed)
            yield encode_key("subject", *changed), None if subject is None else _encode(subject)
        else:
            namespace = memory.namespaces.get(changed)
            value = None if namespace is None else _encode(namespace)
            yield encode_key("namespace", changed), value
    for subject_of_week in sorted(memory.drain_changed_weeks()):
        week = memory.weeks.get(subject_of_week)
        yield encode_key("week", *subject_of_week), None if week is None else _encode(week)
    yield encode_key("stream"), _encode(memory.stream)
    for name in sorted(incidents.drain_changed()):
        incident = incidents.open.get(name)
        yield encode_key("incident", name), None if incident is None else _encode(incident)
    for (scope, pod), peer in sorted(pipeline.peers.drain_learned().items()):
        value = None
        if peer is not None:
            seen = pipeline.peers.last_seen(peer)
            value = _encode(_PodName(peer.learned, peer.learned_at, seen))
        yield encode_key("pod", scope, pod), value


def restore(pipeline: Pipeline, records: Iterable[Record]) -> Restored:
    """Take records, oldest first, into a fresh pipeline; give what was found.

    A record that cannot be read is named in ``broken`` and passed over: its subject starts cold.
    """
    found = Restored()
    memory = pipeline.memory
    for key, value in records:
        found.records += 1
        try:
            kind, *parts = decode_key(key)
            if kind == "checkpoint":
                found.checkpoint = None if value is None else _checkpoint(value)
            elif kind == "stream" and value is not None:
                memory.stream = _stream(value)
            elif kind == "subject":
                subject = Subject(*parts)
                if value is None:
                    memory.subjects.pop(subject, None)
                else:
                    memory.subjects[subject] = _subject(value)
            elif kind == "namespace":
                if value is None:
                    memory.namespaces.pop(parts[0], None)
                else:
                    memory.namespaces[parts[0]] = _namespace(value)
            elif kind == "week":
                found.skipped += not _take_week(memory, Subject(*parts), value)
            elif kind == "incident":
                if value is None:
                    pipeline.incidents.open.pop(parts[0], None)
                else:
                    pipeline.incidents.open[parts[0]] = _incident(value)
            elif kind == "pod":
                if value is not None:
                    known = _name(value)
                    pipeline.peers.restore_name(
                        parts[0], parts[1], known.workload, known.learned_at, known.last_seen
                    )
            else:
                found.skipped += 1
        except (msgspec.MsgspecError, ValueError, IndexError, TypeError) as error:
            found.broken.append(f"{key[:80]!r}: {error}")
    if found.checkpoint is not None:
        pipeline.resume(found.checkpoint.resume, found.checkpoint.closed_through)
    return found


def _take_week(memory: Memory, subject: Subject, value: bytes | None) -> bool:
    """Take a subject's week; tell whether it is of a version that is understood."""
    week = None if value is None else _week(value)
    if week is None:
        memory.weeks.pop(subject, None)
    elif week.is_understood:
        memory.weeks[subject] = week
    return week is None or week.is_understood


def encode_key(kind: str, *parts: str) -> bytes:
    """Give the key of a record as bytes."""
    return msgspec.json.encode([kind, *parts])


def decode_key(key: bytes) -> list[str]:
    """Give kind and parts of a key; raise msgspec.MsgspecError where it is none."""
    return _parts(key)


_parts = msgspec.json.Decoder(list[str]).decode
