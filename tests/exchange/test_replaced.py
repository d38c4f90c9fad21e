"""A process whose place another has taken says so, and neither idles for ever nor fights for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exchange_node import Node
from kafka_line import until
from keystores import with_keys
from servers import Kafka
from worker_pair import at_work

from shared.exchange import worker as worker_module
from shared.exchange.anchor import Anchor, Marks, check_anchor, is_replaced
from shared.exchange.turns import Turns
from shared.exchange.worker import ExchangeWorker
from shared.kit.clock import ManualClock, SystemClock
from shared.kit.db import Database, Transaction
from shared.kit.ids import new_id

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is looked at all the time."""
    monkeypatch.setattr(worker_module, "LOOK_S", 0.2)
    monkeypatch.setattr(worker_module, "RECONNECT_S", 0.2)


async def test_a_name_is_one_processs_until_it_ends(two_databases: list[str]) -> None:
    databases = [with_keys(two_databases[0]) for _ in range(2)]
    one, other = (Turns(database) for database in databases)
    assert await one.keep("name host.0")
    assert await one.keep("name host.0")  # asked again, it is still ours
    assert not await other.keep("name host.0")
    assert await other.keep("name host.1")
    await one.end()
    async with asyncio.timeout(30):  # the server notices a moment later
        while not await other.keep("name host.0"):
            await asyncio.sleep(0.01)
    await other.end()
    for database in databases:
        await database.close()


@pytest.mark.long
async def test_two_processes_of_one_name_share_the_work_and_say_so(kafka: Kafka, unique: str, two_databases: list[str]) -> None:
    """Machines that were given the same host name: under it they would take each other's lanes every few seconds."""
    async with at_work(kafka, unique, two_databases) as pair:
        first, clinic = pair.workers[pair.health], pair.health.agency
        twin = Node(clinic, with_keys(two_databases[1], SystemClock()))
        second = ExchangeWorker(
            twin.database, clinic, [pair.police.agency], twin.inbox, twin, twin.seal, kafka.operator, lambda _: b"x",
            Anchor(pair.folder / f"{clinic}.anchor"), instance=f"host.{clinic}.0",
        )  # fmt: skip
        stop = asyncio.Event()
        running = asyncio.create_task(second.run(stop))
        await until(lambda: second.is_open and second.words is not None and "another" in second.words.lower())
        assert first.words is None
        assert (first._listens_as, second._listens_as) == (f"host.{clinic}.0", None)
        await pair.say(1)
        await until(lambda: sorted([*pair.heard(), *(step for _, step in twin.applied)]) == [0, 1])
        pair.stop.set()  # the one that had the name ends, and the other takes it
        await until(lambda: second.words is None)
        assert second._listens_as == f"host.{clinic}.0"
        stop.set()
        await running
        await twin.database.close()


@pytest.mark.long
async def test_a_process_on_a_copy_that_was_replaced_keeps_still_and_says_so(
    kafka: Kafka, unique: str, two_databases: list[str]
) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
        worker = pair.workers[pair.health]
        anchor = Anchor(pair.folder / f"{pair.health.agency}.anchor")
        before = anchor.read()
        assert before is not None
        with anchor.held():  # a standby was promoted, and its process opened a newer life
            anchor.write(Marks(before.database, new_id()))
        await until(lambda: worker.stuck is not None)
        assert "older copy" in str(worker.stuck)
        assert not worker.is_open
        assert worker._given() == frozenset()
        await pair.say(1)
        await pair.health.say(pair.police.agency, new_id(), 2)
        police = pair.workers[pair.police]
        await pair.looks(police, 3)
        assert (pair.heard(), pair.police.applied) == ([0], [])
        with anchor.held():  # the address leads to the current copy now
            anchor.write(before)
        await until(lambda: worker.stuck is None)
        await until(lambda: (pair.heard(), [step for _, step in pair.police.applied]) == ([0, 1], [2]))


async def test_an_anchor_that_a_power_cut_left_empty_is_as_good_as_none(two_databases: list[str], tmp_path: Path) -> None:
    node = await Node.make("police", two_databases[0], ManualClock(datetime(2026, 1, 5, tzinfo=UTC)))
    anchor = Anchor(tmp_path / "police.anchor")
    await check_anchor(node.database, anchor, ("health",))
    (tmp_path / "police.anchor").write_text("")
    assert await check_anchor(node.database, anchor, ("health",)) == "anchor_missing"
    assert await check_anchor(node.database, anchor, ("health",)) is None
    await node.database.close()


async def test_whoever_looks_whether_it_was_replaced_never_keeps_its_own_relay_from_the_anchor(
    two_databases: list[str], tmp_path: Path
) -> None:
    """The lock is a file's: held over an answer of the database, it stopped the process that waited for both."""
    node = await Node.make("police", two_databases[0], ManualClock(datetime(2026, 1, 5, tzinfo=UTC)))
    anchor = Anchor(tmp_path / "police.anchor")
    await check_anchor(node.database, anchor, ("health",))
    marks = anchor.read()
    assert marks is not None
    newer = Marks(marks.database, new_id())  # so that it has to look twice
    anchor.write(newer)
    covered: list[int] = []

    class Slow(Database):
        """Whose answers take as long as the relay needs to number and to cover what it numbered."""

        @contextlib.asynccontextmanager
        async def read(self) -> AsyncIterator[Transaction]:
            await asyncio.wait_for(asyncio.to_thread(anchor.cover, newer.incarnation, "health", len(covered) + 1), 10)
            covered.append(len(covered) + 1)
            async with super().read() as tx:
                yield tx

    slow = Slow(two_databases[0])
    assert await is_replaced(slow, anchor)
    assert covered == [1, 2]
    await slow.close()
    await node.database.close()
