"""Stock over its contract, by gRPC behind the gate: what the servicer adds to the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import duration_pb2, field_mask_pb2
from google.type import latlng_pb2

from mesh import errors, headers, status
from mesh.contract import Contract
from mesh.gate import Gate
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.common import paging
from services.common.ids import new_id
from services.inventory.service import InventoryService
from services.inventory.store import InventoryStore
from services.inventory.watching import Watch
from tests.integration.mesh.warehouse import HOST, claims_of
from tests.peers import EDGE, ORDER_SERVICE, SaidPeers

STAFF = {**EDGE, headers.CLAIMS: claims_of(new_id(), "inventory.write", "inventory.read")}


CUSTOMER = {**EDGE, headers.CLAIMS: claims_of(new_id(), "orders.create")}


class Inventory:
    """The service as a caller sees it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use a channel."""
        self._stub: Any = inventory_grpc.InventoryServiceStub(channel)

    async def ask(self, who: dict[str, str], method: str, request: object, **more: str) -> Any:  # noqa: ANN401
        """Call a method; raises the error that was raised there."""
        try:
            return await getattr(self._stub, method)(request, metadata=(*who.items(), *more.items()))
        except grpc.aio.AioRpcError as failure:
            raise status.error_from(failure) from failure

    def follow(self, who: dict[str, str], request: object) -> Any:  # noqa: ANN401 - grpc's own call
        """Begin to watch."""
        return self._stub.WatchStock(request, metadata=tuple(who.items()))


@pytest_asyncio.fixture
async def inventory(store: InventoryStore) -> AsyncIterator[Inventory]:
    """Serve and connect."""
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(interceptors=(Gate(Contract.load(), SaidPeers(), 512),))
        watch, end = Watch(store, timedelta(milliseconds=10)), asyncio.Event()
        watching = asyncio.create_task(watch.run(end))
        stack.push_async_callback(asyncio.wait_for, watching, 5)
        stack.callback(end.set)
        inventory_grpc.add_InventoryServiceServicer_to_server(InventoryService(store, watch), server)
        port = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        yield Inventory(await stack.enter_async_context(grpc.aio.insecure_channel(f"{HOST}:{port}")))


async def test_stock_is_summed_up_and_shown_by_warehouse(inventory: Inventory) -> None:
    """Anybody may see it; the nearest warehouse is first."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3, warehouse_code="far"))
    received = await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=2))
    lines = [pb.ReservationLine(sku="A", quantity=4)]
    await inventory.ask(ORDER_SERVICE, "ReserveStock", pb.ReserveStockRequest(order_id=new_id(), lines=lines))
    stock = await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="A"))
    assert (received.on_hand, stock.on_hand, stock.reserved, stock.available) == (5, 5, 4, 1)
    assert [(each.warehouse_code, each.on_hand, each.reserved) for each in stock.levels] == [
        ("near", 2, 2),
        ("far", 3, 2),
    ]


