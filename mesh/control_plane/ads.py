"""The aggregated discovery service: keeps every connected client at the newest snapshot."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import structlog
from envoy.service.discovery.v3 import discovery_pb2

from mesh.control_plane.conversation import Conversation, Meaning
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication
from mesh.control_plane.snapshot import ResourceType

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

    async def StreamAggregatedResources(  # noqa: N802  the name is the contract's
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        _context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[discovery_pb2.DiscoveryResponse]:
        """Answer a client's subscriptions, at once and whenever a snapshot changes what they cover."""
        conversation = Conversation(self._identifier)
        with self._publication.reader() as woken, self._metrics.streams.track_inprogress():
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
                meaning = conversation.receive(request)
                self._metrics.requested(_short(request.type_url), meaning.value)
                if meaning is Meaning.REFUSED:
                    self._report_refusal(conversation, request)
                if meaning not in NOTHING_NEW:
                    woken.set()
        finally:
            woken.set()

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
