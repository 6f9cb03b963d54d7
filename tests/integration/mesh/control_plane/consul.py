"""A real Consul server of the tests' own."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp

from deploy.native import certificates
from deploy.native.certificates import Certificates
from mesh.settings import PREFIX, MeshSettings
from tests.integration.mesh.control_plane.processes import HOST, Process, free_ports

TOKEN = "6f1c6b0e-3c8e-4f3e-9c51-0a3d6b1c2d4e"
"""May do everything, in a Consul that lives as long as a test."""

DATACENTER = "dc1"
TRANSACTION_LIMIT = 64
"""How much Consul takes at once."""

READING = """
service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } service "control-plane" { policy = "write" }
key_prefix "ordermesh/policy/" { policy = "read" } key "ordermesh/settings/control-plane" { policy = "read" }
"""
"""All that the control plane may do."""


class Consul:
    """A Consul server with data of its own, default deny, and one token that may do everything."""

    def __init__(self, binary: Path, folder: Path) -> None:
        """Prepare one that is not started."""
        self._binary = binary
        self.folder = self._folder = folder
        self._process: Process | None = None
        self.http, *others = free_ports(5)
        self.url = f"http://{HOST}:{self.http}"
        ports = dict(zip(("dns", "server", "serf_lan", "grpc_tls"), others, strict=True))
        self.grpc = f"{HOST}:{ports['grpc_tls']}"
        self._certificates = certificates.ensure(folder / "tls", DATACENTER)
        configuration = _configuration(ports | {"http": self.http}, self._certificates)
        (folder / "consul.json").write_text(json.dumps(configuration))

    def environment(self, service: str, folder: Path, token: str = TOKEN) -> dict[str, str]:
        """Give the settings of a process that is to join; its certificate goes to a folder in `folder`."""
        return {
            "ORDERMESH_ENV_FILE": "",
            "ORDERMESH_SERVICE": service,
            "ORDERMESH_CONSUL_HTTP": self.url,
            "ORDERMESH_CONSUL_GRPC": self.grpc,
            "ORDERMESH_CONSUL_CA": str(self._certificates.consul_authority.certificate),
            "ORDERMESH_CONSUL_TOKEN": token,
            "ORDERMESH_DATACENTER": DATACENTER,
            "ORDERMESH_IDENTITY_FOLDER": str(folder / f"identity-{service}"),
        }

    def settings(self, service: str, folder: Path, **more: str) -> MeshSettings:
        """Give the same for a member in the test's own process."""
        told = self.environment(service, folder)
        values = {key.removeprefix(PREFIX).lower(): value for key, value in told.items()}
        return MeshSettings(port=1, metrics_port=2, **values, **more)

    async def start(self) -> None:
        """Start it, and wait until it lists itself."""
        data = f"-data-dir={self._folder / 'data'}"
        configuration = f"-config-file={self._folder / 'consul.json'}"
        log = self._folder / "consul.log"
        self._process = await Process.start(log, self._binary, "agent", configuration, data)
        async with asyncio.timeout(30):
            while not await self._lists_itself():  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)

    async def _lists_itself(self) -> bool:
        try:
            return "consul" in await self.ask("GET", "/v1/catalog/services")
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        """End it as a crash would."""
        if self._process:
            await self._process.stop(kill=True)

    def forget(self) -> None:
        """Lose all data; only while it is stopped."""
        (self._folder / "data").rename(self._folder / f"lost-{time.monotonic_ns()}")

    async def ask(self, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Use the HTTP API; answers JSON or nothing."""
        async with (
            aiohttp.ClientSession(self.url, headers={"X-Consul-Token": TOKEN}) as http,
            http.request(verb, path, json=body, raise_for_status=True) as response,
        ):
            return await response.json() if await response.read() else None

    async def write(self, key: str, document: object) -> None:
        """Write into the KV store; a text as it is, all else as JSON."""
        body = document if isinstance(document, str) else json.dumps(document)
        async with (
            aiohttp.ClientSession(self.url, headers={"X-Consul-Token": TOKEN}) as http,
            http.put(f"/v1/kv/{key}", data=body, raise_for_status=True),
        ):
            pass

    async def write_many(self, folder: str, count: int) -> None:
        """Write that many keys, as fast as Consul takes them."""
        writes = [{"KV": {"Verb": "set", "Key": f"{folder}/{number}", "Value": ""}} for number in range(count)]
        for first in range(0, count, TRANSACTION_LIMIT):
            await self.ask("PUT", "/v1/txn", writes[first : first + TRANSACTION_LIMIT])

    async def erase(self, key: str) -> None:
        """Delete from the KV store."""
        await self.ask("DELETE", f"/v1/kv/{key}")

    async def register(self, service: str, instance: str, port: int, kind: str = "GRPC", **meta: str) -> None:
        """Tell the agent about an instance, with a check that begins critical."""
        check = {
            kind: f"{HOST}:{port}",
            "GRPCUseTLS": kind == "GRPC",
            "TLSSkipVerify": True,
            "Interval": "1s",  # Consul's shortest.
            "Timeout": "1s",
            "DeregisterCriticalServiceAfter": "10m",
        }
        body = {"ID": instance, "Name": service, "Address": HOST, "Port": port, "Meta": meta, "Check": check}
        await self.ask("PUT", "/v1/agent/service/register", body)

    async def deregister(self, instance: str) -> None:
        """Take an instance out, if it is in."""
        if instance in await self.ask("GET", "/v1/agent/services"):
            await self.ask("PUT", f"/v1/agent/service/deregister/{instance}")

    async def passes(self, service: str, instance: str) -> None:
        """Wait until the checks of an instance pass."""
        async with asyncio.timeout(20):
            while instance not in await self._passing(service):  # noqa: ASYNC110 - it happens in Consul
                await asyncio.sleep(0.02)

    async def _passing(self, service: str) -> list[str]:
        entries = await self.ask("GET", f"/v1/health/service/{service}?passing")
        return [each["Service"]["ID"] for each in entries]

    async def reading_token(self) -> str:
        """Make a token that may do what the control plane needs: read nodes and services."""
        secret = str(uuid.uuid4())
        await self.allow_reading(secret)
        return secret

    async def allow_reading(self, secret: str) -> None:
        """Make that token with a given secret, such as that of a Consul that lost its data."""
        await self.ask("PUT", "/v1/acl/policy", {"Name": "control-plane", "Rules": READING})
        await self.ask("PUT", "/v1/acl/token", {"SecretID": secret, "Policies": [{"Name": "control-plane"}]})


def _configuration(ports: dict[str, int], made: Certificates) -> dict[str, Any]:
    pair = {"cert_file": str(made.consul.certificate), "key_file": str(made.consul.key)}
    tls = {"ca_file": str(made.consul_authority.certificate), **pair}
    return {
        "server": True,
        "bootstrap_expect": 1,
        "node_name": "test",
        "bind_addr": HOST,
        "client_addr": HOST,
        "disable_update_check": True,
        "performance": {"raft_multiplier": 1},
        "ports": ports | {"grpc": -1, "serf_wan": -1},
        "tls": {"grpc": tls, "internal_rpc": tls},
        "enable_agent_tls_for_checks": True,
        "connect": {"enabled": True},
        "default_intention_policy": "deny",
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            "tokens": {"initial_management": TOKEN, "agent": TOKEN},
        },
    }
