from hubblewatch.assemble import build_pipeline, pipeline_settings
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.flow.decode import decode_lines
from hubblewatch.settings import Settings, WindowSettings
from tests.builders import flow, pod
from tests.refusals import denied


def burst():
    return [
        line
        for number in range(40)
        for line in denied(pod("shop/cart-0"), at=number, from_port=42_000 + number)
    ]


def detectors_of(pipeline, lines):
    closed = pipeline.take(decode_lines(lines, lambda _: None)) + pipeline.finish()
    return {alert.detector for one in closed for alert in one.alerts}


def test_every_window_setting_reaches_the_pipeline():
    window = WindowSettings(
        size_seconds=30,
        lateness_seconds=7,
        settle_seconds=2,
        connection_idle_seconds=90,
        completeness_floor=0.5,
    )

    built = pipeline_settings(Settings(cluster="blue", window=window))

    assert built.cluster == "blue"
    assert (built.size, built.lateness, built.settle, built.idle) == (30, 7, 2, 90)
    assert built.completeness_floor == 0.5


def test_the_detectors_are_those_of_the_settings():
    off = DetectorSettings.model_validate({"policy-denials": {"enabled": False}})

    assert "policy-denials" in detectors_of(build_pipeline(Settings()), burst())
    assert "policy-denials" not in detectors_of(build_pipeline(Settings(detectors=off)), burst())


def test_lines_that_the_pipeline_refuses_are_told():
    rejects = []

    detectors_of(build_pipeline(Settings(), rejects.append), [flow(time="yesterday")])

    assert [reject.reason for reject in rejects] == ["time"]
