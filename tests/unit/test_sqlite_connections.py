"""SQLite connections end however they are let go of."""

import asyncio
from threading import Event
from typing import Any

from shared.kit.sqlite import connect


def test_a_connection_that_is_let_go_of_as_its_loop_ends_has_nobody_to_tell() -> None:
    gate = Event()

    async def let_go() -> Any:
        connection = await connect(":memory:")
        connection._tx.put_nowait((None, gate.wait))  # so that it is stopped after its loop has ended
        connection.stop()
        return connection

    connection = asyncio.run(let_go())
    gate.set()
    connection._thread.join(10)  # an exception of the thread fails the test
    assert not connection._thread.is_alive()
