"""The gRPC servicer: shows what customers were told, in the contract's messages."""

from mesh import context
from ordermesh.notification.v1 import notification_pb2, notification_service_pb2_grpc
from ordermesh.notification.v1 import notification_service_pb2 as pb
from services.common import paging
from services.notification.domain import NotificationNotFound
from services.notification.events import notification_to_proto
from services.notification.store import NotificationStore


class NotificationService(notification_service_pb2_grpc.NotificationServiceServicer):
    """Shapes are checked by the contract before a method here is entered; ownership is checked here."""

    def __init__(self, store: NotificationStore) -> None:
        """`store` has the notifications."""
        self._store = store

    async def GetNotification(self, request: pb.GetNotificationRequest, _: object) -> notification_pb2.Notification:
        """Give one notification; see the contract."""
        notification = await self._store.get(request.id)
        if not context.current().caller.can_see(notification.customer_id):
            raise NotificationNotFound(request.id)
        return notification_to_proto(notification)

    async def ListNotifications(self, request: pb.ListNotificationsRequest, _: object) -> pb.ListNotificationsResponse:
        """Give a page of notifications; see the contract."""
        caller = context.current().caller
        filters = {
            "owner": None if caller.unrestricted else caller.user_id,
            "order_id": request.order_id or None,
            "customer_id": request.customer_id or None,
        }
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        found = await self._store.page(filters, after=after, limit=size + 1)
        reply = pb.ListNotificationsResponse(notifications=[notification_to_proto(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply
