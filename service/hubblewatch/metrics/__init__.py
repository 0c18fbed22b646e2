"""Prometheus metrics: families with a hard bound on their series, and what fills them."""

from hubblewatch.metrics.observe import Metrics
from hubblewatch.metrics.observed import Closing, IntakeCounts, ObservedAlert

__all__ = ["Closing", "IntakeCounts", "Metrics", "ObservedAlert"]
