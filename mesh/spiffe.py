"""SPIFFE IDs as Consul writes them: who a certificate is for."""

import re
from dataclasses import dataclass

_FORM = re.compile(r"spiffe://(?P<domain>[^/]+)/ns/default/dc/(?P<datacenter>[^/]+)/svc/(?P<service>[^/]+)")


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """All identities that one Consul signs for one datacenter; `name` is the cluster's own, such as `<uuid>.consul`."""

    name: str
    datacenter: str

    def id_of(self, service: str) -> str:
        """Return the SPIFFE ID of a service."""
        return f"spiffe://{self.name}/ns/default/dc/{self.datacenter}/svc/{service}"

    def service_of(self, spiffe_id: str) -> str:
        """Return the service that an ID of this domain names; "" for any other, which proves nothing here."""
        found = _FORM.fullmatch(spiffe_id)
        if not found or (found["domain"], found["datacenter"]) != (self.name, self.datacenter):
            return ""
        return found["service"]


def domain_in(spiffe_id: str) -> TrustDomain:
    """Return the domain an ID belongs to. Raises ValueError for what is no ID of Consul's."""
    found = _FORM.fullmatch(spiffe_id)
    if not found:
        message = f"{spiffe_id!r} is no SPIFFE ID of a service in Consul"
        raise ValueError(message)
    return TrustDomain(found["domain"], found["datacenter"])
