"""The check of expressions finds what is wrong with one."""

from __future__ import annotations

import pytest
from tests.stack.queries import wishes_unmet

SAMPLES = {
    "lost_total": [{"source": "ring"}, {"source": "queue"}],
    "flows_total": [{"verdict": "DROPPED"}],
}


@pytest.mark.parametrize(
    "expression",
    [
        'rate(lost_total{source="ring"}[5m]) > 1',
        'sum by (source, cluster) (lost_total{cluster="blue", source=~"ri.*|que.*"})',
        "sum by (cluster) (lost_total) / on (cluster) group_left () sum by (cluster) (flows_total)",
        'up{job="hubblewatch"} == 0',
    ],
)
def test_what_a_scrape_has_may_be_asked_for(expression: str) -> None:
    assert wishes_unmet(expression, SAMPLES) == []


@pytest.mark.parametrize(
    ("expression", "unmet"),
    [
        ("rate(gone_total[5m])", "no metric 'gone_total'"),
        ('lost_total{node="a"}', "lost_total has no label node"),
        ('lost_total{source="disk"}', "no series of lost_total matches"),
        ('lost_total{source=~"rin"}', "no series of lost_total matches"),
        ("sum by (node) (rate(lost_total[5m]))", "none of ['lost_total'] has the label node"),
        ("lost_total / on (verdikt) flows_total", "has the label verdikt"),
        ("absent(lost_total) or max_over_time(gone[1d:1m])", "no metric 'gone'"),
    ],
)
def test_what_it_has_not_is_found(expression: str, unmet: str) -> None:
    [found] = wishes_unmet(expression, SAMPLES)
    assert unmet in found
