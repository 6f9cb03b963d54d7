"""Who is calling, by the certificate that was shown in the handshake, and whether Consul's intentions let them in."""

import time
from dataclasses import dataclass
from typing import Any, Protocol

from mesh import errors
from mesh.intentions import Intentions
from mesh.spiffe import TrustDomain

SPIFFE_ID = "peer_spiffe_id"
"""The key under which gRPC tells a server the SPIFFE ID of its peer."""


@dataclass(slots=True)
class Visits:
    """How often one caller was let in and turned away; `last_time` in seconds since 1970, `last_method` its path."""

    admitted: int = 0
    refused: int = 0
    last_time: float = 0.0
    last_method: str = ""


class Peers(Protocol):
    """Tells callers apart."""

    def caller_of(self, servicer_context: Any, method: str) -> str:  # noqa: ANN401 - grpc.aio's own, which others wrap
        """Return the service that calls `method`. Raises Unauthenticated, PermissionDenied."""


class CertifiedPeers:
    """Believes certificates of one trust domain, and nothing else."""

    def __init__(self, domain: TrustDomain, intentions: Intentions) -> None:
        """`intentions` are those of the service that is called."""
        self._domain = domain
        self._intentions = intentions
        self.visits: dict[str, Visits] = {}
        """By caller; those without an identity in this mesh have the empty name."""

    def caller_of(self, servicer_context: Any, method: str) -> str:  # noqa: ANN401 - as above
        """Return the service that calls `method`. Raises Unauthenticated, PermissionDenied."""
        shown = servicer_context.auth_context().get(SPIFFE_ID) or (b"",)
        caller = self._domain.service_of(shown[0].decode())
        visits = self.visits.get(caller) or self.visits.setdefault(caller, Visits())
        visits.refused, visits.last_time, visits.last_method = visits.refused + 1, time.time(), method
        self._require(caller, method)
        visits.refused, visits.admitted = visits.refused - 1, visits.admitted + 1
        return caller

    def _require(self, caller: str, method: str) -> None:
        if not caller:
            raise errors.Unauthenticated(
                "this service answers members of its own mesh only; go through the edge", reason="PEER_UNKNOWN"
            )
        if not self._intentions.allow(caller, method):
            raise errors.PermissionDenied(
                f"no intention in Consul lets {caller} call this",
                reason="PEER_NOT_ALLOWED",
                metadata={"peer": caller, "method": method},
            )
