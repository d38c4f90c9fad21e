"""The local servers themselves, real: what was written before a kill is there after the restart."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAuthorizationFailedError
from kafka_line import sees, until
from servers import Kafka, KafkaNodeFactory, kafka_of

from shared.exchange.access import Access, BrokerUnreachable, partitions_of, provision
from shared.exchange.rights import admit
from shared.kit.files import write_whole
from shared.kit.local.broker import start_broker
from shared.kit.local.cache import default_cache
from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka_certificates import BrokerFiles
from shared.kit.local.kafka_jars import fetch_kafka
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

DEADLINE_S = 30


async def make_topic(access: Access, topic: str) -> None:
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(access: Access, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **access.options())
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def receive(access: Access, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **access.options())
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        record = await asyncio.wait_for(consumer.getone(), DEADLINE_S)
        value: bytes | None = record.value
        return value
    finally:
        await consumer.stop()


@pytest.mark.long  # the fault tests kill brokers under load
async def test_a_record_outlives_the_brokers_sudden_death(kafka_node_factory: KafkaNodeFactory) -> None:
    node = kafka_node_factory()
    address, operator = node.bootstrap_servers, kafka_of(node).operator
    await make_topic(operator, "kept")
    await send(operator, "kept", b"before the kill")
    node.kill()
    assert not node.running
    node.start()
    assert node.bootstrap_servers == address
    assert await receive(operator, "kept") == b"before the kill"


@pytest.mark.long  # tests/faults/test_broker_wiped.py wipes one that agencies use
async def test_a_wiped_broker_has_forgotten_and_works(kafka_node_factory: KafkaNodeFactory) -> None:
    node = kafka_node_factory()
    operator = kafka_of(node).operator
    await make_topic(operator, "lost")
    with pytest.raises(LocalServerError, match="cannot be wiped"):
        node.wipe()
    node.stop()
    node.wipe()
    node.start()
    admin = AIOKafkaAdminClient(**operator.options())
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()
    assert "lost" not in topics


async def test_a_node_lets_in_users_and_certificates_of_its_own_and_nobody_else(
    kafka_node_factory: KafkaNodeFactory, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    kafka = kafka_of(node)
    await admit(kafka.operator, (), {"police": "right"})
    known = Access(kafka.bootstrap_servers, "police", "right", kafka.operator.ca)
    await until(partial(sees, known, set()))
    other = BrokerFiles(tmp_path / "other")
    other.make()
    for stranger in (
        replace(known, password="wrong"),
        replace(known, username="health"),
        replace(known, username=None, password=None),
        replace(known, username=None, password=None, ca=None),
        replace(known, ca=None),
        replace(known, ca=other.ca),  # it is the broker that is a stranger
        replace(kafka.operator, cert=None, key=None),
        replace(kafka.operator, ca=None),
        replace(kafka.operator, cert=other.operator("").cert, key=other.operator("").key),
        replace(kafka.operator, bootstrap_servers=kafka.bootstrap_servers),  # no certificate stands for a password
    ):
        with pytest.raises(BrokerUnreachable):
            await partitions_of(stranger)


async def test_a_certificate_names_an_agency_as_its_password_does(kafka_node_factory: KafkaNodeFactory, tmp_path: Path) -> None:
    node = kafka_node_factory()
    kafka, topics = kafka_of(node), ("refnet.police.to.health.v1", "refnet.health.to.police.v1")
    assert await provision(kafka.operator, topics, 1) == sorted(topics)
    await admit(kafka.operator, topics[:1], {})
    made = node.files.authority().issue("police", datetime.now(UTC), timedelta(days=1))
    write_whole(tmp_path / "cert.pem", made.cert)
    write_whole(tmp_path / "key.pem", made.key)
    police = replace(kafka.operator, cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    await until(partial(sees, police, set(topics[:1])))
    await send(police, topics[0], b"hello")
    with pytest.raises(TopicAuthorizationFailedError):
        await send(police, topics[1], b"hello")


def test_what_a_node_writes_down_is_its_owners_alone(kafka_node_factory: KafkaNodeFactory) -> None:
    written = list(kafka_node_factory().files.folder.rglob("*"))
    assert {file.stat().st_mode & 0o777 for file in written if file.is_dir()} == {0o700}
    assert {file.stat().st_mode & 0o777 for file in written if file.is_file()} == {0o600}


async def test_the_shared_kafka_carries_a_record(kafka: Kafka, unique: str) -> None:
    await make_topic(kafka.operator, f"shared-{unique}")
    await send(kafka.operator, f"shared-{unique}", b"hello")
    assert await receive(kafka.operator, f"shared-{unique}") == b"hello"


async def test_the_trial_courier_carries_a_record_and_says_that_it_forgets(tmp_path: Path) -> None:
    with start_broker("trial", bootstrap_servers=None, home=tmp_path) as broker:
        assert broker.forgets
        trial = Access(broker.bootstrap_servers)
        await send(trial, "trial", b"hello")
        assert await receive(trial, "trial") == b"hello"


def test_kafka_by_choice_keeps_its_data_in_the_home_that_was_given(tmp_path: Path) -> None:
    with start_broker("kafka", bootstrap_servers=None, home=tmp_path) as broker:
        assert (broker.kind, broker.forgets, broker.reasons) == ("kafka", False, [])
    assert (tmp_path / "kafka" / "data" / "meta.properties").exists()


def test_kafka_without_maven_or_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] no network'; exit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LocalServerError, match="Maven could not fetch Kafka: .*no network"):
        start_broker("kafka", bootstrap_servers=None, home=tmp_path, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("kafka-*"))


def test_two_clones_share_one_fetch(tmp_path: Path) -> None:
    said: list[str] = []
    first = fetch_kafka(default_cache(tmp_path), say=said.append)
    said.clear()
    assert fetch_kafka(default_cache(tmp_path), say=said.append).directory == first.directory
    assert said == []


async def test_a_row_outlives_postgresqls_sudden_death(postgres_cluster: PostgresCluster) -> None:
    url = postgres_cluster.create_database("kept")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
    postgres_cluster.kill()
    connection.terminate()
    postgres_cluster.start()
    again = await asyncpg.connect(url)
    assert await again.fetchval("SELECT n FROM t") == 7
    await again.close()
    postgres_cluster.restart()
    assert postgres_cluster.databases.execute("SELECT n FROM t", database="kept") == "7"


def test_a_fresh_database_is_a_copy_of_its_template_built_once(postgres: PostgresDatabases, unique: str) -> None:
    built: list[str] = []

    def build(url: str) -> None:
        built.append(url)
        postgres.execute("CREATE TABLE t (n int)", database=url.rpartition("/")[2])

    names = [postgres.template(f"template_{unique}", build) for _ in range(2)]
    assert len(built) == 1
    for _ in range(2):
        database = postgres.fresh_database(names[0]).rpartition("/")[2]
        assert postgres.execute("SELECT count(*) FROM t", database=database) == "0"
        postgres.drop_database(database)
    postgres.drop_database(names[0])


async def test_each_kind_of_database_url_points_at_nothing_yet(database_url: str) -> None:
    if database_url.startswith("sqlite:///"):
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
        return
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == 0


def test_servers_die_with_a_killed_owner() -> None:
    owner = """
        from shared.kit.local.postgres import PostgresCluster
        cluster = PostgresCluster(fsync=False)
        cluster.start()
        print(cluster._process.pid, cluster._folder, flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(owner)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
    wait_until_gone(int(pid), Path(folder))


def wait_until_gone(pid: int, folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while folder.exists() or _alive(pid):
        assert time.monotonic() < deadline, f"process {pid} or {folder} is still there"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
