"""Who is calling, by the certificate shown in the handshake, and whether an intention lets them in, for whom."""

import functools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from mesh import errors
from mesh.intentions import Intentions
from mesh.spiffe import TrustDomain
from mesh.telemetry import get_logger

_log = get_logger(__name__)

SPIFFE_ID = "peer_spiffe_id"
"""The key under which gRPC tells a server the SPIFFE ID of its peer."""


SOON = timedelta(seconds=1)


@dataclass(slots=True)
class Visits:
    """How often one caller was let in and turned away; `last_time` in seconds since 1970, `last_method` its path."""

    admitted: int = 0
    refused: int = 0
    last_time: float = 0.0
    last_method: str = ""


class Peers(Protocol):
    """Tells callers apart."""

    def caller_of(self, servicer_context: Any, method: str, *, for_user: bool) -> str:  # noqa: ANN401 - grpc.aio's own
        """Return the service that calls `method`, maybe for a user. Raises what `_refusal` tells."""


class CertifiedPeers:
    """Believes certificates of one trust domain, and nothing else. Who is refused here is always in the log."""

    def __init__(self, domain: TrustDomain, intentions: Intentions) -> None:
        """`intentions` are those of the service that is called."""
        self._intentions = intentions
        self._service_of = functools.lru_cache(domain.service_of)
        self.visits: dict[str, Visits] = {}
        """By caller; those without an identity in this mesh have the empty name."""

    def caller_of(self, servicer_context: Any, method: str, *, for_user: bool) -> str:  # noqa: ANN401 - as above
        """Return the service that calls `method`, maybe for a user. Raises what `_refusal` tells."""
        shown = (servicer_context.auth_context().get(SPIFFE_ID) or (b"",))[0].decode()
        caller = self._service_of(shown)
        visits = self.visits.get(caller) or self.visits.setdefault(caller, Visits())
        visits.last_time, visits.last_method = time.time(), method
        if caller and self._intentions.allow(caller, method, for_user=for_user):
            visits.admitted += 1
            return caller
        visits.refused += 1
        refusal = self._refusal(caller, method, for_user=for_user)
        _log.warning("a peer was refused", peer=shown, address=servicer_context.peer(), reason=refusal.reason)
        raise refusal

    def _refusal(self, caller: str, method: str, *, for_user: bool) -> errors.Error:
        if not caller:
            message = "this service answers members of its own mesh only; go through the edge"
            return errors.Unauthenticated(message, reason="PEER_UNKNOWN")
        if not self._intentions.known:
            # For the moments of a start. To be refused would be a verdict, and its caller would not ask again.
            message = "this process has not heard from Consul yet who may call it; send the request again"
            return errors.Unavailable(message, reason="INTENTIONS_UNKNOWN", retry_after=SOON)
        about = {"peer": caller, "method": method}
        if for_user and self._intentions.allow(caller, method):
            message = f"no intention in Consul lets {caller} call this for a user; it may call for itself"
            return errors.PermissionDenied(message, reason="ACTING_FOR_USER_DENIED", metadata=about)
        message = f"no intention in Consul lets {caller} call this"
        return errors.PermissionDenied(message, reason="PEER_NOT_ALLOWED", metadata=about)
