"""From settings to a pipeline: what worker, watch and replay all begin with."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.pseudonym import Pseudonyms
from hubblewatch.flow.redact import Redaction
from hubblewatch.flow.reject import Reject
from hubblewatch.model.directory import ModelDirectory
from hubblewatch.model.loaded import ModelSource
from hubblewatch.model.store import shipped_model
from hubblewatch.pipeline import Pipeline, PipelineSettings
from hubblewatch.settings import RedactionSettings, Settings
from hubblewatch.settings.redaction import MIN_KEY_CHARACTERS
from hubblewatch.settings.suppressions_file import SuppressionsFile

MAX_KEY_FILE_BYTES = 4096
"""A larger file holds no key."""


def pipeline_settings(settings: Settings) -> PipelineSettings:
    """Give the pipeline's part of the settings."""
    window = settings.window
    return PipelineSettings(
        cluster=settings.cluster,
        size=window.size_seconds,
        lateness=window.lateness_seconds,
        settle=window.settle_seconds,
        idle=window.connection_idle_seconds,
        max_connections=window.max_connections,
        completeness_floor=window.completeness_floor,
    )


def build_pipeline(
    settings: Settings,
    on_reject: Callable[[Reject], None] = lambda _: None,
    *,
    judges_source: bool = True,
    models: ModelSource | None = None,
) -> Pipeline:
    """Build the detection of one stream, with the enabled detectors.

    Of several partitions of one stream only one ``judges_source``: what is said of the exporters
    and nodes would else be said by each.

    ``models`` is what ``open_model`` gave; without it there is no forest.

    Lines that the pipeline itself refuses (a time that is none) go to ``on_reject``, where the
    caller's own refused lines go too.
    """
    return Pipeline(
        structs.replace(pipeline_settings(settings), judges_source=judges_source),
        build_detectors(settings.detectors, models),
        PARENTS,
        on_reject,
    )


def open_suppressions(settings: Settings, clock: Callable[[], float]) -> SuppressionsFile | None:
    """Open the file of suppressions where one is set; raise ConfigurationError where it is wrong.

    Whoever drives a pipeline sets ``pipeline.suppressions`` to its ``current()`` before each batch.
    """
    return None if settings.suppressions is None else SuppressionsFile(settings.suppressions, clock)


def open_model(settings: Settings, clock: Callable[[], float]) -> ModelDirectory | None:
    """Open the model of the settings, or the shipped one; None where none is wanted or there.

    One serves all pipelines of a process; whoever drives them calls ``refresh`` between batches.
    """
    wanted = settings.model
    if not wanted.enabled or not settings.detectors.isolation_forest.enabled:
        return None
    directory = wanted.path or shipped_model()
    if directory is None:
        return None
    return ModelDirectory(
        directory, clock, shadow=wanted.shadow, alerts_per_day=wanted.alerts_per_day
    )


def open_redaction(settings: Settings, *, renames: bool = True) -> Redaction:
    """Give what takes out of lines what the settings do not keep.

    ``renames`` is for whoever reads a source; names on the flow topic are as they shall be.

    Raises ConfigurationError where the key cannot be had.
    """
    wanted = settings.redaction
    names = None
    if renames and wanted.names == "hash":
        domain = settings.detectors.dns_anomaly.cluster_domain
        names = Pseudonyms(_key(wanted), wanted.clear_names, domain)
    return Redaction(wanted.labels, names, keeps_text=wanted.rejects == "text")


def _key(settings: RedactionSettings) -> bytes:
    if settings.key is not None:
        return settings.key.get_secret_value().encode()
    path = settings.key_file
    assert path is not None
    try:
        with path.open("rb") as file:
            key = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"redaction.key_file: {path}: {error.strerror}") from None
    if len(key) > MAX_KEY_FILE_BYTES:
        raise ConfigurationError(f"redaction.key_file: {path} is too large for a key")
    key = key.rstrip(b"\r\n")
    if len(key) < MIN_KEY_CHARACTERS:
        raise ConfigurationError(
            f"redaction.key_file: {path} holds less than {MIN_KEY_CHARACTERS} characters"
        )
    return key