async def test_a_sku_that_never_arrived_is_not_found_alone_and_zero_among_others(inventory: Inventory) -> None:
    """A page of products shows all of them."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3))
    with pytest.raises(errors.NotFound) as refusal:
        await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="none"))
    assert dict(refusal.value.metadata) == {"sku": "none"}
    batch = await inventory.ask(EDGE, "BatchGetStock", pb.BatchGetStockRequest(skus=["none", "A", "none"]))
    assert [(stock.sku, stock.available) for stock in batch.stocks] == [("none", 0), ("A", 3), ("none", 0)]


async def test_a_sku_with_a_nul_is_the_callers_mistake(inventory: Inventory) -> None:
    """It is a valid string of the contract, and none that can be looked for."""
    with pytest.raises(errors.InvalidArgument):
        await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="A\0"))


async def test_a_delivery_is_known_by_its_field_or_its_header(inventory: Inventory) -> None:
    """Booked once; the two must not differ."""
    by_field = pb.ReceiveStockRequest(sku="A", quantity=3, request_id="r1")
    by_header = pb.ReceiveStockRequest(sku="A", quantity=3)
    await inventory.ask(STAFF, "ReceiveStock", by_field)
    stock = await inventory.ask(STAFF, "ReceiveStock", by_header, **{headers.IDEMPOTENCY_KEY: "r1"})
    assert stock.on_hand == 3
    with pytest.raises(errors.InvalidArgument):
        await inventory.ask(STAFF, "ReceiveStock", by_field, **{headers.IDEMPOTENCY_KEY: "r2"})


async def test_a_request_id_stands_for_one_request(inventory: Inventory) -> None:
    """Of one method and one content, the id aside: by whichever of the two ways it came."""
    request = pb.CountStockRequest(sku="A", on_hand=3, warehouse_code="near", request_id="r1")
    for _ in range(2):
        assert (await inventory.ask(STAFF, "CountStock", request)).on_hand == 3
    others = [
        ("CountStock", pb.CountStockRequest(sku="A", on_hand=4, warehouse_code="near", request_id="r1")),
        ("ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3, warehouse_code="near", request_id="r1")),
    ]
    for method, other in others:
        with pytest.raises(errors.AlreadyExists) as refusal:
            await inventory.ask(STAFF, method, other)
        assert refusal.value.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_stock_is_corrected_moved_and_kept_back(inventory: Inventory) -> None:
    """Each answers with the stock as it is then."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=9, warehouse_code="near"))
    adjust = pb.AdjustStockRequest(
        sku="A", quantity=-2, warehouse_code="near", reason=inventory_pb2.DAMAGED, note="wet"
    )
    assert (await inventory.ask(STAFF, "AdjustStock", adjust)).on_hand == 7
    transfer = pb.TransferStockRequest(sku="A", quantity=3, from_warehouse_code="near", to_warehouse_code="far")
    moved = await inventory.ask(STAFF, "TransferStock", transfer)
    assert [(each.warehouse_code, each.on_hand) for each in moved.levels] == [("near", 4), ("far", 3)]
    policy = pb.SetStockPolicyRequest(
        sku="A", warehouse_code="far", safety_stock=5, backorder_limit=4, low_stock_threshold=0
    )
    stock = await inventory.ask(STAFF, "SetStockPolicy", policy)
    assert (stock.on_hand, stock.available, stock.backorderable) == (7, 4, 4)
    assert [(each.available, each.low) for each in stock.levels] == [(4, False), (0, True)]
    first = await inventory.ask(STAFF, "ListMovements", pb.ListMovementsRequest(sku="A", page_size=3))
    rest = await inventory.ask(
        STAFF, "ListMovements", pb.ListMovementsRequest(sku="A", page_size=3, page_token=first.next_page_token)
    )
    kinds = [inventory_pb2.Movement.Kind.Name(each.kind) for each in (*first.movements, *rest.movements)]
    assert kinds == ["TRANSFER_IN", "TRANSFER_OUT", "ADJUSTMENT", "RECEIPT"]
    assert (first.movements[2].reason, first.movements[2].note) == (inventory_pb2.DAMAGED, "wet")
    assert first.movements[2].actor.startswith("user:")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("AdjustStock", pb.AdjustStockRequest(sku="A", quantity=1, warehouse_code="near", reason=inventory_pb2.FOUND)),
        ("TransferStock", pb.TransferStockRequest(sku="A", quantity=1, from_warehouse_code="a", to_warehouse_code="b")),
        ("CountStock", pb.CountStockRequest(sku="A", on_hand=1, warehouse_code="near")),
        ("SetStockPolicy", pb.SetStockPolicyRequest(sku="A")),
        ("UpdateWarehouse", pb.UpdateWarehouseRequest(code="near", priority=1)),
        ("ListMovements", pb.ListMovementsRequest(sku="A")),
        ("ListReservations", pb.ListReservationsRequest()),
        ("CommitReservation", pb.CommitReservationRequest(order_id=new_id())),
        ("ExtendReservation", pb.ExtendReservationRequest(order_id=new_id(), ttl=duration_pb2.Duration(seconds=1))),
    ],
)
async def test_who_may_not_is_refused(inventory: Inventory, method: str, request_: object) -> None:
    """A customer, whatever is asked; what is for services is not for staff either."""
    for who in (CUSTOMER, STAFF) if method.endswith("Reservation") else (CUSTOMER,):
        with pytest.raises(errors.PermissionDenied):
            await inventory.ask(who, method, request_)


async def test_a_warehouse_is_changed_as_far_as_it_is_said(inventory: Inventory) -> None:
    """By the mask, which may also empty a field; or by what is sent."""
    place = latlng_pb2.LatLng(latitude=52.5, longitude=13.4)
    create = pb.CreateWarehouseRequest(code="w", display_name="W", zone="eu", region_codes=["DE"], location=place)
    assert (await inventory.ask(STAFF, "CreateWarehouse", create)).location == place
    mask = field_mask_pb2.FieldMask(paths=["priority", "location", "zone"])
    by_mask = pb.UpdateWarehouseRequest(code="w", priority=4, update_mask=mask)
    changed = await inventory.ask(STAFF, "UpdateWarehouse", by_mask)
    assert (changed.priority, changed.zone, changed.HasField("location")) == (4, "", False)
    changed = await inventory.ask(STAFF, "UpdateWarehouse", pb.UpdateWarehouseRequest(code="w", display_name="V"))
    assert (changed.display_name, changed.priority, list(changed.region_codes)) == ("V", 4, ["DE"])
    with pytest.raises(errors.NotFound):
        await inventory.ask(STAFF, "UpdateWarehouse", pb.UpdateWarehouseRequest(code="moon", priority=1))


