"""RevocationService: what the edge is to refuse although it has not ended."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ordermesh.auth.v1 import revocation_service_pb2 as pb
from ordermesh.auth.v1 import revocation_service_pb2_grpc as grpc_
from services.auth.store import RevocationStore


class RevocationService(grpc_.RevocationServiceServicer):
    """That only the edge asks is checked by the contract before a method is entered."""

    def __init__(self, store: RevocationStore, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        """`lifetime` of tokens."""
        self._store = store
        self._lifetime = lifetime
        self._clock = clock

    async def GetRevocations(self, request: pb.GetRevocationsRequest, _: object) -> pb.Revocations:
        """List what is revoked; see the contract."""
        revoked = await self._store.listed(self._clock(), self._lifetime, request.limit)
        return pb.Revocations(
            token_ids=revoked.tokens,
            session_ids=revoked.sessions,
            subjects=revoked.subjects,
            left_out_count=revoked.left_out,
        )
