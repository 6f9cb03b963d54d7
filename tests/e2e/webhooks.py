"""The sandbox gateway, telling things by itself: signed as Standard Webhooks has it, through the edge."""

import json
import time
import uuid

from deploy.native import secrets
from deploy.native.runtime import Runtime
from services.payment.adapters.standard_webhooks import signature
from tests.e2e.shop import Shop

PATH = "/api/v1/payments/webhooks/sandbox"


class Gateway:
    """It knows the secret that `make up` made."""

    def __init__(self, stack: Runtime, shop: Shop) -> None:
        """Find the secret of the install."""
        self._secret = secrets.ensure(stack.root, stack.topology.services).sandbox_webhook_secret
        self._http = shop.stranger.http

    def tell(self, kind: str, message_id: str = "", **data: object) -> None:
        """Tell of something; it is taken in, and acted upon afterwards."""
        body, headers = signed(self._secret, kind, message_id or str(uuid.uuid4()), data)
        reply = self._http.post(PATH, content=body, headers=headers)
        assert reply.is_success, reply.text


def signed(secret: str, kind: str, message_id: str, data: dict[str, object]) -> tuple[bytes, dict[str, str]]:
    """Write a delivery: its body, and the headers that prove where it comes from."""
    body, timestamp = json.dumps({"type": kind, "data": data}).encode(), str(int(time.time()))
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
        "content-type": "application/json",
    }
    return body, headers
