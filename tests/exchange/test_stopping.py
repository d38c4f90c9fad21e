"""A worker that is told to stop in the middle: the batch in flight is applied and committed, what is in hand is sent and marked."""

import asyncio
from collections.abc import Sequence

import pytest
from kafka_line import committed, until
from servers import Kafka
from worker_pair import at_work

from shared.contracts.wire.topics import Direction
from shared.exchange import worker as worker_module
from shared.exchange.inbox import Heard, Outcome
from shared.exchange.relay import Outbound


async def test_the_batch_in_flight_is_applied_and_its_offsets_committed(
    kafka: Kafka, unique: str, two_databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
        receive, held, go_on = pair.health.inbox.receive, asyncio.Event(), asyncio.Event()

        async def hold(events: Sequence[Heard]) -> Outcome:
            if events:
                held.set()
                await go_on.wait()
            return await receive(events)

        monkeypatch.setattr(pair.health.inbox, "receive", hold)
        await pair.say(1)
        await until(held.is_set)
        pair.stop.set()
        asyncio.get_running_loop().call_later(0.2, go_on.set)  # the stop is well under way
    assert pair.heard() == [0, 1]
    topic = Direction(pair.police.agency, pair.health.agency).topic
    assert await committed(kafka, f"{pair.health.agency}.exchange", topic) == 2


async def test_what_the_relay_has_in_hand_is_sent_and_marked(kafka: Kafka, unique: str, two_databases: list[str]) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
        courier = pair.workers[pair.police]._courier
        assert courier is not None
        send, held, go_on, marked = courier.send, asyncio.Event(), asyncio.Event(), list(pair.police.sent_ids)

        async def hold(outbound: Sequence[Outbound]) -> None:
            held.set()
            await go_on.wait()
            await send(outbound)

        courier.send = hold  # type: ignore[method-assign]
        await pair.say(1)
        await until(held.is_set)
        pair.stop.set()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
    assert len(pair.police.sent_ids) == len(marked) + 1


async def test_what_hangs_is_left_behind_after_the_time_that_was_promised(
    kafka: Kafka, unique: str, two_databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "STOP_TIMEOUT_S", 1.0)
    monkeypatch.setattr(worker_module, "BATCH_TIMEOUT_S", 0.5)
    async with at_work(kafka, unique, two_databases) as pair:
        courier, held = pair.workers[pair.police]._courier, asyncio.Event()
        assert courier is not None

        async def hang(_: Sequence[Outbound]) -> None:
            held.set()
            await asyncio.Event().wait()

        courier.send = hang  # type: ignore[assignment, method-assign]
        await pair.say(1)
        await until(held.is_set)
    # It has ended, or pytest's own limit would have told; the row is due, and the next start sends it.
    assert pair.heard() == [0]
