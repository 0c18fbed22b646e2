"""Redaction before detection: the same answers, and alerts that tell no more than they must."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hubblewatch.alert.record import encode_alert
from hubblewatch.assemble import build_pipeline, open_redaction
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.schema import Line
from hubblewatch.pipeline import Closed
from hubblewatch.settings import RedactionSettings, Settings
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import open_recordings
from tests.builders import L7, flow, pod
from tests.proxying import dns
from tests.refusals import denied

DEMO = Path(__file__).parents[1] / "deploy" / "demo" / "recording.jsonl.zst"
HASHED = RedactionSettings.model_validate({"names": "hash", "key": "0123456789abcdef"})


def as_they_are(_: list[Line]) -> None:
    """No redaction at all."""


def judged(
    batches: Iterable[list[Line]], redact: Callable[[list[Line]], None] = as_they_are
) -> list[Closed]:
    pipeline = build_pipeline(Settings())
    closed = []
    for batch in batches:
        redact(batch)
        closed += pipeline.take(batch)
    return closed + pipeline.finish()


def demo() -> Iterator[list[Line]]:
    return in_time_order(open_recordings([str(DEMO)], None), lambda _: None)


def test_redaction_changes_neither_windows_nor_alerts_of_the_demo() -> None:
    plain = judged(demo())
    redacted = judged(demo(), open_redaction(Settings()).redact)
    assert [closed.alerts for closed in redacted] == [closed.alerts for closed in plain]
    assert sum(len(closed.alerts) for closed in plain) >= 4
    for before, after in zip(plain, redacted, strict=True):
        for one, other in zip(before.closing.windows, after.closing.windows, strict=True):
            assert other.record() == one.record()


def test_hashed_names_change_no_alert_of_the_demo_but_in_words() -> None:
    def steps(closings: list[Closed]) -> list[tuple[object, ...]]:
        return [
            (alert.detector, alert.severity, alert.workload, alert.transition, alert.observed)
            for closed in closings
            for alert in closed.alerts
        ]

    redaction = open_redaction(Settings(redaction=HASHED))
    assert steps(judged(demo(), redaction.redact)) == steps(judged(demo()))


def test_alerts_tell_neither_headers_nor_urls() -> None:
    http = {
        "method": "GET",
        "url": "https://ann:pa55@db/pay?card=4111#top",
        "headers": [{"key": "Authorization", "value": "Bearer s3cr3t"}],
    }
    lines = [
        line
        for number in range(40)
        for line in (
            flow(
                at=number,
                kind=L7,
                verdict="DROPPED",
                ports=(43_000 + number, 8_080),
                l7={"type": "REQUEST", "http": http},
            ),
            *denied(pod(), at=number, from_port=42_000 + number),
        )
    ]
    closings = judged([decode_lines(lines, print)], open_redaction(Settings()).redact)
    told = b"".join(encode_alert(alert) for closed in closings for alert in closed.alerts)
    assert b"policy-denials" in told
    for word in (b"Bearer", b"Authorization", b"4111", b"pa55", b"/pay"):
        assert word not in told


def tunnel() -> Iterator[list[Line]]:
    """Ten minutes of ordinary look-ups, in the last five with a tunnel."""
    chance = random.Random(4)
    for minute in range(10):
        names = ["api.stripe.com.", "db.shop.svc.cluster.local."] * 5
        if minute >= 5:
            names += [
                "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=45)) + ".t.mirror.cc."
                for _ in range(25)
            ]
        lines = [
            line
            for number, name in enumerate(names)
            for line in dns(name=name, at=60 * minute + number, from_port=40_000 + number)
        ]
        yield decode_lines(lines, print)


def test_a_tunnel_is_found_under_pseudonyms_as_it_is_in_clear() -> None:
    redaction = open_redaction(Settings(redaction=HASHED))
    plain, hashed = (
        [
            (closed.closing.start, alert.detector, alert.severity, alert.transition)
            for closed in closings
            for alert in closed.alerts
            if alert.detector == "dns-anomaly"
        ]
        for closings in (judged(tunnel()), judged(tunnel(), redaction.redact))
    )
    assert plain == hashed
    assert plain


def test_an_alert_under_pseudonyms_does_not_tell_the_domain() -> None:
    redaction = open_redaction(Settings(redaction=HASHED))
    closings = judged(tunnel(), redaction.redact)
    told = b"".join(encode_alert(alert) for closed in closings for alert in closed.alerts)
    assert b"dns-anomaly" in told
    assert b"mirror" not in told
    assert b".cc" in told
