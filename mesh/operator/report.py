"""What everybody said, held against what Consul says: where they differ, somebody should look."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf import json_format

from mesh.operator import beliefs
from mesh.operator.beliefs import Belief
from mesh.operator.edge import Edge
from mesh.operator.survey import PASSING, Member
from ordermesh.mesh.v1.introspection_service_pb2 import ControlPlane

CRITICAL = "critical"


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """Everybody, at one moment."""

    members: Sequence[Member]
    edges: Sequence[Edge]
    now: dt.datetime

    def troubles(self) -> Iterator[str]:
        """Name each thing that is not as it should be."""
        for member in self.members:
            yield from self._troubles_of(member)
        for edge in self.edges:
            if edge.failure:
                yield f"{edge.name} can't be asked: {edge.failure}"
            else:
                yield from self._disagreements(edge.name, edge.beliefs)
                yield from self._ended(edge.name, edge.shown.end if edge.shown else self.now)

    def json(self) -> dict[str, Any]:
        """Give everything, for programs."""
        return {
            "members": [_json(each) for each in self.members],
            "edges": [dataclasses.asdict(each) for each in self.edges],
            "troubles": list(self.troubles()),
        }

    def _troubles_of(self, member: Member) -> Iterator[str]:
        there, process = member.registered, member.process
        if there.health != PASSING:
            yield f"{there.instance} is {there.health} in Consul: {'; '.join(there.reasons) or 'no check has run yet'}"
        if process is None:
            yield f"{there.instance} can't be asked: {member.failure}"
            return
        told = beliefs.of(process)
        yield from (
            f"{there.instance} refuses {each.kind} {each.name}: {each.refusal}" for each in told if each.refusal
        )
        yield from self._disagreements(there.instance, told)
        yield from self._ended(there.instance, process.identity.end_time.ToDatetime(dt.UTC))
        yield from _troubles_told(there.instance, process.control_plane)

    def _disagreements(self, who: str, told: Iterable[Belief]) -> Iterator[str]:
        """Compare where calls would go with where Consul says that somebody is well."""
        for each in told:
            well = self._well(each.service)
            if each.kind != beliefs.ENDPOINTS or well is None:
                continue
            if strangers := each.healthy - well:
                yield f"{who} would call {each.name} at {_words(strangers)}, where Consul has nobody well"
            if each.name == each.service and (missing := well - each.healthy):
                yield f"{who} would not call {each.name} at {_words(missing)}, which Consul says is well"

    def _well(self, service: str) -> frozenset[str] | None:
        """List the addresses of a service that Consul says are well; None for one that is none of Consul's."""
        mine = [each.registered for each in self.members if each.registered.service == service]
        return frozenset(each.address for each in mine if each.health != CRITICAL) if mine else None

    def _ended(self, who: str, end: dt.datetime) -> Iterator[str]:
        if end <= self.now:
            yield f"{who} shows a certificate that ended at {end.isoformat()}"


def _troubles_told(who: str, told: ControlPlane) -> Iterator[str]:
    for subscriber in told.subscribers:
        for refusal in subscriber.refusals:
            yield f"{subscriber.node} refuses {refusal.type}, says {who}: {refusal.reason}"
    for service in told.held_services:
        yield f"{who} keeps the last instances of {service}, which Consul lists no more"


def _json(member: Member) -> dict[str, Any]:
    process = member.process
    told = [dataclasses.asdict(each) for each in beliefs.of(process)] if process else []
    said = json_format.MessageToDict(process, preserving_proto_field_name=True) if process else {}
    said.pop("xds", None)  # It is what `believes` was read from.
    return {**dataclasses.asdict(member.registered), "failure": member.failure, "process": said, "believes": told}


def _words(addresses: Iterable[str]) -> str:
    return " and ".join(sorted(addresses))