async def test_warehouses_come_page_by_page(inventory: Inventory) -> None:
    """By priority, then by code."""
    for code, priority in (("w-b", 5), ("w-a", 5)):
        request = pb.CreateWarehouseRequest(code=code, display_name=code, priority=priority)
        assert (await inventory.ask(STAFF, "CreateWarehouse", request)).code == code
    codes: list[str] = []
    token = ""
    for _ in range(4):
        page = await inventory.ask(STAFF, "ListWarehouses", pb.ListWarehousesRequest(page_size=1, page_token=token))
        codes += [warehouse.code for warehouse in page.warehouses]
        token = page.next_page_token
    assert (codes, token) == (["near", "far", "w-a", "w-b"], "")


async def test_a_page_token_that_somebody_made_up_is_refused(inventory: Inventory) -> None:
    """It is no defect of ours."""
    for cursor in ("near", "x/near", "/near"):
        request = pb.ListWarehousesRequest(page_token=paging.encode(cursor, {}))
        with pytest.raises(errors.InvalidArgument):
            await inventory.ask(STAFF, "ListWarehouses", request)


async def test_a_reservation_is_shown_as_it_stands(inventory: Inventory) -> None:
    """To services; users have no business with it."""
    order_id = new_id()
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3))
    with pytest.raises(errors.NotFound):
        await inventory.ask(ORDER_SERVICE, "GetReservation", pb.GetReservationRequest(order_id=order_id))
    lines = [pb.ReservationLine(sku="A", quantity=1)]
    held = await inventory.ask(ORDER_SERVICE, "ReserveStock", pb.ReserveStockRequest(order_id=order_id, lines=lines))
    assert held.state == inventory_pb2.Reservation.HELD
    await inventory.ask(ORDER_SERVICE, "CommitReservation", pb.CommitReservationRequest(order_id=order_id))
    shown = await inventory.ask(ORDER_SERVICE, "GetReservation", pb.GetReservationRequest(order_id=order_id))
    assert (shown.id, shown.state) == (held.id, inventory_pb2.Reservation.COMMITTED)
    with pytest.raises(errors.PermissionDenied):
        await inventory.ask(STAFF, "GetReservation", pb.GetReservationRequest(order_id=order_id))


async def test_an_order_ships_is_cut_down_and_returns_in_parts(inventory: Inventory) -> None:
    """As the order service does it: each step with an id of its own."""
    order_id = new_id()
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=9))
    lines = [pb.ReservationLine(sku="A", quantity=5)]
    where = pb.Destination(region_code="DE")
    reserve = pb.ReserveStockRequest(order_id=order_id, lines=lines, destination=where)
    assert (await inventory.ask(ORDER_SERVICE, "ReserveStock", reserve)).HasField("expire_time")
    units = [pb.ReservedUnits(sku="A", quantity=2)]
    steps = (
        ("CommitReservation", pb.CommitReservationRequest(order_id=order_id, lines=units, request_id="shipment-1")),
        ("CommitReservation", pb.CommitReservationRequest(order_id=order_id, lines=units, request_id="shipment-2")),
        ("RevertCommit", pb.RevertCommitRequest(order_id=order_id, request_id="shipment-2")),
        ("ReleaseReservation", pb.ReleaseReservationRequest(order_id=order_id, lines=units, request_id="cancel-1")),
        ("ReturnStock", pb.ReturnStockRequest(order_id=order_id, lines=units, request_id="return-1")),
        ("ExtendReservation", pb.ExtendReservationRequest(order_id=order_id, ttl=duration_pb2.Duration(seconds=9))),
    )
    for method, request in steps:
        for _ in range(2):
            answer = await inventory.ask(ORDER_SERVICE, method, request)
    (part,) = answer.allocations
    assert (part.quantity, part.held, part.committed, part.released, part.returned) == (5, 1, 2, 2, 2)
    listed = await inventory.ask(STAFF, "ListReservations", pb.ListReservationsRequest(order_id=order_id))
    assert list(listed.reservations) == [answer]


async def test_stock_is_watched(inventory: Inventory) -> None:
    """By anybody: once as it is, and then as it becomes."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=2))
    call = inventory.follow(EDGE, pb.WatchStockRequest(skus=["A", "none"]))
    seen = [(await call.read()).stock for _ in range(2)]
    assert [(stock.sku, stock.available) for stock in seen] == [("A", 2), ("none", 0)]
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3))
    assert (await call.read()).stock.available == 5
    call.cancel()
