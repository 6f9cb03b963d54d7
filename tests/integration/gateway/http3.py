"""A client of HTTP/3, by aioquic."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from tests.integration.gateway.installation import Edge
from tests.integration.mesh.control_plane.processes import HOST

PATIENCE_S = 10


@dataclass(slots=True)
class Reply:
    """What came on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.headers[":status"])


class Client(QuicConnectionProtocol):
    """One connection, on which requests are made at will."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as QuicConnectionProtocol takes them
        """Speak HTTP over it."""
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._replies: dict[int, tuple[Reply, asyncio.Future[Reply]]] = {}

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask for a path, and wait for all of the reply."""
        stream = self._quic.get_next_available_stream_id()
        sent = {":method": "GET", ":scheme": "https", ":authority": HOST, ":path": path, **(headers or {})}
        self._http.send_headers(stream, [(name.encode(), sent[name].encode()) for name in sent], end_stream=True)
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[stream] = (Reply(), done)
        self.transmit()
        async with asyncio.timeout(PATIENCE_S):
            return await done

    def quic_event_received(self, event: QuicEvent) -> None:
        """Take what came."""
        for each in self._http.handle_event(event):
            self._take(each)

    def _take(self, event: H3Event) -> None:
        if not isinstance(event, (HeadersReceived, DataReceived)):
            return
        reply, done = self._replies[event.stream_id]
        if isinstance(event, HeadersReceived):
            reply.headers |= {name.decode(): value.decode() for name, value in event.headers}
        else:
            reply.content += event.data
        if event.stream_ended and not done.done():
            done.set_result(reply)


@contextlib.asynccontextmanager
async def connected(edge: Edge) -> AsyncIterator[Client]:
    """Connect to the edge, which has to show a certificate of the install's authority."""
    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=HOST)
    settings.load_verify_locations(cafile=str(edge.authority))
    port = edge.options.ports.https
    async with connect(HOST, port, configuration=settings, create_protocol=Client) as client:
        yield cast("Client", client)
