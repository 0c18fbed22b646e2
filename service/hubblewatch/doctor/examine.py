"""All checks in their order, and what they mean together."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from hubblewatch.doctor.configuration import check_configuration
from hubblewatch.doctor.hubble import HubbleTools, check_hubble
from hubblewatch.doctor.kafka import check_kafka
from hubblewatch.doctor.model import check_model
from hubblewatch.doctor.namespace import NamespaceLook, look_at_namespace
from hubblewatch.doctor.result import CheckResult, has_failed
from hubblewatch.doctor.service import check_service
from hubblewatch.doctor.suppressions import check_suppressions
from hubblewatch.doctor.web import ServicePages


class Order(Struct, frozen=True):
    """What is to be looked at."""

    config: Path | None = None
    url: str | None = None
    """A running service's address, such as http://127.0.0.1:9464."""
    namespace: str | None = None


class Report(Struct, frozen=True):
    """What was found; ``is_configured`` is false where the settings are wrong."""

    checks: list[CheckResult]
    is_configured: bool = True
    namespace: NamespaceLook | None = None

    @property
    def has_failed(self) -> bool:
        """Tell whether anything is broken."""
        return has_failed(self.checks)


def examine(
    order: Order,
    variables: Mapping[str, str] = os.environ,
    hubble_tools: HubbleTools | None = None,
) -> Report:
    """Run all checks; raises ConfigurationError only for an ``order`` that makes no sense."""
    pages = None if order.url is None else ServicePages(order.url)
    settings, configuration = check_configuration(order.config, variables)
    if settings is None:
        return Report([configuration], is_configured=False)
    tools = HubbleTools() if hubble_tools is None else hubble_tools
    checks = [configuration]
    checks += check_hubble(settings, tools)
    kafka = check_kafka(settings)
    checks += kafka
    checks.append(check_model(settings))
    checks.append(check_suppressions(settings, int(time.time())))
    checks += check_service(pages)
    look = None
    if order.namespace is not None:
        look = look_at_namespace(order.namespace, settings, checks, pages, tools)
    return Report(checks, namespace=look)
