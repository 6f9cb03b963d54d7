"""A person's data, handed out and erased by the commands that an operator has."""

import json
import os
import subprocess
import uuid

from deploy.native.runtime import Runtime
from tests.e2e.shop import ADDRESS, PASSWORD, Client, Shop, eventually
from tests.stack import CHECKOUT, environment


def command(do: str, user: str, *options: str, status: int = 0) -> str:
    """Run the command as `make` does."""
    done = subprocess.run(  # noqa: S603 - our own command
        ["make", f"{do}-user", f"u={user}", *options],  # noqa: S607 - as a developer has it
        cwd=CHECKOUT,
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == bool(status), done.stdout + done.stderr
    return done.stdout + done.stderr


def buyer(shop: Shop) -> tuple[str, Client]:
    """Register somebody whose address we know."""
    email = f"person-{uuid.uuid4()}@example.com"
    shop.stranger.post("/api/v1/auth/register", {"email": email, "password": PASSWORD, "displayName": "Ann Example"})
    return email, shop.log_in(email, PASSWORD)


def test_a_person_is_exported_and_erased_but_for_the_books(shop: Shop, stack: Runtime) -> None:
    """The order stays, with its money; who bought, and where it went, is nowhere to be had."""
    assert stack.root.is_dir()
    email, client = buyer(shop)
    order = client.place(shop.stock(units=3))
    eventually(lambda: shop.letters_about(order["id"]))
    exported = json.loads(command("export", email))
    assert exported["account"]["user"]["email"] == email
    (bought,) = exported["orders"]
    assert bought["shippingAddress"].items() >= ADDRESS.items()
    assert bought["payments"][0]["state"] == "AUTHORIZED"
    assert exported["notifications"]

    assert order["id"] in command("erase", email, status=2)
    client.post(f"/api/v1/orders/{order['id']}:cancel", {"reason": "moved away"})
    command("erase", email)
    user_id = client.user["id"]
    kept = shop.admin.get(f"/api/v1/orders/{order['id']}")
    assert kept["shippingAddress"].get("regionCode") == "DE"
    assert "Berlin" not in json.dumps(kept)
    events = shop.admin.get(f"/api/v1/orders/{order['id']}/events")
    assert "Berlin" not in json.dumps(events)
    assert shop.admin.get(f"/api/v1/orders/{order['id']}:rebuild").get("differences", []) == []
    assert not shop.stranger.http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}).is_success
    assert "nothing is left" in command("erase", user_id)
