"""A Consul that comes back plays its log back; nobody is to take a moment of that for news."""

import asyncio
from pathlib import Path

import aiohttp

from mesh.blocking_queries import Agent, ConsulUnreadableError
from tests.integration.mesh.control_plane.consul import TOKEN, Consul

KEYS = 12_000
"""Enough that playing it back takes a while."""

ASKING = 100


async def _first_answer(agent: Agent) -> int:
    while True:
        try:
            return len((await agent.ask("/v1/kv/log?keys", 0)).body)
        except (aiohttp.ClientError, TimeoutError, ConsulUnreadableError):
            await asyncio.sleep(0.01)


async def test_the_first_answer_of_a_consul_that_is_back_is_all_it_knew(consul_binary: Path, tmp_path: Path) -> None:
    """Many ask all the time while it starts: each is answered with everything, or not yet."""
    consul = Consul(consul_binary, tmp_path)
    await consul.start()
    await consul.write_many("log", KEYS)
    await consul.stop()
    headers, connector = {"X-Consul-Token": TOKEN}, aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(consul.url, headers=headers, connector=connector) as http:
        asking = asyncio.gather(*(_first_answer(Agent(http)) for _ in range(ASKING)))
        await consul.start()
        answers = await asking
    await consul.stop()
    assert set(answers) == {KEYS}
