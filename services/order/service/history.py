"""What happened to an order, what people say about it, and how it goes on."""

from collections.abc import AsyncIterator

from google.protobuf import any_pb2

from mesh import context
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from services.common import paging
from services.common.events import StoredEvent
from services.common.idempotency import request_key
from services.common.protobuf import timestamp_to_proto
from services.order.domain.notes import Note
from services.order.domain.timeline import Entry
from services.order.events import note_to_proto, order_to_proto
from services.order.service.base import Servicer
from services.order.timeline import entry_of_event, entry_of_note


class Telling(Servicer, order_service_pb2_grpc.OrderServiceServicer):
    """Events, timeline, notes, watching, rebuilding."""

    async def ListOrderEvents(self, request: pb.ListOrderEventsRequest, _: object) -> pb.ListOrderEventsResponse:
        """Give a page of an order's events; see the contract."""
        order = await self.visible(request.id)
        filters = {"order": order.id}
        size = paging.page_size(request.page_size)
        after = paging.number(paging.decode(request.page_token, filters) or "0")
        found = await self.rooms.store.events(order.id, after=after, limit=size + 1)
        reply = pb.ListOrderEventsResponse(events=[_event_to_proto(event) for event in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(str(found[size - 1].sequence), filters)
        return reply

    async def ListOrderTimeline(self, request: pb.ListOrderTimelineRequest, _: object) -> pb.ListOrderTimelineResponse:
        """Give a page of what happened in words; see the contract."""
        order = await self.visible(request.id)
        filters = {"timeline": order.id}
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        happened = await self.rooms.store.events_by_id(order.id, after, size + 1)
        notes = await self._notes(order.id, after, size + 1)
        entries = sorted((*map(entry_of_event, happened), *map(entry_of_note, notes)), key=lambda each: each.id)
        reply = pb.ListOrderTimelineResponse(entries=[_entry_to_proto(entry) for entry in entries[:size]])
        if len(entries) > size:
            reply.next_page_token = paging.encode(entries[size - 1].id, filters)
        return reply

    async def CreateOrderNote(self, request: pb.CreateOrderNoteRequest, _: object) -> order_pb2.OrderNote:
        """Write a note down; see the contract."""
        call = context.current()
        order = await self.visible(request.order_id)
        note = Note(
            id=self.rooms.new_id(),
            order_id=order.id,
            text=request.text,
            customer_visible=request.customer_visible,
            author=call.caller.actor,
            create_time=self.rooms.clock(),
        )
        request_id = request_key(request.request_id, call.idempotency_key)
        return note_to_proto(await self.rooms.notes.add(note, request_id))

    async def ListOrderNotes(self, request: pb.ListOrderNotesRequest, _: object) -> pb.ListOrderNotesResponse:
        """Give a page of notes; see the contract."""
        order = await self.visible(request.order_id)
        filters = {"notes": order.id}
        size = paging.page_size(request.page_size)
        found = await self._notes(order.id, paging.decode(request.page_token, filters), size + 1)
        reply = pb.ListOrderNotesResponse(notes=[note_to_proto(note) for note in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def WatchOrder(self, request: pb.WatchOrderRequest, _: object) -> AsyncIterator[order_pb2.Order]:
        """Give the order whenever it changes; see the contract."""
        async for order in self.rooms.watching.follow(await self.visible(request.id)):
            yield order_to_proto(order)

    async def RebuildOrder(self, request: pb.RebuildOrderRequest, _: object) -> pb.RebuildOrderResponse:
        """Rebuild an order from its events; see the contract."""
        order = await self.visible(request.id)
        rebuilt, faults = await self.rooms.rebuilding.check(order)
        return pb.RebuildOrderResponse(order=None if rebuilt is None else order_to_proto(rebuilt), differences=faults)

    async def _notes(self, order_id: str, after: str | None, limit: int) -> list[Note]:
        everything = context.current().caller.unrestricted
        return await self.rooms.notes.page(order_id, after, limit, everything=everything)


def _event_to_proto(event: StoredEvent) -> pb.OrderEvent:
    return pb.OrderEvent(
        id=event.id,
        sequence=event.sequence,
        type=event.type,
        actor=event.actor,
        request_id=event.request_id or "",
        occur_time=timestamp_to_proto(event.occurred_at),
        payload=any_pb2.Any(type_url=f"type.googleapis.com/{event.type}", value=event.payload),
    )


def _entry_to_proto(entry: Entry) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        id=entry.id, text=entry.text, actor=entry.actor, occur_time=timestamp_to_proto(entry.occur_time)
    )
