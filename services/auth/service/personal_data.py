"""PersonalDataService: what auth knows of a person, handed out or erased."""

import uuid
from collections.abc import Callable
from datetime import datetime

from mesh import context
from mesh.telemetry import get_logger
from ordermesh.auth.v1 import personal_data_service_pb2 as pb
from ordermesh.auth.v1 import personal_data_service_pb2_grpc as grpc_
from services.auth.domain import canonical
from services.auth.events import session_to_proto, user_to_proto
from services.auth.store import PersonalDataStore

_log = get_logger(__name__)


class PersonalDataService(grpc_.PersonalDataServiceServicer):
    """Shapes and permissions are checked by the contract before a method is entered."""

    def __init__(self, store: PersonalDataStore, clock: Callable[[], datetime]) -> None:
        """`store` has the data."""
        self._store = store
        self._clock = clock

    async def ExportPersonalData(self, request: pb.ExportPersonalDataRequest, _: object) -> pb.PersonalData:
        """Give all that is kept of a user; see the contract."""
        user = await self._store.find(user_id=_uuid(request.user), email=canonical(request.user))
        _log.info("personal data exported", user_id=user.id)
        sessions = await self._store.sessions(user.id)
        return pb.PersonalData(user=user_to_proto(user), sessions=[session_to_proto(each, "") for each in sessions])

    async def ErasePersonalData(self, request: pb.ErasePersonalDataRequest, _: object) -> pb.ErasePersonalDataResponse:
        """Take a user's data away; see the contract."""
        await self._store.erase(request.user_id, self._clock(), context.current().caller.permissions)
        _log.warning("personal data erased", user_id=request.user_id)
        return pb.ErasePersonalDataResponse()


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
