"""Connections to one database, kept for the next who needs one, a bounded number of them.

Not psycopg_pool: while the server is away it lets callers wait in a queue and looks for the server ever more rarely.
Here who needs a connection makes it: a server that is away is an error at once, and one that is back is used at once.
"""

import asyncio
from collections.abc import Awaitable, Callable

from psycopg.pq import TransactionStatus

from services.common.connection import Connection


class PoolExhaustedError(Exception):
    """All connections were in use for longer than anybody should wait."""


class Pool:
    """At most `size` connections."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int, patience: float) -> None:
        """`connect` makes one; `patience`: how many seconds to wait for one when all are in use."""
        self._connect = connect
        self._patience = patience
        self._turns = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def lend(self) -> Connection:
        """Lend a connection. Raises PoolExhaustedError when none comes free, and whatever connecting raises."""
        await self._turn()
        try:
            return self._idle.pop() if self._idle else await self._connect()
        except BaseException:
            self._turns.release()
            raise

    async def take_back(self, connection: Connection) -> None:
        """Keep a connection that was lent for the next, if it can be used again."""
        try:
            await self._keep(connection)
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            await self._idle.pop().close()

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolExhaustedError from None

    async def _keep(self, connection: Connection) -> None:
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
            return
        if connection.broken:
            # The server ended it, and most likely the others with it.
            await self.close()
        await connection.close()
