"""ServiceAccountService."""

from collections.abc import Callable
from datetime import datetime

from ordermesh.auth.v1 import service_account_service_pb2 as pb
from ordermesh.auth.v1 import service_account_service_pb2_grpc
from services.auth.domain.service_accounts import ServiceAccount
from services.auth.service.caller import expected, held
from services.auth.service_accounts import ServiceAccounts
from services.auth.store import ServiceAccountStore
from services.common import paging
from services.common.protobuf import timestamp_to_proto


class ServiceAccountService(service_account_service_pb2_grpc.ServiceAccountServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, accounts: ServiceAccounts, store: ServiceAccountStore, clock: Callable[[], datetime]) -> None:
        """`store` is read directly where there is nothing to decide."""
        self._accounts = accounts
        self._store = store
        self._clock = clock

    async def CreateServiceAccount(
        self, request: pb.CreateServiceAccountRequest, _: object
    ) -> pb.CreateServiceAccountResponse:
        """Make an account; see the contract."""
        told = await self._accounts.create(request.display_name, request.roles, request.permissions, held())
        return pb.CreateServiceAccountResponse(service_account=self._account(told.account), client_secret=told.secret)

    async def ListServiceAccounts(
        self, request: pb.ListServiceAccountsRequest, _: object
    ) -> pb.ListServiceAccountsResponse:
        """Give a page of accounts; see the contract."""
        size = paging.page_size(request.page_size)
        found = await self._store.page(paging.decode(request.page_token, {}), size + 1)
        reply = pb.ListServiceAccountsResponse(service_accounts=[self._account(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, {})
        return reply

    async def GetServiceAccount(self, request: pb.GetServiceAccountRequest, _: object) -> pb.ServiceAccount:
        """Give an account; see the contract."""
        return self._account(await self._store.get(request.id))

    async def UpdateServiceAccount(self, request: pb.UpdateServiceAccountRequest, _: object) -> pb.ServiceAccount:
        """Change an account; see the contract."""
        etag, wanted = expected(request.etag), (request.display_name, request.roles, request.permissions)
        return self._account(await self._accounts.update(request.id, *wanted, held(), etag))

    async def RotateServiceAccountSecret(
        self, request: pb.RotateServiceAccountSecretRequest, _: object
    ) -> pb.RotateServiceAccountSecretResponse:
        """Make another secret; see the contract."""
        overlap = request.overlap.ToTimedelta() if request.HasField("overlap") else None
        told = await self._accounts.rotate(request.id, overlap, held(), expected(request.etag))
        return pb.RotateServiceAccountSecretResponse(
            service_account=self._account(told.account), client_secret=told.secret
        )

    async def DisableServiceAccount(self, request: pb.DisableServiceAccountRequest, _: object) -> pb.ServiceAccount:
        """Lock an account out; see the contract."""
        return self._account(await self._accounts.lock(request.id, held(), expected(request.etag), out=True))

    async def EnableServiceAccount(self, request: pb.EnableServiceAccountRequest, _: object) -> pb.ServiceAccount:
        """Let an account in again; see the contract."""
        return self._account(await self._accounts.lock(request.id, held(), expected(request.etag), out=False))

    async def DeleteServiceAccount(
        self, request: pb.DeleteServiceAccountRequest, _: object
    ) -> pb.DeleteServiceAccountResponse:
        """Delete an account; see the contract."""
        await self._accounts.delete(request.id, held(), expected(request.etag))
        return pb.DeleteServiceAccountResponse()

    def _account(self, account: ServiceAccount) -> pb.ServiceAccount:
        now = self._clock()
        return pb.ServiceAccount(
            id=account.id,
            display_name=account.display_name,
            roles=account.roles,
            permissions=account.permissions,
            secrets=[
                pb.ServiceAccountSecret(
                    id=secret.id,
                    hint=secret.hint,
                    create_time=timestamp_to_proto(secret.create_time),
                    expire_time=timestamp_to_proto(secret.expire_time) if secret.expire_time else None,
                )
                for secret in account.secrets
                if secret.is_good(now)
            ],
            disable_time=timestamp_to_proto(account.disable_time) if account.disable_time else None,
            create_time=timestamp_to_proto(account.create_time),
            etag=account.etag,
        )
