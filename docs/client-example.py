"""Places an order through the edge and reads it back. TOKEN is what login gave, SKU what to order."""

import asyncio
import os

import grpc
from google.type.postal_address_pb2 import PostalAddress

from ordermesh.order.v1.order_service_pb2 import CreateOrderLine, CreateOrderRequest, GetOrderRequest
from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceStub


async def main() -> None:
    """Order one unit of a SKU, then ask for the order by its id."""
    async with grpc.aio.insecure_channel(os.environ.get("EDGE", "127.0.0.1:8080")) as channel:
        orders = OrderServiceStub(channel)
        caller = (("authorization", f"Bearer {os.environ['TOKEN']}"),)
        line = CreateOrderLine(sku=os.environ["SKU"], quantity=1)
        address = PostalAddress(region_code="DE", locality="Berlin", address_lines=["Unter den Linden 1"])
        request = CreateOrderRequest(lines=[line], shipping_address=address, payment_token="tok_visa")  # noqa: S106 (a test token)
        placed = await orders.CreateOrder(request, metadata=caller, timeout=15)
        print(await orders.GetOrder(GetOrderRequest(id=placed.id), metadata=caller, timeout=2))


asyncio.run(main())
