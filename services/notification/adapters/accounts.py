"""Where a customer is reached, and the codes of mails about accounts, by the auth service."""

from ordermesh.auth.v1 import account_service_pb2 as account
from ordermesh.auth.v1 import account_service_pb2_grpc as account_grpc
from ordermesh.auth.v1 import auth_service_pb2 as auth
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from services.notification.delivery import Recipient


class Accounts:
    """The auth service as a delivery.AddressBook."""

    def __init__(self, stub: auth_grpc.AuthServiceStub, mails: account_grpc.AccountMailServiceStub) -> None:
        """The stubs act for this service, not for the customer."""
        self._stub = stub
        self._mails = mails

    async def find(self, customer_id: str) -> Recipient:
        """Return where the customer is reached today. Raises NotFound."""
        user = await self._stub.GetUser(auth.GetUserRequest(id=customer_id))
        return Recipient(user.email, user.display_name)

    async def code(self, code_id: str) -> str:
        """Have the code of a mail made. Raises NotFound when nobody waits for it any more."""
        issued = await self._mails.IssueOneTimeCode(account.IssueOneTimeCodeRequest(id=code_id))
        return issued.code
