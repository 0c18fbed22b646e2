import pytest
from tests.builders import SOCKET, flow, heartbeat, line, lost, node_status, pod
from tests.connections import ping, tcp
from tests.refusals import denied
from tests.replay.alerting import alert, closed
from tests.replay.replaying import replayed, report, write

from hubblewatch.detectors.finding import Reason, Severity
from hubblewatch.replay import summary as summary_module
from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.report import overview
from hubblewatch.replay.summary import Summary
from hubblewatch.settings import Settings, WindowSettings


def report_of(tmp_path, lines, width=80, alerts=()):
    summary = Summary()
    path = write(tmp_path / "a.jsonl", lines)
    replay = replayed([path], summary)
    for one in alerts:
        summary.incidents.take(one)
    return report(replay, summary, width)


def flat(text):
    """The words of a report, whatever its lines."""
    return " ".join(text.split())


def test_the_report_says_what_was_read(tmp_path):
    text = flat(report_of(tmp_path, [*tcp(at=0), *tcp(at=70, from_port=41_001)]))

    assert "2026-03-02 08:00:00 to 08:02:00 UTC, 2 windows of 60 s" in text
    assert "2 connections begun: allowed 2; 2 windows of 1 subject" in text
    assert "nothing is known to be missing" in text
    assert "flows/s" in text


def test_subjects_of_all_windows_are_counted_also_those_that_only_ping(tmp_path):
    pings = [line for n in range(3) for line in ping(pod(f"ping/p{n}-0"), at=n)]

    text = flat(report_of(tmp_path, [*tcp(at=0), *pings, *ping(pod("ping/p0-1"), at=70)]))

    assert "1 connection begun: allowed 1; 5 windows of 4 subjects" in text


def test_more_subjects_than_are_told_apart_are_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(summary_module, "MAX_SUBJECTS", 2)
    monkeypatch.setattr(overview, "MAX_SUBJECTS", 2)
    lines = [line for n in range(3) for line in tcp(pod(f"shop/p{n}-0"), at=n)]

    assert "3 windows of 2 subjects or more" in flat(report_of(tmp_path, lines))


def test_rejects_are_shown_with_place_and_reason(tmp_path):
    text = report_of(tmp_path, [*tcp(), b"no json"], width=200)

    assert "Rejected   1 line" in text
    assert "malformed: 1" in [line.strip() for line in text.splitlines()]
    assert f"a.jsonl:{len(tcp()) + 1}: JSON is malformed" in text
    assert "\N{REPLACEMENT CHARACTER}" not in text


def test_lost_events_and_the_worst_window_are_shown(tmp_path):
    lines = [*tcp(at=0), lost(at=1, count=60), *tcp(at=120, from_port=41_001)]

    text = flat(report_of(tmp_path, lines))

    assert "HUBBLE_RING_BUFFER 60" in text
    assert "60 events lost" in text
    assert "hubble.eventBufferCapacity" in text


def test_flows_that_had_no_room_are_told_and_lead_to_advice(tmp_path):
    lines = [flow(at=n / 10, ports=(40_000 + n, 8_080), flags="SYN") for n in range(500)]
    lines.append(flow(kind=SOCKET))
    summary = Summary()
    settings = Settings(window=WindowSettings(max_connections=1_000))
    replay = replayed([write(tmp_path / "a.jsonl", lines)], summary, settings=settings)

    text = flat(report(replay, summary))

    assert "No room for flows to be counted: connection-table 300" in text
    assert "300 events lost" in text
    assert "Uncounted no part of a connection: socket 1" in text
    assert "raise window.max_connections" in text


def test_late_flows_lead_to_advice(tmp_path):
    lines = [*tcp(at=0), *tcp(at=200, from_port=41_001), *tcp(at=1, from_port=41_002)]

    text = flat(report_of(tmp_path, lines))

    assert f"Late {len(tcp())} flows" in text
    assert "HUBBLEWATCH_WINDOW__LATENESS_SECONDS=30 hubblewatch replay" in text
    assert "name those files one by one" in text


def test_denied_edges_are_shown_with_their_policy(tmp_path):
    text = flat(report_of(tmp_path, denied(pod("shop/cart-0"), policy="no-db")))

    assert "shop/cart → shop/db:5432/tcp 1 shop/no-db" in text


def test_an_alert_is_explained_with_reasons_advice_and_command(tmp_path):
    text = flat(report_of(tmp_path, tcp(), alerts=[alert()]).replace("│", ""))

    assert "40 attempts of shop/cart denied" in text
    assert "denied 40, usual is 0 to 2.5" in text
    assert "Compare with recent changes." in text
    assert "hubble observe --from-pod shop/cart --verdict DROPPED" in text
    assert "Begin with the first alert above" in text


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason("completeness", 0.88, 0.9, 1.0), "completeness 0.88, usual is 0.9 to 1"),
        (Reason("external_share", 0.04, 0.0, 0.0123), "external_share 0.04, usual is 0 to 0.012"),
        (Reason("share", 0.9996, 0.0, 0.25), "share 1, usual is 0 to 0.25"),
        (Reason("denied", 1_240.0, 0.0, 2.5), "denied 1,240, usual is 0 to 2.5"),
    ],
)
def test_what_was_alerted_does_not_look_usual_by_rounding(tmp_path, reason, told):
    text = flat(report_of(tmp_path, tcp(), alerts=[alert(reasons=[reason])]))

    assert f"Observed {told} " in text


