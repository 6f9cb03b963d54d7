"""A service of another team: how many points a purchase earns, by the price that ordermesh's catalogue has."""

from typing import Any

from acme.loyalty.v1 import loyalty_pb2 as pb
from acme.loyalty.v1 import loyalty_pb2_grpc as loyalty_grpc
from mesh import server
from ordermesh.product.v1 import product_service_pb2 as products
from ordermesh.product.v1.product_service_pb2_grpc import ProductServiceStub


class Loyalty(loyalty_grpc.LoyaltyServiceServicer):
    """Who may call, what is valid and how long it may take is in the contract, and checked before this is called."""

    def __init__(self, catalogue: ProductServiceStub) -> None:
        """Ask the catalogue for prices."""
        self._catalogue = catalogue

    async def GetPoints(self, request: pb.GetPointsRequest, _: Any) -> pb.Points:  # noqa: ANN401, N802 - gRPC's own
        """Give a point for each whole euro."""
        asked = products.BatchGetPricesRequest(skus=[request.sku], currency_code="EUR")
        priced = await self._catalogue.BatchGetPrices(asked)
        return pb.Points(points=priced.variants[0].price.units)


async def build(app: server.Application) -> None:
    """Say what it serves, and whom it calls."""
    catalogue = app.client(ProductServiceStub, "ordermesh.product.v1.ProductService", as_service=True)
    app.serve(Loyalty(catalogue), loyalty_grpc.add_LoyaltyServiceServicer_to_server, "acme.loyalty.v1.LoyaltyService")


if __name__ == "__main__":
    server.run("loyalty", build)
