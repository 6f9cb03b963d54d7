"""Keys are rotated while clients get tokens and use them, through the edge: nobody is refused."""

import asyncio
import functools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx

from deploy.native import components
from services.auth.service_accounts import Told
from services.common.database import Database
from tests.integration.services.auth.edge import Door, door

# The edge keeps keys for one second, and an instance of auth for ten.
WAIT, LIFETIME = timedelta(seconds=15), timedelta(seconds=20)
ROTATIONS = 2


async def test_a_rotation_under_load_refuses_nobody(
    tmp_path: Path, programs: components.Components, database: Database
) -> None:
    """New keys sign, old ones verify until their last token has ended, and are gone in the end."""
    async with door(tmp_path, programs, database, wait=WAIT, lifetime=LIFETIME) as opened:
        told = await opened.auth.client("orders.read")
        stop, statuses = asyncio.Event(), Counter[int]()
        clients = [asyncio.create_task(_use(opened, told, stop, statuses)) for _ in range(4)]
        keeper = asyncio.create_task(opened.auth.keys.run(stop))
        signed = []
        for _ in range(ROTATIONS):
            rotation = await opened.auth.keys.rotate()
            await _until(functools.partial(_signs, opened, rotation.key_id))
            signed.append(rotation.key_id)
        await _until(functools.partial(_published, opened, signed[-1:]))
        stop.set()
        await asyncio.gather(*clients, keeper)
    assert set(statuses) == {200}, statuses
    assert statuses[200] > 100


async def _use(opened: Door, told: Told, stop: asyncio.Event, statuses: Counter[int]) -> None:
    """Get tokens, and use each until shortly before its end."""
    auth = (told.account.id, told.secret)
    async with httpx.AsyncClient(base_url=opened.url, timeout=30) as http:
        while not stop.is_set():
            reply = await http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=auth)
            statuses[reply.status_code] += 1
            bearer = {"authorization": f"Bearer {reply.json()['access_token']}"}
            end = asyncio.get_running_loop().time() + LIFETIME.total_seconds() - 5
            while asyncio.get_running_loop().time() < end and not stop.is_set():
                statuses[(await http.get("/api/v1/orders/1", headers=bearer)).status_code] += 1
                await asyncio.sleep(0.05)


async def _signs(opened: Door, key_id: str) -> bool:
    return (await opened.auth.keys.signing()).id == key_id


async def _published(opened: Door, key_ids: list[str]) -> bool:
    return [key.id for key in await opened.auth.keys.published()] == key_ids


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await holds():  # noqa: ASYNC110 - what is waited for is time
            await asyncio.sleep(0.2)
