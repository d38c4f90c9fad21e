"""The raw limit: the same durable work with nothing of ours. A plain table, Kafka, a plain table, in the same batches.

Rows are read unsent, produced idempotently with acks=all, marked sent; at the far end a batch is inserted in one statement,
then its offsets are committed. There is no order within a subject, no receipt, no signature and no rule.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.topics import committed, fresh_topics
from bench.workload import (
    BATCH,
    DEADLINE_S,
    FETCH_WAIT_MS,
    LINGER_MS,
    PAUSE_S,
    RAW_BATCH_BYTES,
    WARM_UPS,
    Arrivals,
    Place,
    expect,
    referral_data,
)
from shared.kit.ids import new_id

TABLES = """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, payload jsonb NOT NULL, sent_at timestamptz
    );
    CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
    CREATE TABLE inbox (event_id uuid PRIMARY KEY, payload jsonb NOT NULL, received_at timestamptz NOT NULL DEFAULT now());
"""
SAY = "INSERT INTO outbox (event_id, payload) VALUES ($1, $2)"
UNSENT = f"SELECT id, event_id, payload FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT {BATCH}"
MARK = "UPDATE outbox SET sent_at = now() WHERE id = ANY($1::bigint[])"
HEAR = """
    INSERT INTO inbox (event_id, payload) SELECT * FROM unnest($1::uuid[], $2::jsonb[]) ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class Line:
    """A connection at each end, and Kafka between."""

    source: Any
    target: Any
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    topic: str
    group: str


async def prepare(url: str) -> None:
    """Makes the plain tables, at either end."""
    async with _connection(url) as connection:
        await connection.execute(TABLES)


async def fill(url: str, events: int) -> None:
    """Leaves `events` unsent rows."""
    async with _connection(url) as connection:
        await connection.execute(TABLES)
        payload = json.dumps(referral_data())
        await connection.executemany(SAY, [(new_id(), payload) for _ in range(events)])


async def throughput(place: Place, events: int) -> float:
    """Events a second, from the first look for unsent rows until all are inserted and their offsets are committed."""
    async with _line(place) as line:
        started = time.perf_counter()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as both:
            both.create_task(_send_all(line))
            both.create_task(_hear_all(line, events))
        took_s = time.perf_counter() - started
        expect("rows in the raw inbox", await line.target.fetchval("SELECT count(*) FROM inbox"), events)
        expect("committed offsets of the raw pipe", await committed(place.kafka, line.group, line.topic), events)
        return events / took_s


async def _send_all(line: Line) -> None:
    while rows := await line.source.fetch(UNSENT):
        pending = [await line.producer.send(line.topic, row["payload"].encode(), key=row["event_id"].bytes) for row in rows]
        await asyncio.gather(*pending)
        await line.source.execute(MARK, [row["id"] for row in rows])


async def _hear_all(line: Line, events: int) -> None:
    heard = 0
    while heard < events:
        fetched = await line.consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=BATCH)
        records = [record for part in fetched.values() for record in part]
        if records:
            await line.target.execute(HEAR, [UUID(bytes=r.key) for r in records], [r.value.decode() for r in records])
            await line.consumer.commit()
        heard += len(records)


async def latencies_ms(place: Place, samples: int) -> list[float]:
    """From the commit of one row to the commit of its copy, one row at a time."""
    found: list[float] = []
    payload, arrivals, over = json.dumps(referral_data()), Arrivals(time.perf_counter), asyncio.Event()
    async with _line(place) as line, asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as both:
        hearing = both.create_task(_hear_each(line, arrivals, over))
        for number in range(WARM_UPS + samples):
            event_id = new_id()
            over.clear()
            await line.source.execute(SAY, event_id, payload)
            committed_at = time.perf_counter()
            await line.producer.send_and_wait(line.topic, payload.encode(), key=event_id.bytes)
            await over.wait()
            if number >= WARM_UPS:
                found.append((arrivals.last_at - committed_at) * 1000)
            await asyncio.sleep(PAUSE_S)
        hearing.cancel()
    return found


async def _hear_each(line: Line, arrivals: Arrivals, over: asyncio.Event) -> None:
    while True:
        record = await line.consumer.getone()
        await line.target.execute(HEAR, [UUID(bytes=record.key)], [record.value.decode()])
        arrivals.note()
        await line.consumer.commit()
        over.set()


@contextlib.asynccontextmanager
async def _line(place: Place) -> AsyncIterator[Line]:
    topic, group = f"raw.{new_id()}", f"raw.{new_id()}"
    async with contextlib.AsyncExitStack() as stack:
        source = await stack.enter_async_context(_connection(place.source_url))
        target = await stack.enter_async_context(_connection(place.target_url))
        await stack.enter_async_context(fresh_topics(place.kafka, [topic]))
        producer = AIOKafkaProducer(
            bootstrap_servers=place.kafka,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_batch_size=RAW_BATCH_BYTES,
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=place.kafka, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        yield Line(source, target, producer, consumer, topic, group)


@contextlib.asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
