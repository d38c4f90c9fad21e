"""SQLite connections, let go of as SQLAlchemy does it where a task is cancelled in the middle."""

import asyncio
from pathlib import Path

from shared.kit import sqlite

FAR_LONGER_S = 20.0  # than closing takes


async def test_one_that_is_stopped_while_it_closes_is_closed_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    connection = await sqlite.connect(str(tmp_path / "one.db"))
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)  # it has asked its thread for the end
    connection.stop()
    async with asyncio.timeout(FAR_LONGER_S):
        await closing
    connection._thread.join(FAR_LONGER_S)
    assert not connection._thread.is_alive()
