"""Another team's process that calls the example service, and prints what it hears: python shopfront.py SKU."""

import asyncio
import json
import os
import sys

from acme.loyalty.v1.loyalty_pb2 import GetPointsRequest  # type: ignore[import-not-found] # the test makes it
from acme.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub  # type: ignore[import-not-found]
from mesh import errors
from mesh.client import Clients
from mesh.contract import Contract
from mesh.identity import joined
from mesh.settings import MeshSettings
from mesh.xds import write_bootstrap

SERVICE = "acme.loyalty.v1.LoyaltyService"


async def ask(sku: str) -> dict[str, object]:
    """Ask, again while nobody is there."""
    settings, contract = MeshSettings(), Contract()
    contract.learn(SERVICE)
    async with joined(settings) as identity:
        os.environ["GRPC_XDS_BOOTSTRAP"] = str(write_bootstrap(settings, identity.files))
        clients = Clients(contract)
        loyalty = clients.client(LoyaltyServiceStub, SERVICE, as_service=True)
        try:
            while True:
                try:
                    return {"points": (await loyalty.GetPoints(GetPointsRequest(sku=sku))).points}
                except (errors.Unavailable, errors.DeadlineExceeded):
                    await asyncio.sleep(0.2)
                except errors.Error as refusal:
                    return {"code": refusal.code, "reason": refusal.reason}
        finally:
            await clients.close()


print(json.dumps(asyncio.run(asyncio.wait_for(ask(sys.argv[1]), 60))))  # noqa: T201 - for the test to read
