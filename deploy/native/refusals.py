"""What the control planes say is wrong with what they tell: clients that refuse it, and instances kept on suspicion."""

from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE

HOST = "127.0.0.1"
TIMEOUT_S = 2.0
REFUSING, HELD = "ordermesh_control_plane_refusing", "ordermesh_control_plane_held"


def complaints(runtime: Runtime) -> Iterator[str]:
    """Ask each replica; one that doesn't answer is a complaint of its own, elsewhere."""
    first = runtime.port(CONTROL_PLANE, "metrics")
    for index in range(runtime.topology.mesh.control_plane_replicas):
        try:
            reply = httpx.get(f"http://{HOST}:{first + index}/metrics", timeout=TIMEOUT_S, trust_env=False)
        except httpx.HTTPError:
            continue
        yield from complaints_in(f"{CONTROL_PLANE}-{index}", reply.text)


def complaints_in(replica: str, metrics: str) -> Iterator[str]:
    """Read a replica's metrics."""
    samples = [
        sample for family in text_string_to_metric_families(metrics) for sample in family.samples if sample.value
    ]
    for sample in samples:
        if sample.name == REFUSING:
            yield f"{replica}: {sample.value:.0f} clients refuse {sample.labels['type']}; make mesh says who, and why"
        elif sample.name == HELD:
            yield f"{replica} keeps the last instances of {sample.labels['service']}, which Consul lists no more"
