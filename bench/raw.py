"""The raw limit: a hand-written pipeline with the same durability and none of our work, in three processes as ours is.

The desk's clients insert a referral and an outbox row in one transaction; one relay sends; the clinic inserts in batches.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import clients
from bench.payload import referral_data
from bench.sizes import CLIENTS
from services.settings import load_settings
from shared.kit.ids import new_id

BATCH = 500  # rows of one transaction, at the relay and at the clinic
POLL_S = 0.005  # what an idle relay waits before it looks again
LINGER_MS = 1
BATCH_BYTES = 512 * 1024  # 500 rows in one request; aiokafka's 16 KiB would make the limit less than it is
FETCH_WAIT_MS = 1_000  # a fetch is answered as soon as there is anything

# The outbox's columns are those that Debezium's event router expects, so that it can take the relay's place.
DESK = """
    CREATE TABLE referral (id uuid PRIMARY KEY, data jsonb NOT NULL);
    CREATE TABLE outbox (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, aggregatetype text NOT NULL,
        aggregateid text NOT NULL, type text NOT NULL, payload jsonb NOT NULL
    );
"""
CLINIC = """
    CREATE TABLE inbox (event_id uuid PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE referral (id uuid PRIMARY KEY, data jsonb NOT NULL);
"""
REFERRAL = "INSERT INTO referral (id, data) VALUES ($1, $2)"
OUTBOX = "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, $2, $3, 'referral.issued', $4)"
DUE = f"SELECT position, aggregateid, payload FROM outbox ORDER BY position LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
DONE = "DELETE FROM outbox WHERE position = ANY($1::bigint[])"
HEARD = "INSERT INTO inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING"
KEPT = f"{REFERRAL} ON CONFLICT DO NOTHING"


async def desk(url: str, kind: str) -> None:
    """Sixteen clients, one connection each."""
    payload = json.dumps(referral_data())
    async with asyncpg.create_pool(url, min_size=CLIENTS, max_size=CLIENTS) as pool:

        async def issue() -> None:
            referral = new_id()
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(REFERRAL, referral, payload)
                await connection.execute(OUTBOX, new_id(), kind, str(referral), payload)

        await clients.take_orders(issue)


async def relay(url: str, topic: str) -> None:
    """Sends what lies in the outbox and deletes it, for ever."""
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=LINGER_MS, max_batch_size=BATCH_BYTES, **load_settings().access().options()
    )
    await producer.start()
    connection = await asyncpg.connect(url)
    while True:
        if not await _send_batch(connection, producer, topic):
            await asyncio.sleep(POLL_S)


async def _send_batch(connection: Any, producer: AIOKafkaProducer, topic: str) -> int:
    async with connection.transaction():
        rows = await connection.fetch(DUE)
        sent = [await producer.send(topic, row["payload"].encode(), key=row["aggregateid"].encode()) for row in rows]
        await asyncio.gather(*sent)
        if rows:
            await connection.execute(DONE, [row["position"] for row in rows])
        return len(rows)


async def clinic(url: str, topic: str) -> None:
    """Inserts what comes, a batch in one transaction, then commits the offsets, for ever."""
    consumer = AIOKafkaConsumer(
        topic, group_id=topic, enable_auto_commit=False, auto_offset_reset="earliest", **load_settings().access().options()
    )
    await consumer.start()
    connection = await asyncpg.connect(url)
    while True:
        fetched = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=BATCH)
        records = [record for part in fetched.values() for record in part]
        if records:
            async with connection.transaction():
                await connection.executemany(HEARD, [(record.key.decode(),) for record in records])
                await connection.executemany(KEPT, [(record.key.decode(), record.value.decode()) for record in records])
            await consumer.commit()


if __name__ == "__main__":
    roles: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"desk": desk, "relay": relay, "clinic": clinic}
    clients.main(roles[sys.argv[1]], *sys.argv[2:])
