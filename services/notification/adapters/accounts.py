"""Where a customer is reached, by the auth service."""

from ordermesh.auth.v1 import auth_service_pb2 as auth
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from services.notification.delivery import Recipient


class Accounts:
    """The auth service as a delivery.AddressBook."""

    def __init__(self, stub: auth_grpc.AuthServiceStub) -> None:
        """`stub` acts for this service, not for the customer."""
        self._stub = stub

    async def find(self, customer_id: str) -> Recipient:
        """Return where the customer is reached today. Raises NotFound."""
        user = await self._stub.GetUser(auth.GetUserRequest(id=customer_id))
        return Recipient(user.email, user.display_name)
