from __future__ import annotations

import io
import json

from rich.console import Console

from hubblewatch.doctor.examine import Report
from hubblewatch.doctor.glance import DeniedEdge, FlowGlance
from hubblewatch.doctor.namespace import Incident, NamespaceLook, active
from hubblewatch.doctor.result import failed, passed
from hubblewatch.doctor.show import as_json, show

CHECKS = [passed("model", "fits"), failed("kafka.topics", "[/red] is missing", "make [it]")]


def printed(report: Report) -> str:
    out = io.StringIO()
    show(report, Console(file=out, width=100))
    return out.getvalue()


def test_the_table_shows_text_with_brackets_as_it_is() -> None:
    shown = printed(Report(CHECKS))
    assert "[/red] is missing" in shown
    assert "-> make [it]" in shown
    assert shown.splitlines()[-1] == "1 pass, 1 fail"


def test_a_namespace_is_shown_with_denials_incidents_and_notes() -> None:
    flows = FlowGlance(9, 60.0, {"DROPPED": 9}, [DeniedEdge("a -> b:1/TCP", 4, ["shop/p"])])
    incident = Incident("1", "new-edge", "warning", "shop", "cart", last_seen="T", summary="new")
    look = NamespaceLook("shop", flows, incidents=[incident], notes=["no windows: no Kafka"])
    shown = printed(Report(CHECKS, namespace=look))
    for text in (
        "9 flow events over 60 s: 9 DROPPED",
        "4  a -> b:1/TCP  by shop/p",
        "warning new-edge cart, last seen T: new",
        "no windows: no Kafka",
    ):
        assert text in shown


def test_json_holds_the_namespace_too() -> None:
    look = NamespaceLook("shop", FlowGlance(0, 0.0, {}))
    content = json.loads(as_json(Report(CHECKS, namespace=look)))
    assert content["counts"] == {"pass": 1, "fail": 1}
    assert content["namespace"]["flows"]["flows"] == 0


def test_an_incident_is_active_by_its_last_record() -> None:
    def record(incident: str, status: str, summary: str = "") -> bytes:
        return json.dumps({"incident": incident, "status": status, "summary": summary}).encode()

    found = active(
        [
            record("a", "firing"),
            record("b", "firing"),
            record("b", "resolved"),
            b"no record",
            record("a", "firing", "worse"),
            record("c", "firing"),
        ]
    )
    assert [(each.incident, each.summary) for each in found] == [("c", ""), ("a", "worse")]
