"""HTTP: metrics for Prometheus, health for Kubernetes, active alerts for people and programs."""

from hubblewatch.serve.answers import Answers
from hubblewatch.serve.board import AlertBoard
from hubblewatch.serve.health import Health
from hubblewatch.serve.server import Server

__all__ = ["AlertBoard", "Answers", "Health", "Server"]
