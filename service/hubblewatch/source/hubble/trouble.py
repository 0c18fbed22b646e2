"""What is wrong with Hubble, in words for the person who can mend it."""

from __future__ import annotations

import grpc

from hubblewatch.errors import ConfigurationError, HubblewatchError
from hubblewatch.flow.schema import Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.counts import ReconnectReason


class HubbleTroubleError(HubblewatchError):
    """The stream broke or could not be opened; ``reason`` is what metrics call it."""

    def __init__(self, reason: ReconnectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MissingNodesError(HubbleTroubleError):
    """Nodes are missing from the stream; ``told`` are the lines that say so."""

    def __init__(self, reason: ReconnectReason, names: list[str], told: list[Line]) -> None:
        shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
        super().__init__(reason, f"flows of {shown} do not come, though Relay reaches the nodes")
        self.told = told


def explain(error: grpc.RpcError, settings: HubbleSettings) -> HubbleTroubleError:
    """Return an error of gRPC's in plain words.

    Raises ConfigurationError for what will not pass: a request that Hubble does not understand.
    """
    code, told = error.code(), " ".join((error.details() or "").split())
    place = settings.address
    if is_mask_refusal(error):
        if settings.field_mask == "on":
            raise ConfigurationError(
                f"Hubble at {place} cannot send chosen fields only ({told}); set "
                "hubble.field_mask to auto"
            )
        return HubbleTroubleError(
            ReconnectReason.FIELD_MASK,
            f"Hubble at {place} cannot send chosen fields only; all are asked for",
        )
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        raise ConfigurationError(
            f"Hubble at {place} does not understand hubble.only or hubble.without: {told}"
        )
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return HubbleTroubleError(
            ReconnectReason.REFUSED,
            f"{place} does not let this client in ({told}); check hubble.username and password",
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return HubbleTroubleError(
            ReconnectReason.REFUSED,
            f"{place} answers, but is no Hubble ({told}); check hubble.address",
        )
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return unreachable(settings, told)
    if code is grpc.StatusCode.CANCELLED:
        return HubbleTroubleError(ReconnectReason.ENDED, f"Hubble at {place} ended the stream")
    name = code.name if code is not None else "no status"
    return HubbleTroubleError(ReconnectReason.ERROR, f"Hubble at {place} fails: {name}: {told}")


def unreachable(settings: HubbleSettings, told: str) -> HubbleTroubleError:
    """Return the trouble that there is no connection, and why that may be."""
    tls = settings.tls
    # A server that misses the client's certificate just hangs up, as one does that is going down.
    if not tls.enabled:
        hint = "check that Hubble runs there, and that it does not want TLS (hubble.tls.enabled)"
    elif tls.cert_file is None:
        hint = (
            "check that Hubble runs there, serves TLS, and does not want a client's certificate "
            "(hubble.tls.cert_file, key_file)"
        )
    else:
        hint = (
            "check that Hubble runs there and serves TLS, that hubble.tls.ca_file signed its "
            "certificate and server_name is in it, and that it accepts the client's certificate"
        )
    return HubbleTroubleError(
        ReconnectReason.UNREACHABLE,
        f"no connection to Hubble at {settings.address} ({told}); {hint}",
    )


def is_mask_refusal(error: grpc.RpcError) -> bool:
    """Return whether the server lacks a field of the mask, or masks at all."""
    told = (error.details() or "").lower()
    return error.code() in (
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
    ) and ("fieldmask" in told or "field mask" in told)