def test_the_command_stays_on_one_line_however_narrow_the_terminal(tmp_path):
    command = "hubble observe " + " ".join(f"--to-port {port}" for port in range(40))

    text = report_of(tmp_path, tcp(), width=60, alerts=[alert(reproduce=command)])

    assert command in text


def test_only_the_most_severe_alerts_are_explained(tmp_path):
    alerts = [alert(str(number), workload=f"w{number}") for number in range(9)]
    alerts.append(alert("x", Severity.CRITICAL, workload="worst"))

    text = report_of(tmp_path, tcp(), alerts=alerts)

    assert text.count("See the flows") == 5
    assert text.index("critical: policy-denials, shop/worst") < text.index(
        "warning: policy-denials"
    )
    assert "Alerts: 10" in text


def test_more_alerts_than_the_table_holds_are_counted(tmp_path):
    alerts = [alert(str(number)) for number in range(33)]

    assert "and 3 more; --json gives all" in report_of(tmp_path, tcp(), alerts=alerts)


def test_a_shadow_alert_says_so(tmp_path):
    assert "(shadow)" in report_of(tmp_path, tcp(), alerts=[alert(shadow=True)])


def test_without_alerts_the_report_says_so_and_what_to_do_next(tmp_path):
    text = report_of(tmp_path, tcp())

    assert "No alerts." in text
    assert text.rstrip().endswith("--windows windows.jsonl")


def test_a_recording_without_flows_leads_to_making_one(tmp_path):
    assert "hubble observe --output jsonpb --follow" in report_of(tmp_path, [])
    assert "None of the lines was a flow" in report_of(tmp_path, [b"no json"])


def test_control_characters_of_foreign_names_do_not_reach_the_terminal(tmp_path):
    lines = [*tcp(pod("shop/evil\x1b[2J-0", workload=""), at=0), flow(verdict="\x1b[31m")]

    text = report_of(tmp_path, lines, alerts=[alert(summary="a\x1b[2Jb", workload="\x07")])

    assert "\x1b" not in text
    assert "\x07" not in text
    assert "evil" in text


def test_markup_in_foreign_names_is_shown_as_it_is(tmp_path):
    text = report_of(tmp_path, tcp(), alerts=[alert(summary="[bold]odd[/bold] [/nothing]")])

    assert "[bold]odd[/bold] [/nothing]" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_but_commands_is_wider_than_the_terminal(tmp_path, width):
    lines = [
        *tcp(pod("a-rather-long-namespace-name/a-workload-name-that-is-long-too-0")),
        *denied(),
    ]

    text = report_of(tmp_path, lines, width, [alert(), alert("b", Severity.CRITICAL)])

    too_long = [line for line in text.splitlines() if len(line.rstrip()) > width]
    assert [line for line in too_long if not line.startswith("  hubble")] == []


def test_times_have_their_date_where_the_recording_spans_days(tmp_path):
    lines = [*denied(at=0), *tcp(at=86_400 - 10, from_port=41_001), *denied(at=86_400)]

    assert "2026-03-03 08:00:00" in report_of(tmp_path, lines)


def test_an_interrupted_replay_says_so(tmp_path):
    summary = Summary()
    interruption = Interruption()
    interruption.ask()
    replay = replayed([write(tmp_path / "a", tcp())], summary, interruption=interruption)

    assert "interrupted" in report(replay, summary)


def test_silent_nodes_are_named(tmp_path):
    summary = Summary()
    replay = replayed([write(tmp_path / "a", [*tcp(), node_status(1, "NODE_GONE", "n")])], summary)
    summary.observe(closed(5, share=0.5, silent_nodes=["node-7"]))

    text = flat(report(replay, summary))

    assert "silent node-7" in text
    assert "Nodes fell silent: check Hubble on those named above (hubble list nodes)" in text
    assert "Hubble lost" not in text


def test_missing_heartbeats_are_told_as_such_and_no_silent_nodes(tmp_path):
    flows = [line for second in range(180) for line in tcp(at=second, from_port=41_000 + second)]
    beats = [heartbeat(n, n) for n in [*range(5), *range(60, 90), *range(150, 180)]]

    text = flat(report_of(tmp_path, [*flows, *beats], alerts=[]))

    assert "of the heartbeats missing" in text
    assert "Heartbeats are missing, so records were lost behind the exporter" in text
    assert "fell silent" not in text


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("stream-gap", "Events came while nothing was read"),
        ("exporter-buffer", "An exporter had no room for events until Kafka took them"),
        ("HUBBLE_RING_BUFFER", "Hubble lost events: raise hubble.eventBufferCapacity"),
    ],
)
def test_each_kind_of_loss_has_its_own_advice(tmp_path, source, told):
    loss = {"source": source, "num_events_lost": "60"}
    lines = [*tcp(at=0), line("lost_events", loss, 10), *tcp(at=120, from_port=41_001)]

    text = flat(report_of(tmp_path, lines))

    assert f"Lost before it could be recorded: {source} 60" in text
    assert f"1 window was seen too incompletely to learn from. {told}" in text
    assert ("Hubble lost" in text) == (source == "HUBBLE_RING_BUFFER")
