"""The aggregated discovery service: keeps every connected client at the newest snapshot."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import structlog
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.duration_pb2 import Duration

from mesh.control_plane.conversation import Conversation, Meaning
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication
from mesh.control_plane.snapshot import ResourceType
from ordermesh.mesh.v1 import introspection_service_pb2 as pb

NOTHING_NEW = (Meaning.ACCEPTED, Meaning.STALE)
"""Requests that ask for nothing: half of all that come."""

_SHORT = {each.value: each.value.rsplit(".", 1)[-1] for each in ResourceType}


class AggregatedDiscovery:
    """The servicer of `envoy.service.discovery.v3.AggregatedDiscoveryService`, state of the world only."""

    def __init__(
        self,
        identifier: str,
        publication: Publication,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """Serve what is published, under the name of this replica."""
        self._identifier = identifier
        self._publication = publication
        self._metrics = metrics
        self._log = log
        self._streams: dict[Conversation, float] = {}
        """When each began, on the monotonic clock."""

    @property
    def subscribers(self) -> list[pb.Subscriber]:
        """Who is connected, and what they refuse."""
        now = time.monotonic()
        return [
            pb.Subscriber(
                node=each.node_id,
                cluster=each.node_cluster,
                connected=Duration(seconds=round(now - began)),
                refusals=[pb.Refusal(type=_short(kind), reason=reason) for kind, reason in each.refusals.items()],
            )
            for each, began in self._streams.items()
        ]

    async def StreamAggregatedResources(  # noqa: N802  the name is the contract's
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        _context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[discovery_pb2.DiscoveryResponse]:
        """Answer a client's subscriptions, at once and whenever a snapshot changes what they cover."""
        conversation = Conversation(self._identifier)
        with self._publication.reader() as woken, self._metrics.streams.track_inprogress():
            self._streams[conversation] = time.monotonic()
            listening = asyncio.create_task(self._listen(requests, conversation, woken))
            try:
                while True:
                    await woken.wait()
                    woken.clear()
                    if listening.done() or self._publication.ended:
                        return
                    for response in self._owed(conversation):
                        yield response
            finally:
                listening.cancel()
                del self._streams[conversation]
                if conversation.refusals:
                    self._count_refusals()

    async def DeltaAggregatedResources(  # noqa: N802  the name is the contract's
        self,
        _requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        """Refuse the incremental variant: a few services with a few instances each do not need it."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "only the state-of-the-world protocol is served")

    def _owed(self, conversation: Conversation) -> list[discovery_pb2.DiscoveryResponse]:
        snapshot = self._publication.current
        responses = list(conversation.responses(snapshot)) if snapshot else []
        for response in responses:
            self._metrics.responded(_short(response.type_url))
        return responses

    async def _listen(
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        conversation: Conversation,
        woken: asyncio.Event,
    ) -> None:
        try:
            async for request in requests:
                refused = dict(conversation.refusals)
                meaning = conversation.receive(request)
                self._metrics.requested(_short(request.type_url), meaning.value)
                if refused != conversation.refusals:
                    self._count_refusals()
                if meaning is Meaning.REFUSED:
                    self._report_refusal(conversation, request)
                if meaning not in NOTHING_NEW:
                    woken.set()
        finally:
            woken.set()

    def _count_refusals(self) -> None:
        self._metrics.refuse(_short(kind) for each in self._streams for kind in each.refusals)

    def _report_refusal(self, conversation: Conversation, request: discovery_pb2.DiscoveryRequest) -> None:
        self._log.error(
            "resources_refused",
            node=conversation.node_id,
            cluster=conversation.node_cluster,
            type=_short(request.type_url),
            still_in_use=request.version_info,
            error=request.error_detail.message,
        )


def _short(type_url: str) -> str:
    """Name a type in metrics and logs; foreign ones share a name, so that no client can fill the metrics."""
    return _SHORT.get(type_url, "other")
