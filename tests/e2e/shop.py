"""The system as its users have it: HTTP to the edge, and the e-mails that arrive. Nothing here knows a service."""

import contextlib
import email
import email.policy
import time
import uuid
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx

Json = dict[str, Any]
T = TypeVar("T")

ADDRESS: Json = {
    "regionCode": "DE",
    "postalCode": "10115",
    "locality": "Berlin",
    "addressLines": ["Invalidenstr. 1"],
    "recipients": ["Ann Example"],
}
PASSWORD = "correct horse battery"
PATIENCE_S = 20.0


class Client:
    """One user of the REST API; a stranger until a token is set."""

    def __init__(self, base_url: str, token: str = "") -> None:
        """`base_url` of the edge."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=30)
        self.user: Json = {}

    def get(self, path: str, **parameters: str | int) -> Json:
        """Read what must be there."""
        return _good(self.http.get(path, params=parameters))

    def post(self, path: str, body: Json | None = None, **headers: str) -> Json:
        """Do what must work."""
        return _good(self.http.post(path, json=body or {}, headers=headers))

    def place(self, sku: str, quantity: int = 1, token: str = "tok_visa", key: str = "") -> Json:
        """Place an order of one line."""
        return _good(self.try_place(order_of(sku, quantity, token), key))

    def try_place(self, body: Json, key: str = "") -> httpx.Response:
        """Place an order that may be refused."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.http.post("/api/v1/orders", json=body, headers=headers)


class Shop:
    """Where customers come from, and who fills the shelves."""

    def __init__(self, base_url: str, admin_email: str, admin_password: str, mail: Path) -> None:
        """`mail` is the folder that e-mails arrive in."""
        self._base_url = base_url
        self._closing = contextlib.ExitStack()
        self.stranger = self.client()
        self.admin = self.log_in(admin_email, admin_password)
        self._mail = mail

    def client(self, token: str = "") -> Client:
        """Whoever comes with this token."""
        client = Client(self._base_url, token)
        self._closing.callback(client.http.close)
        return client

    def close(self) -> None:
        """Close all connections."""
        self._closing.close()

    def customer(self) -> Client:
        """Register somebody new and log them in."""
        address = f"customer-{uuid.uuid4()}@example.com"
        body = {"email": address, "password": PASSWORD, "displayName": "Ann Example"}
        self.stranger.post("/api/v1/auth/register", body)
        return self.log_in(address, PASSWORD)

    def log_in(self, address: str, password: str) -> Client:
        """Exchange email and password for a token."""
        login = self.stranger.post("/api/v1/auth/login", {"email": address, "password": password})
        client = self.client(login["accessToken"])
        client.user = login["user"]
        return client

    def stock(self, units: int, price: str = "19") -> str:
        """Offer a new product, with so many units on hand; returns its SKU."""
        sku = f"SKU-{uuid.uuid4().hex[:12]}"
        price_: Json = {"currencyCode": "EUR", "units": price, "nanos": 990_000_000}
        variant: Json = {"sku": sku, "prices": [price_]}
        self.admin.post("/api/v1/products", {"name": f"Thing {sku}", "variants": [variant]})
        if units:
            self.admin.post(f"/api/v1/inventory/{sku}:receive", {"quantity": units})
        return sku

    def available(self, sku: str) -> int:
        """Ask how many units can be sold."""
        return int(self.stranger.get(f"/api/v1/inventory/{sku}").get("available", 0))

    def letters_about(self, order_id: str) -> list[EmailMessage]:
        """Read the e-mails that mention an order."""
        return [message for message in self._letters() if order_id in message.as_string()]

    def letters_to(self, address: str) -> list[EmailMessage]:
        """Read the e-mails to an address, oldest first."""
        return [message for message in self._letters() if address in str(message["To"])]

    def _letters(self) -> list[EmailMessage]:
        files = sorted(self._files(), key=lambda file: file.name)
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def _files(self) -> list[Path]:
        return [file for file in self._mail.rglob("*") if file.is_file() and not file.name.startswith(".")]


def order_of(sku: str, quantity: int = 1, token: str = "tok_visa") -> Json:
    """Write the body of an order of one line."""
    return {
        "lines": [{"sku": sku, "quantity": quantity}],
        "shippingAddress": ADDRESS,
        "paymentToken": token,
    }


def eventually(look: Callable[[], T], *, within_s: float = PATIENCE_S) -> T:
    """Look again until what is seen is true; what goes by events takes a moment."""
    deadline = time.monotonic() + within_s
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert seen, f"not within {within_s:g} s"
    return seen


def reason_of(reply: httpx.Response) -> str:
    """Read the reason of an error: every one is a google.rpc.Status with an ErrorInfo."""
    body = reply.json()
    assert {"code", "message", "details"} <= body.keys(), body
    infos = [detail for detail in body["details"] if detail["@type"].endswith("google.rpc.ErrorInfo")]
    assert len(infos) == 1, body
    return str(infos[0]["reason"])


def fields_of(reply: httpx.Response) -> set[str]:
    """Read which fields an error finds fault with."""
    details = reply.json()["details"]
    bad = [detail for detail in details if detail["@type"].endswith("google.rpc.BadRequest")]
    return {violation["field"] for detail in bad for violation in detail["fieldViolations"]}


def _good(reply: httpx.Response) -> Json:
    assert reply.is_success, f"{reply.request.method} {reply.request.url.path}: {reply.status_code} {reply.text}"
    body: Json = reply.json()
    return body
