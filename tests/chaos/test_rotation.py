"""Certificates are replaced while everybody calls everybody: leaves every ten seconds, and the root."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.native.secrets import CONTROL_PLANE, EDGE
from mesh.certificates import Files
from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import START_S, Mesh, Second
from tests.e2e.shop import eventually

ROTATION_S = 10
ROTATIONS = 3
# Shorter than that, so that there are handshakes with each.
SETTINGS = (
    f"ORDERMESH_CERTIFICATE_MAX_AGE_SECONDS={ROTATION_S}\nORDERMESH_CONNECTION_MAX_AGE_SECONDS={ROTATION_S / 2}\n"
)


@contextlib.contextmanager
def rotating(mesh: Mesh, second_instances: dict[str, Second]) -> Iterator[list[Files]]:
    """Run everything with certificates that are soon replaced; gives where they are."""
    services, replicas = list(second_instances), mesh.stack.topology.mesh.control_plane_replicas
    programs = [*services, "edge-identity", *(f"{CONTROL_PLANE}-{index}" for index in range(replicas))]
    settings = [mesh.stack.env_file(name) for name in (*services, EDGE, CONTROL_PLANE)]
    before = {file: file.read_text() for file in settings}

    def restart() -> None:
        mesh.supervisor.stop(programs)
        for program in programs:
            mesh.supervisor.run(program)
        for second in second_instances.values():
            second.stop()
            second.start()
        for service in services:
            mesh.becomes(service, healthy=2)

    try:
        for file, text in before.items():
            file.write_text(text + SETTINGS)
        restart()
        names = [*services, *(f"{service}-second" for service in services), EDGE, CONTROL_PLANE]
        yield [Files(mesh.stack.identity(name)) for name in names]
    finally:
        for file, text in before.items():
            file.write_text(text)
        restart()


def replace_root(mesh: Mesh) -> bytes:
    """Give Consul's authority another key; answers the new root, PEM."""
    configuration = mesh.consul("GET", "/v1/connect/ca/configuration").json()
    bits = 384 if configuration["Config"].get("PrivateKeyBits", 256) == 256 else 256
    changed = configuration["Config"] | {"PrivateKeyType": "ec", "PrivateKeyBits": bits}
    mesh.consul("PUT", "/v1/connect/ca/configuration", {"Provider": "consul", "Config": changed})
    roots = mesh.consul("GET", "/v1/connect/ca/roots").json()
    return str(next(root["RootCert"] for root in roots["Roots"] if root["Active"])).encode()


@pytest.mark.timeout(500)
def test_certificates_are_replaced_without_a_failed_call(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """Everywhere: services, the edge, the control planes and the callers; then all of them come under a new root."""
    with rotating(mesh, second_instances) as identities, load() as traffic:
        seen: dict[Files, set[bytes]] = {each: set() for each in identities}

        def rotated() -> bool:
            for each, found in seen.items():
                found.add(each.certificate.read_bytes())
            return all(len(found) > ROTATIONS for found in seen.values())

        eventually(rotated, within_s=ROTATION_S * (ROTATIONS + 3))
        begun = time.time()
        root = replace_root(mesh)
        eventually(lambda: all(each.is_signed_by(root) for each in identities), within_s=START_S)
        under_it = time.time()
        traffic.goes_on(since=under_it, calls=100)
        calls = traffic.stop()
    note(
        certificates_seen=sum(map(len, seen.values())),
        all_under_the_new_root_after_s=round(under_it - begun, 1),
        **calls.figures(),
    )
    assert calls.told() == []
