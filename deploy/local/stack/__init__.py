"""Kafka, hubblewatch, Prometheus and Alertmanager as processes of this machine."""

from deploy.local.stack.alertmanager import Alertmanager
from deploy.local.stack.errors import ProgramMissingError, StackError
from deploy.local.stack.program import Program
from deploy.local.stack.prometheus import Prometheus

__all__ = ["Alertmanager", "Program", "ProgramMissingError", "Prometheus", "StackError"]
