"""The cluster itself, real: one node of three dies, writers with acks=all go on, and the node comes back into step."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from servers import KafkaClusterFactory, kafka_of

from shared.exchange.access import Access, partitions_of, provision, thin_topics

DEADLINE_S = 60
RECORDS = 50  # before, during and after the death each


async def copies(access: Access, topic: str) -> tuple[int, int, int]:
    """The leader of a topic's one partition, how many copies it should have, and how many are in step."""
    client = AIOKafkaClient(**access.options())
    try:
        await client.bootstrap()
        metadata = await client.fetch_all_metadata()
        found = metadata._partitions.get(topic, {}).get(0)  # a node that has not heard of the topic yet
        return (found.leader, len(found.replicas), len(found.isr)) if found else (-1, 0, 0)
    finally:
        await client.close()


async def until_in_step(access: Access, topic: str, count: int) -> tuple[int, int, int]:
    """The copies once so many are in step, as one answer has it: the node asked next may not have learned of it yet."""
    async with asyncio.timeout(DEADLINE_S):
        while (found := await copies(access, topic))[2] != count:
            await asyncio.sleep(0.1)
    return found


async def produce(producer: AIOKafkaProducer, topic: str, first: int) -> None:
    for number in range(first, first + RECORDS):
        async with asyncio.timeout(DEADLINE_S):
            await producer.send_and_wait(topic, str(number).encode())


async def read_all(access: Access, topic: str) -> list[int]:
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **access.options())
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        (end,) = (await consumer.end_offsets([partition])).values()
        values: list[int] = []
        async with asyncio.timeout(DEADLINE_S):
            while await consumer.position(partition) < end:
                values += [
                    int(record.value or b"") for batch in (await consumer.getmany(timeout_ms=500)).values() for record in batch
                ]
        return values
    finally:
        await consumer.stop()


@pytest.mark.long
async def test_writers_go_on_while_one_node_of_three_is_dead_and_it_comes_back_into_step(
    kafka_cluster_factory: KafkaClusterFactory,
) -> None:
    cluster = await asyncio.to_thread(kafka_cluster_factory)
    access, topic = kafka_of(cluster).operator, "refnet.kept"
    assert await provision(access, (topic,), 1) == [topic]
    leader, wanted, _ = await until_in_step(access, topic, 3)
    assert wanted == 3
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, request_timeout_ms=5_000, **access.options())
    await producer.start()
    try:
        await produce(producer, topic, 0)
        await asyncio.to_thread(cluster.kill, leader)
        assert topic in await partitions_of(access)  # the dead node may still be named for some seconds: others answer
        await produce(producer, topic, RECORDS)
        assert (await until_in_step(access, topic, 2))[0] != leader
        await asyncio.to_thread(cluster.restart, leader)
        await until_in_step(access, topic, 3)
        await produce(producer, topic, 2 * RECORDS)
    finally:
        await producer.stop()
    assert await read_all(access, topic) == list(range(3 * RECORDS))


@pytest.mark.long
async def test_topics_with_fewer_copies_than_the_cluster_could_keep_are_named(kafka_cluster_factory: KafkaClusterFactory) -> None:
    cluster = await asyncio.to_thread(kafka_cluster_factory)
    access = kafka_of(cluster).operator
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic("refnet.thin", 1, 1)])  # as from the days of one broker
    finally:
        await admin.close()
    await provision(access, ("refnet.thin", "refnet.kept"), 1)
    await until_in_step(access, "refnet.kept", 3)
    assert await thin_topics(access, ("refnet.thin", "refnet.kept")) == ["refnet.thin"]


async def test_topics_are_made_with_three_copies_two_of_which_must_have_a_record_and_only_once(
    kafka_cluster_factory: KafkaClusterFactory,
) -> None:
    # A cluster that would by itself count a record as sent that one broker has.
    cluster = await asyncio.to_thread(lambda: kafka_cluster_factory(overrides={"min.insync.replicas": "1"}))
    access, topics = kafka_of(cluster).operator, ("refnet.a", "refnet.b")
    assert await provision(access, topics[:1], 2) == ["refnet.a"]
    assert await provision(access, topics, 2) == ["refnet.b"]
    assert await provision(access, topics, 2) == []
    await until_in_step(access, topics[1], 3)
    assert {topic: count for topic, count in (await partitions_of(access)).items() if topic in topics} == dict.fromkeys(topics, 2)
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        for topic in topics:
            wanted = ConfigResource(
                ConfigResourceType.TOPIC, topic, {"min.insync.replicas": "", "unclean.leader.election.enable": ""}
            )
            (answer,) = await admin.describe_configs([wanted])
            entries = {entry[0]: entry[1] for entry in answer.resources[0][4]}
            assert entries == {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
    finally:
        await admin.close()
