"""Asks everybody: Consul for who is there, each process what it believes. One that can't be asked spoils nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from mesh.blocking_queries import Agent
from mesh.identity import Identity
from ordermesh.mesh.v1.introspection_service_pb2 import GetProcessRequest, Process
from ordermesh.mesh.v1.introspection_service_pb2_grpc import IntrospectionServiceStub

PATIENCE_SECONDS = 3.0
CONSUL = "consul"
PASSING = "passing"
WORST_FIRST = ("critical", "warning", PASSING)

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """An instance as Consul has it; `reasons` are what its failing checks say."""

    service: str
    instance: str
    address: str
    zone: str
    version: str
    health: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """An instance, and what it says itself; `failure` tells why it could not be asked."""

    registered: Registered
    process: Process | None
    failure: str = ""


async def survey(agent: Agent, identity: Identity) -> list[Member]:
    """Ask all at once. Raises what `Agent.ask` does."""
    services = (await agent.ask("/v1/catalog/services", 0)).body
    answers = await asyncio.gather(
        *(agent.ask(f"/v1/health/service/{name}", 0) for name in sorted(services) if name != CONSUL)
    )
    there = [registered(entry) for answer in answers for entry in answer.body]
    credentials = _credentials(identity)
    return list(await asyncio.gather(*(_member(each, credentials) for each in there)))


def registered(entry: Entry) -> Registered:
    """Read an entry of /v1/health/service."""
    service, checks = entry["Service"], entry["Checks"]
    meta = service.get("Meta") or {}
    statuses = {check["Status"] for check in checks}
    return Registered(
        service=service["Service"],
        instance=service["ID"],
        address=f"{service['Address'] or entry['Node']['Address']}:{service['Port']}",
        zone=meta.get("zone", ""),
        version=meta.get("version", ""),
        health=next((status for status in WORST_FIRST if status in statuses), PASSING),
        reasons=tuple(check["Output"].strip() for check in checks if check["Status"] != PASSING),
    )


async def _member(there: Registered, credentials: grpc.ChannelCredentials) -> Member:
    try:
        async with grpc.aio.secure_channel(there.address, credentials) as channel:
            stub = IntrospectionServiceStub(channel)
            return Member(there, await stub.GetProcess(GetProcessRequest(), timeout=PATIENCE_SECONDS))
    except grpc.aio.AioRpcError as failure:
        return Member(there, None, f"{failure.code().name}: {failure.details()}")


def _credentials(identity: Identity) -> grpc.ChannelCredentials:
    files = identity.files
    return grpc.ssl_channel_credentials(
        files.authorities.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )
