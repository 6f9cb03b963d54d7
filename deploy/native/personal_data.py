"""`make export-user u=…` and `make erase-user u=…`: all that the system knows of a person, handed out or erased.

They ask as the install's admin, through the edge. Orders are erased as the role that owns them, since their service may
not change events. Notification hears of it by the event UserErased. Orders and payments stay in the books, under an id.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from deploy.native import command_line, secrets
from deploy.native.errors import StackError
from deploy.native.provision import postgres
from deploy.native.provision.api import Api, ApiError, Json
from deploy.native.provision.environment import ADMIN_EMAIL
from deploy.native.runtime import Runtime

ORDER = "order"
PAGE = 200


def command(argv: Sequence[str]) -> None:
    """Export or erase."""
    parser = command_line.parser("personal-data", __doc__)
    parser.add_argument("do", choices=("export", "erase"))
    parser.add_argument("user", help="UUID or email")
    parser.add_argument("--force", action="store_true", help="erase also if orders are on their way")
    options = parser.parse_args(argv)
    runtime = command_line.this_stack()
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    with Api.of(runtime) as api:
        api.login(ADMIN_EMAIL, kept.admin_password)
        if options.do == "export":
            print(json.dumps(export(api, options.user), indent=2, ensure_ascii=False))
        else:
            erase(api, runtime, options)


def export(api: Api, user: str) -> Json:
    """Gather what auth, order, payment and notification know. Raises ApiError."""
    account = api.post("/api/v1/personalData:export", {"user": user})
    user_id = account["user"]["id"]
    orders = [_order(api, order) for order in _all(api, "orders", customerId=user_id)]
    return {
        "account": account,
        "orders": orders,
        "notifications": list(_all(api, "notifications", customerId=user_id)),
    }


def erase(api: Api, runtime: Runtime, options: argparse.Namespace) -> None:
    """Erase a user everywhere; may be repeated by UUID. Raises StackError while orders are on their way."""
    user_id = _user_id(api, options.user)
    force = ["--force"] if options.force else []
    _orders(runtime, user_id, "--check", *force)
    try:
        api.post("/api/v1/personalData:erase", {"userId": user_id})
    except ApiError as error:
        if error.code != "NOT_FOUND":
            raise
        print("auth: nothing is left")
    else:
        print("auth: everything but the id; the others hear of it by UserErased")
    print(_orders(runtime, user_id, *force))
    print(
        f"Run it again with u={user_id} in 15 minutes, when the last access token has ended: orders may be placed till"
        " then."
    )


def _user_id(api: Api, user: str) -> str:
    try:
        return str(UUID(user))
    except ValueError:
        found: str = api.post("/api/v1/personalData:export", {"user": user})["user"]["id"]
        return found


def _order(api: Api, order: Json) -> Json:
    path = f"orders/{order['id']}"
    return {
        **order,
        "notes": list(_all(api, f"{path}/notes")),
        "payments": list(_all(api, "payments", orderId=order["id"])),
    }


def _all(api: Api, path: str, **filters: str) -> Iterator[Json]:
    """Read all pages of a list."""
    token = ""
    while True:
        page = api.get(f"/api/v1/{path}", pageSize=PAGE, pageToken=token, **filters)
        yield from page.get(path.rpartition("/")[2], [])
        token = page.get("nextPageToken", "")
        if not token:
            return


def _orders(runtime: Runtime, user_id: str, *arguments: str) -> str:
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    role = secrets.owner_role(ORDER)
    url = postgres.url(runtime, ORDER, role, kept.database_passwords[role])
    done = subprocess.run(
        [sys.executable, "-m", "services.order.erase", user_id, *arguments],
        cwd=Path(runtime.checkout),
        env={**os.environ, "ORDERMESH_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(done.stderr.strip())
    return done.stdout.strip()
